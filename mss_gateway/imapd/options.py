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
    """One IMAP door. `max_append` is in octets."""

    hostname: str
    implicit_tls: bool = False
    max_append: int = 50 * 1024 * 1024
    deadlines: ImapDeadlines = field(default_factory=ImapDeadlines)
