"""What of a wish the server's extensions allow: parameters left out, or a permanent no (RFC 1870, 3030, 6152, 6531)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mss_gateway.mail.address import Address
from mss_gateway.mail.envelope import BodyType, Recipient

from .client_replies import Capabilities
from .events import MailFrom


@dataclass(frozen=True, slots=True)
class Wish:
    """One message as we would like to send it; `eight_bit`, `binary` and `utf8_header` tell of its content.

    `utf8_header` means that the header block holds octets outside ASCII which are valid UTF-8 (RFC 6532).
    """

    sender: Address | None
    recipients: tuple[Recipient, ...]
    size: int
    ret: str | None = None
    envid: str | None = None
    eight_bit: bool = True
    binary: bool = False
    utf8_header: bool = False


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why this server can never take it: RFC 3463 status, a sentence and a stable slug."""

    status: str
    public: str
    reason: str


NEEDS_SMTPUTF8 = Unfit("5.6.7", "the peer does not take addresses outside ASCII", "peer-needs-smtputf8")
"""The outcome that RFC 6531 section 3.5 asks for."""
TOO_LARGE = Unfit("5.3.4", "the message is larger than the peer takes", "too-large-for-peer")
"""RFC 1870 section 6.1: the server said its largest size."""
NEEDS_8BIT = Unfit("5.6.3", "the peer does not take octets outside ASCII", "peer-needs-8bitmime")
"""RFC 6152 section 3: to convert would change the octets (RTE-7), so that only a refusal is left."""
NEEDS_BINARY = Unfit(
    "5.6.1", "the message holds a bare CR or LF, or a NUL, that the peer does not take", "bare-line-end"
)
"""RFC 3030 section 3: never sent by DATA, where it could be read as the end of data."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The transaction that this server can take.

    `recipients` are written as they stand here; `places` are theirs in the wish, where a missing one is a recipient
    that this server cannot take, as `unfit` says. `size` is that of the content, in octets.
    """

    mail: MailFrom
    recipients: tuple[Recipient, ...]
    places: tuple[int, ...]
    size: int
    chunking: bool = False
    unfit: Unfit = NEEDS_SMTPUTF8


def fit(wish: Wish, capabilities: Capabilities, *, use_chunking: bool = True) -> Fit | Unfit:
    """Choose the parameters for this server; DSN parameters go only to a server that promised DSN."""
    offers = capabilities.offers
    if capabilities.max_size is not None and wish.size > capabilities.max_size:
        return TOO_LARGE
    if wish.binary and not (offers("BINARYMIME") and offers("CHUNKING")):
        return NEEDS_BINARY
    if wish.eight_bit and not wish.binary and not offers("8BITMIME"):
        return NEEDS_8BIT
    utf8 = offers("SMTPUTF8")
    if wish.sender is not None and not wish.sender.is_ascii and not utf8:
        return NEEDS_SMTPUTF8
    places = tuple([at for at, one in enumerate(wish.recipients) if utf8 or one.address.is_ascii])
    if not places:
        return NEEDS_SMTPUTF8
    dsn = offers("DSN")
    chosen = [wish.recipients[at] for at in places]
    kept = tuple([_with_reports(one, utf8) if dsn else Recipient(one.address) for one in chosen])
    mail = MailFrom(
        wish.sender,
        _body(wish),
        utf8 and _asks_utf8(wish, kept),
        wish.size if offers("SIZE") else None,
        wish.ret if dsn else None,
        wish.envid if dsn and wish.envid else None,
    )
    chunking = wish.binary or (use_chunking and offers("CHUNKING"))
    return Fit(mail, kept, places, wish.size, chunking)


def _body(wish: Wish) -> BodyType:
    if wish.binary:
        return BodyType.BINARY
    return BodyType.EIGHT_BIT if wish.eight_bit else BodyType.SEVEN_BIT


def _with_reports(recipient: Recipient, utf8: bool) -> Recipient:
    """An ORCPT outside ASCII cannot be written without SMTPUTF8 (RFC 6533 section 3)."""
    if utf8 or recipient.orcpt is None or recipient.orcpt.isascii():
        return recipient
    return replace(recipient, orcpt=None)


def _asks_utf8(wish: Wish, recipients: tuple[Recipient, ...]) -> bool:
    if wish.utf8_header or not (wish.sender is None or wish.sender.is_ascii):
        return True
    return not all(one.address.is_ascii and (one.orcpt or "").isascii() for one in recipients)
