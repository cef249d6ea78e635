"""The SMTP envelope as a value (RFC 5321, RFC 3461)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .address import Address


class BodyType(Enum):
    """What the sender declared of the content (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


class Notify(Enum):
    """When a sender wants a delivery report (RFC 3461 section 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: the address, and what RFC 3461 lets the sender ask for it.

    `notify` empty means that the sender said nothing (then FAILURE is the default);
    `orcpt` is the original recipient as sent, `addr-type;xtext-decoded`.
    """

    address: Address
    notify: frozenset[Notify] = frozenset()
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail transaction. `sender` None is the null sender `<>`; `ret` is FULL, HDRS or None."""

    sender: Address | None
    recipients: tuple[Recipient, ...] = ()
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    size: int | None = None
    ret: str | None = None
    envid: str | None = None
