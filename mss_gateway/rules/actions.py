"""What follows from an acceptance, as values; the pipeline carries them out in one transaction (RTE-4)."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.mail.address import Address

from .facts import ChannelState


@dataclass(frozen=True, slots=True)
class Deliver:
    """A row in a mailbox of ours (RTE-1)."""

    box_id: int
    folder: str = "INBOX"


@dataclass(frozen=True, slots=True)
class Relay:
    """A row in the outbox, towards another operator's domain (RTE-2, RTE-3)."""

    domain: str


@dataclass(frozen=True, slots=True)
class SetChannel:
    """The channel of this patient with this BAL becomes OPEN or CLOSED (CHN-2..4); keys of addresses."""

    patient: str
    bal: str
    state: ChannelState
    cause: str


@dataclass(frozen=True, slots=True)
class GuardChannel:
    """The decision rests on this version of the channel (CHN-9)."""

    patient: str
    bal: str
    version: int


@dataclass(frozen=True, slots=True)
class AddHeader:
    """A header field put in front of the message (BAL-8)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """An automatic mail to the sender in place of the delivery (PAT-2, RCP-6)."""

    kind: str
    recipient: Address
    text: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Neither delivered nor answered, only traced: a report that would cause a report (RTE-6, RCP-6)."""

    reason: str


@dataclass(frozen=True, slots=True)
class OweReceipt:
    """A read receipt is due when the patient opens the message (RCP-2)."""

    box_id: int
    notify: str


Action = Deliver | Relay | SetChannel | GuardChannel | AddHeader | Bounce | Discard | OweReceipt
"""Anything that an acceptance may bring."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Yes, and what follows. At MAIL and RCPT nothing follows yet."""

    actions: tuple[Action, ...] = ()
