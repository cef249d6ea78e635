"""What the outbound line needs of the arm that reaches other operators (TRU-5, QUE-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import Address
from mss_gateway.mail.envelope import Recipient

from .trust import PeerName

if TYPE_CHECKING:
    import ssl

ReadText = Callable[[int, int], Awaitable[bytes]]
"""Octets of a stored text: (offset, size); shorter at the end only."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One stored message on its way to recipients of one domain.

    `sender` None is the null sender; `header` holds the header block with its empty line; the text after it
    has `text_size` octets and is read in pieces. The octets are sent as they are (RTE-7).
    """

    domain: str
    sender: Address | None
    recipients: tuple[Recipient, ...]
    header: bytes
    text_size: int
    read_text: ReadText
    ret: str | None = None
    envid: str | None = None


class Fate(Enum):
    """What became of one recipient at this attempt."""

    SENT = "sent"  # the peer has taken it over with its 250
    TRY_LATER = "try-later"  # a temporary answer, or nobody could be asked
    FAILED = "failed"  # a permanent answer of the peer
    UNCERTAIN = "uncertain"  # the connection was lost between the end of data and the answer (QUE-1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one recipient, with what an operator and a DSN want to know of it.

    `recipient` is the one of the letter; `reason` a stable slug (`sent`, `no-mx`, `null-mx`, `mail-loop`,
    `dns-failure`, `connect-refused`, `connect-timeout`, `no-starttls`, `starttls-refused`, `tls-failure`, a slug of
    `trust.refusals`, `dn-not-listed`, `peer-temporary`, `peer-refused`, `peer-needs-smtputf8`, `peer-needs-8bitmime`,
    `too-large-for-peer`, `bare-line-end`, `peer-distrusts-us`, `peer-broke-protocol`, `lost-after-data`, `lost`,
    `timeout`, `letter-incomplete`); `text` is the peer's reply in one line or our own sentence, INS masked;
    `status` an RFC 3463 code; `remote_mta` the host reached; `relays_dsn` tells that the peer promised RFC 3461.
    """

    recipient: Recipient
    fate: Fate
    reason: str
    text: str = ""
    status: str = ""
    remote_mta: str = ""
    relays_dsn: bool = False


class PeerCheck(Protocol):
    """What the courier asks about the server it has reached (TRU-4, TRU-5)."""

    @property
    def generation(self) -> int:
        """Grows with every change of authorities, CRLs or list."""

    def outbound_context(self) -> ssl.SSLContext:
        """The client context with our certificate; ask again for every connection."""

    async def ask_status(self, der: bytes) -> bool:
        """Have the responder asked about a certificate before it is judged; True when that changes the judgement."""

    def identify_server(self, der: bytes) -> PeerName | Refuse:
        """Whom a server's certificate (DER) speaks for, checked by what is in force now."""

    def lists(self, domain: str, dn_key: str) -> bool:
        """True when the domain (lower-case A-label form) lists this DN."""

    def explain_handshake(self, error: BaseException) -> tuple[str, str]:
        """The slug and the sentence behind a failed TLS handshake."""


class Courier(Protocol):
    """Carries a letter to another operator over mutual TLS, never otherwise (TRU-5)."""

    async def deliver(self, letter: Letter) -> tuple[Outcome, ...]:
        """One attempt; one outcome for each recipient, in their order. Never raises for what a peer does."""

    async def close(self) -> None:
        """End the connections kept for reuse."""
