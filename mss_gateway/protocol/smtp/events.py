"""What the server core tells its skin: one frozen record for each thing that a client did (RFC 5321)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mss_gateway.mail.address import Address
from mss_gateway.mail.envelope import BodyType, Envelope, Recipient

from .reply import Reply


class Signal(Enum):
    """What `next_event` returns when there is no event."""

    NEED_DATA = "need-data"
    CLOSED = "closed"


NEED_DATA: Final = Signal.NEED_DATA
"""Input has run dry: flush `data_to_send()`, then read the socket."""

CLOSED: Final = Signal.CLOSED
"""The dialog is over: flush `data_to_send()`, drop any unfinished message, close the connection."""


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO (`extended`) or HELO. Waits for an answer; any transaction under way is gone."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS (RFC 3207). Waits for an answer; after `accept()` flush, shake hands, `tls_started()`."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH (RFC 4954), mechanism in upper case, initial response decoded. Waits for an answer.

    `initial` None means that none came: send the first challenge, empty for PLAIN.
    """

    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        return f"Auth(mechanism={self.mechanism!r}, initial=***)"


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The client's decoded answer to a challenge. Waits for an answer."""

    data: bytes

    def __repr__(self) -> str:
        return "AuthResponse(data=***)"


@dataclass(frozen=True, slots=True)
class AuthCancelled:
    """The client gave the exchange up (`*`) or its answer was not base64; already answered 501."""


@dataclass(frozen=True, slots=True)
class MailFrom:
    """MAIL: a transaction begins. Waits for an answer. `sender` None is the null sender.

    `auth` is the AUTH parameter of RFC 4954 section 5, xtext decoded; `<>` when nobody vouches.
    """

    sender: Address | None
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    size: int | None = None
    ret: str | None = None
    envid: str | None = None
    auth: str | None = None

    def envelope(self, recipients: tuple[Recipient, ...]) -> Envelope:
        """Return the envelope of this transaction with the recipients that were accepted."""
        return Envelope(self.sender, recipients, self.body, self.smtputf8, self.size, self.ret, self.envid)


@dataclass(frozen=True, slots=True)
class RcptTo:
    """RCPT: one more recipient. Waits for an answer; 2xx makes it part of the transaction."""

    recipient: Recipient


@dataclass(frozen=True, slots=True)
class DataStart:
    """DATA, or the first BDAT (`chunking`). Waits for an answer: `accept()` opens the content.

    A refused BDAT is swallowed octet by octet and then answered with the refusal (RFC 3030).
    """

    chunking: bool = False


@dataclass(frozen=True, slots=True)
class DataChunk:
    """A piece of content, dot-unstuffed, of any size, cut anywhere. Needs no answer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DataEnd:
    """The content is whole; `size` in octets. Waits for the answer that tells who now owns the message."""

    size: int


@dataclass(frozen=True, slots=True)
class DataDropped:
    """The content came to its end but is refused, and the core has answered `reply`: drop the spool."""

    reply: Reply
    reason: str


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET ended a transaction; already answered 250."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT; already answered 221. `CLOSED` follows."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that the core refused by itself and has answered; for logs and statistics only.

    `verb` is a verb of the table or `?`; `reason` is a stable slug. Neither holds what the peer sent.
    """

    verb: str
    reply: Reply
    reason: str


Event = (
    Hello
    | StartTls
    | Auth
    | AuthResponse
    | AuthCancelled
    | MailFrom
    | RcptTo
    | DataStart
    | DataChunk
    | DataEnd
    | DataDropped
    | Reset
    | Quit
    | Refused
)
"""Everything that `SmtpServer.next_event` can return, besides `NEED_DATA` and `CLOSED`."""
