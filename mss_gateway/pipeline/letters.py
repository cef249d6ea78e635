"""What the gateway writes itself: reports, notices, the `[FIN]` of an automatic closing (step 10; RCP-6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from mss_gateway.base.ids import message_id
from mss_gateway.mail.compose import Letterhead, notice
from mss_gateway.mail.dsn import Action, OriginalMessage, RecipientStatus, build_dsn
from mss_gateway.mail.envelope import Recipient
from mss_gateway.mail.trace import return_path
from mss_gateway.ports.records import Exchange, OutboxEntry, Part, Placement
from mss_gateway.rules import texts
from mss_gateway.rules.actions import EndExchange, SayClosed
from mss_gateway.rules.channel import END_SUBJECT
from mss_gateway.rules.exchange import CLOSED_FLAGS, EXCHANGES, SHARED_TYPES, box_name
from mss_gateway.rules.facts import Party, Place
from mss_gateway.rules.recipients import GONE

from .bodies import prepare_body
from .spool import header_size


def local_offset(at: float) -> int:
    """Minutes east of UTC of the local zone at that moment; reports are dated as people's clocks are."""
    return (time.localtime(at).tm_gmtoff or 0) // 60


@dataclass(frozen=True, slots=True)
class Stationery:
    """What every delivery is written with: our name, the key of patients' marks, threads, new ids, the zone."""

    hostname: str
    correlation_key: bytes
    executor: Executor
    new_id: Callable[[], str]
    offset: Callable[[float], int] = local_offset

    def letterhead(
        self,
        recipient: str,
        subject: str,
        at: float,
        original_id: str | None = None,
        original_references: str = "",
    ) -> Letterhead:
        """The head of an automatic mail in the gateway's own name."""
        unique = self.new_id()
        return Letterhead(
            sender=f"postmaster@{self.hostname}",
            sender_name=texts.SERVICE_NAME,
            recipient=recipient,
            subject=subject,
            at=at,
            message_id=message_id(unique, self.hostname),
            boundary=f"=_{unique}",
            original_id=original_id,
            original_references=original_references,
            offset=self.offset(at),
        )


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a letter answers: when, and the Message-ID of the message that caused it."""

    at: float
    message_id: str | None = None


def untold(to: Party) -> str:
    """Why nobody can be told there any more: a slug of `rules.meanings.WITHHELD_REASONS`, empty when somebody can."""
    if to.box is not None:
        return "sender-gone" if to.box.state in GONE else ""
    if to.place in (Place.TRUSTED, Place.PATIENT_REMOTE):
        return ""
    return "sender-outside" if to.place is Place.OUTSIDE else "sender-gone"


async def report_part(octets: bytes, to: Party, at: float, stationery: Stationery) -> Part:
    """A report to a sender, here or through the queue, always with the null return path (RCP-6)."""
    box = to.box.id if to.box is not None else None
    placements = (Placement(box),) if box is not None else ()
    outbox = () if box is not None else (OutboxEntry("", Recipient(to.address)),)
    return await _part(octets, "", at, stationery, placements, outbox)


async def _part(
    octets: bytes,
    sender: str,
    at: float,
    stationery: Stationery,
    placements: Iterable[Placement],
    outbox: Iterable[OutboxEntry] = (),
    exchanges: Iterable[Exchange] = (),
    alerts: Iterable[int] = (),
) -> Part:
    octets = return_path(sender) + octets
    size = header_size(octets)
    body = await prepare_body(octets[:size], octets[size:], stationery.executor)
    return Part(
        body,
        at,
        placements=tuple(placements),
        outbox=tuple(outbox),
        exchanges=tuple(exchanges),
        alerts=tuple(alerts),
    )


async def near_miss(to: Party, occasion: Occasion, stationery: Stationery) -> Part:
    """CHN-5: the exchange was not ended, and how to end it."""
    head = stationery.letterhead(str(to.address), texts.NEAR_MISS_SUBJECT, occasion.at, occasion.message_id)
    return await report_part(notice(head, texts.NEAR_MISS), to, occasion.at, stationery)


async def closing(say: SayClosed, patient: str, occasion: Occasion, stationery: Stationery) -> Part:
    """CHN-10: the service message in the patient's mailbox."""
    head = stationery.letterhead(patient, texts.CLOSED_SUBJECT, occasion.at, occasion.message_id)
    octets = notice(head, texts.CLOSED_NOTICE.format(name=say.name))
    place = Placement(say.box_id, flags=CLOSED_FLAGS)
    return await _part(
        octets, "", occasion.at, stationery, (place,), exchanges=(Exchange(say.patient, say.bal),)
    )


async def end_exchange(end: EndExchange, occasion: Occasion, stationery: Stationery) -> list[Part]:
    """CHN-8: the `[FIN]` message on behalf of the BAL, and in a mailbox of ours the service message (CHN-10)."""
    sender, patient = str(end.box.address), str(end.patient)
    unique = stationery.new_id()
    head = Letterhead(
        sender=sender,
        sender_name=end.box.display,
        recipient=patient,
        subject=END_SUBJECT,
        at=occasion.at,
        message_id=message_id(unique, stationery.hostname),
        boundary=f"=_{unique}",
        original_id=occasion.message_id,
        offset=stationery.offset(occasion.at),
    )
    elsewhere = tuple(bal for bal in end.bals if bal != end.box.address.key)
    octets = notice(head, texts.AUTO_END, reply_to=elsewhere, kind="auto-generated")
    placements = []
    if end.box.exchange_folder:
        shared = end.box.type in SHARED_TYPES
        placements.append(Placement(end.box.id, EXCHANGES, frozenset() if shared else frozenset({"\\Seen"})))
    outbox = []
    if end.patient_box is not None:
        placements.append(Placement(end.patient_box, flags=CLOSED_FLAGS))
    else:
        outbox.append(OutboxEntry(sender, Recipient(end.patient), ordered=True))
    exchanges = [Exchange(end.patient.key, bal) for bal in end.bals]
    alerts = [end.patient_box] if end.alert and end.patient_box is not None else []
    parts = [await _part(octets, sender, occasion.at, stationery, placements, outbox, exchanges, alerts)]
    if end.patient_box is not None:
        for bal in end.bals:
            say = SayClosed(end.patient_box, end.patient.key, bal, box_name(end.box))
            parts.append(await closing(say, patient, Occasion(occasion.at, head.message_id), stationery))
    return parts


@dataclass(frozen=True, slots=True)
class Told:
    """What a delivery report says: the subject and sentence that people read, and the recipients' fates."""

    subject: str
    human: str
    recipients: tuple[RecipientStatus, ...]


async def delivery_report(
    told: Told, to: Party, original: OriginalMessage, occasion: Occasion, stationery: Stationery
) -> Part:
    """RCP-1: a DSN with its French human part."""
    head = stationery.letterhead(str(to.address), told.subject, occasion.at, occasion.message_id)
    octets = build_dsn(head, told.human, stationery.hostname, told.recipients, original)
    return await report_part(octets, to, occasion.at, stationery)


def failed(recipient: Recipient, status: str) -> RecipientStatus:
    """A recipient that is not reached."""
    return RecipientStatus(str(recipient.address), Action.FAILED, status, orcpt=recipient.orcpt)


def delivered(recipient: Recipient) -> RecipientStatus:
    """A recipient whose mailbox here holds the message."""
    return RecipientStatus(str(recipient.address), Action.DELIVERED, "2.0.0", orcpt=recipient.orcpt)
