"""What follows from an acceptance, as values; the pipeline carries them out in one transaction (RTE-4)."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.mail.address import Address

from .facts import Box, ChannelState


@dataclass(frozen=True, slots=True)
class Deliver:
    """A row in a mailbox of ours (RTE-1)."""

    box_id: int
    folder: str = "INBOX"
    flags: frozenset[str] = frozenset()


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
    name: str = ""  # the professional's, as the patient knows it


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


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A copy of what a BAL sent to a patient, in its folder of exchanges (IMP-2)."""

    box_id: int
    folder: str
    shared: bool


@dataclass(frozen=True, slots=True)
class InExchange:
    """The message belongs to the exchange of this patient with this BAL; keys of addresses (CHN-10)."""

    patient: str
    bal: str


@dataclass(frozen=True, slots=True)
class WarnNearMiss:
    """The sender meant to end the exchange and did not: one automatic notice (CHN-5)."""

    patient: Address


@dataclass(frozen=True, slots=True)
class SayClosed:
    """The service message in the patient's mailbox that an exchange has been ended (CHN-10)."""

    box_id: int
    patient: str
    bal: str
    name: str


@dataclass(frozen=True, slots=True)
class EndExchange:
    """The gateway ends the exchange on behalf of the BAL: a `[FIN]` message from `box` to the patient (CHN-8).

    `bals` are the keys of the mailboxes that could be answered; `patient_box` is the patient's box when it is ours.
    """

    patient: Address
    box: Box
    bals: tuple[str, ...]
    cause: str
    patient_box: int | None = None
    alert: bool = False


@dataclass(frozen=True, slots=True)
class AlertPatient:
    """The patient is told outside that something has arrived (PAT-3)."""

    box_id: int


Action = (
    Deliver
    | Relay
    | SetChannel
    | GuardChannel
    | AddHeader
    | Bounce
    | Discard
    | OweReceipt
    | FileCopy
    | InExchange
    | WarnNearMiss
    | SayClosed
    | EndExchange
    | AlertPatient
)
"""Anything that an acceptance may bring."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Yes, and what follows. At MAIL and RCPT nothing follows yet; `warnings` are slugs for log and timeline."""

    actions: tuple[Action, ...] = ()
    warnings: tuple[str, ...] = ()
