"""What the IMAP door may be told; frozen, composed by `settings`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ImapDeadlines:
    """How long a client may be silent, in seconds (RFC 9051 section 5.4: at least 30 minutes once logged in).

    `login` bounds the time until the login in all; `literal` the silence within a command that has begun.
    """

    handshake: float = 20.0
    login: float = 60.0
    command: float = 1830.0
    idle: float = 1830.0
    write: float = 120.0
    literal: float = 180.0


@dataclass(frozen=True, slots=True)
class ImapdOptions:
    """One IMAP door. `max_append` is in octets.

    `message_limit` is how many messages one command works on (RFC 9738), 0 for any number: so high that a client
    that has never heard of the limit sees whole mailboxes. `progress` is the time between two signs of life of a long
    command in seconds (RFC 9585). `annotations` is how many of them a mailbox has for all its members and for each of
    them, `annotation_size` the octets of one; `comment` and `admin` (a URI) are the server's own (RFC 5464).
    """

    hostname: str
    implicit_tls: bool = False
    max_append: int = 50 * 1024 * 1024
    deadlines: ImapDeadlines = field(default_factory=ImapDeadlines)
    message_limit: int = 1_000_000
    annotations: int = 100
    annotation_size: int = 16 * 1024
    comment: str = ""
    admin: str = ""
    progress: float = 5.0
