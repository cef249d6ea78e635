"""What the client core tells its skin: one frozen record for each thing that a server answered (RFC 5321)."""

from __future__ import annotations

from dataclasses import dataclass

from .client_replies import Capabilities
from .reply import Reply


@dataclass(frozen=True, slots=True)
class Ready:
    """EHLO was answered: `start_tls`, `begin` or `quit` may follow."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class HandshakeDue:
    """STARTTLS was answered 220: shake hands now, then `tls_started` (RFC 3207)."""


@dataclass(frozen=True, slots=True)
class Unwelcome:
    """A negative answer to the greeting (`""`), EHLO or STARTTLS; nothing but `quit` makes sense now."""

    verb: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class SenderAnswered:
    """The answer to MAIL; when negative, no recipient can be accepted."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class RecipientAnswered:
    """The answer to one RCPT; `index` counts from 0 in `Fit.recipients`."""

    index: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class ContentWanted:
    """At least one recipient was accepted: `send_content`, then `end_content`."""


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """A negative answer to DATA although recipients were accepted; the transaction is over."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class MessageAnswered:
    """The answer to the message. `early` when it came, negative, before the content was whole: close then."""

    reply: Reply
    early: bool = False


@dataclass(frozen=True, slots=True)
class NothingAccepted:
    """The transaction is over without content: no recipient was accepted."""


@dataclass(frozen=True, slots=True)
class PeerCloses:
    """421, which may come at any time (RFC 5321 section 3.8); `CLOSED` follows."""

    reply: Reply


ClientEvent = (
    Ready
    | HandshakeDue
    | Unwelcome
    | SenderAnswered
    | RecipientAnswered
    | ContentWanted
    | ContentRefused
    | MessageAnswered
    | NothingAccepted
    | PeerCloses
)
"""Everything that `SmtpClient.next_event` can return, besides `NEED_DATA` and `CLOSED`."""
