"""From decisions to one `Delivery`: trace headers, copies, queue rows, channels, reports (steps 6, 7 and 10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mss_gateway.mail.compose import fold
from mss_gateway.mail.dsn import OriginalMessage, first_fields
from mss_gateway.mail.envelope import Notify, Recipient
from mss_gateway.mail.trace import (
    AuthResult,
    Reception,
    authentication_results,
    received,
    return_path,
)
from mss_gateway.ports.records import (
    ChannelChange,
    ChannelGuard,
    Delivery,
    Exchange,
    OutboxEntry,
    Part,
    Placement,
    Receipt,
    TraceLine,
)
from mss_gateway.rules import texts
from mss_gateway.rules.actions import Accept, Bounce, Deliver, FileCopy, SetChannel
from mss_gateway.rules.exchange import box_name
from mss_gateway.rules.facts import CallerKind, ChannelState, MessageFacts
from mss_gateway.rules.routing import Route, route

from .answering import answers_of
from .bodies import prepare_body
from .letters import (
    Occasion,
    Stationery,
    Told,
    closing,
    delivered,
    delivery_report,
    end_exchange,
    failed,
    near_miss,
)
from .reading import Reading
from .spool import Spooled
from .timeline import channel_line, lines_of, report_lines
from .transaction import Transaction

MOST_RETURNED = 256 * 1024
"""Octets of the original's header given back by all bounces of one message together: a thousand of them are one mail's
worth, not a thousand."""

LEAST_RETURNED = 2048
"""Octets of it that each of them may hold, however many there are."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One message with the decisions made on it. `now` is in epoch seconds."""

    transaction: Transaction
    spooled: Spooled
    reading: Reading
    decided: tuple[tuple[Recipient, Accept], ...]
    now: float

    @property
    def facts(self) -> MessageFacts:
        """The header as the rules see it."""
        return self.reading.facts

    @property
    def occasion(self) -> Occasion:
        """What letters of this delivery answer."""
        return Occasion(self.now, self.facts.message_id)


async def build(draft: Draft, stationery: Stationery) -> Delivery:
    """Everything that the commit of this message holds (RTE-4)."""
    plan = route(draft.decided)
    asked = {recipient.address.key: recipient for recipient, _ in draft.decided}
    parts: list[Part | None] = []
    if plan.local or plan.relay:
        parts.append(await _message(draft, plan, stationery))
    room = max(LEAST_RETURNED, MOST_RETURNED // max(1, len(plan.bounces)))
    for bounce in plan.bounces:
        parts.append(await _bounce(draft, bounce, asked, room, stationery))
    parts.append(await _delivered(draft, stationery))
    sender = draft.transaction.sender
    if plan.near_misses and sender is not None:
        parts.append(await near_miss(sender, draft.occasion, stationery))
    for say in plan.closings:
        written = asked.get(say.patient)
        patient = str(written.address) if written is not None else say.patient
        parts.append(await closing(say, patient, draft.occasion, stationery))
    for end in plan.ends:
        parts += await end_exchange(end, draft.occasion, stationery)
    channels = [_channel(draft, change, stationery.correlation_key) for change in plan.channels]
    channels += [
        ChannelChange(end.patient.key, bal, ChannelState.CLOSED, end.cause, box_name(end.box))
        for end in plan.ends
        for bal in end.bals
    ]
    return Delivery(
        parts=tuple(part for part in parts if part is not None),
        channels=tuple(channels),
        guards=tuple(ChannelGuard(g.patient, g.bal, g.version) for g in plan.guards),
        trace=tuple(_trace(draft, plan, stationery.correlation_key)),
        answers=answers_of(draft.transaction, draft.reading, draft.spooled.header),
    )


def _trace(draft: Draft, plan: Route, key: bytes) -> Iterator[TraceLine]:
    transaction, own_id = draft.transaction, draft.facts.message_id
    yield from lines_of(transaction, plan, own_id, draft.spooled.size, draft.now, key)
    if draft.reading.report is not None:
        yield from report_lines(draft.reading.report, transaction, own_id, draft.now)


def _channel(draft: Draft, change: SetChannel, key: bytes) -> ChannelChange:
    line = channel_line(draft.transaction, change, draft.facts.message_id, draft.now, key)
    return ChannelChange(change.patient, change.bal, change.state, change.cause, change.name, line)


async def _message(draft: Draft, plan: Route, stationery: Stationery) -> Part:
    envelope = draft.transaction.envelope
    header = _prefix(draft, plan, stationery.hostname) + draft.spooled.header
    body = await prepare_body(header, draft.spooled.text, stationery.executor, draft.reading.root)
    sender = str(envelope.sender) if envelope.sender else ""
    patients = {exchange.patient for exchange in plan.exchanges}
    return Part(
        body=body,
        received_at=draft.now,
        placements=(
            *(Placement(copy.box_id, copy.folder, copy.flags) for copy in plan.local),
            *(_filed(draft, copy) for copy in plan.copies),
        ),
        outbox=tuple(
            OutboxEntry(sender, recipient, envelope.ret, envelope.envid, recipient.address.key in patients)
            for recipients in plan.relay.values()
            for recipient in recipients
        ),
        receipts=tuple(
            Receipt(owed.box_id, owed.notify, str(recipient.address), recipient.orcpt)
            for owed, recipient in plan.receipts
        ),
        exchanges=tuple(Exchange(one.patient, one.bal) for one in plan.exchanges),
        alerts=tuple(alert.box_id for alert in plan.alerts),
    )


def _filed(draft: Draft, copy: FileCopy) -> Placement:
    """IMP-2: what one has written oneself is read; in a shared mailbox, by its author alone (BAL-3)."""
    if not copy.shared:
        return Placement(copy.box_id, copy.folder, frozenset({"\\Seen"}))
    caller = draft.transaction.caller
    author = int(caller.identity) if caller.kind is CallerKind.PERSON else None
    return Placement(copy.box_id, copy.folder, seen_by=author)


def _prefix(draft: Draft, plan: Route, hostname: str) -> bytes:
    """RTE-7: what stands in front of the received bytes."""
    transaction = draft.transaction
    session, caller, envelope = transaction.session, transaction.caller, transaction.envelope
    only = transaction.recipients[0][0].address if len(transaction.recipients) == 1 else None
    reception = Reception(
        helo=session.helo,
        peer_ip=session.host,
        by=hostname,
        id=transaction.id,
        at=draft.now,
        tls=session.tls_version,
        cipher=session.tls_cipher,
        auth=caller.auth,
        smtputf8=envelope.smtputf8,
        recipient=str(only) if only is not None else None,
    )
    verdict = AuthResult("auth", "pass", (("smtp.mailfrom", str(envelope.sender or "<>")),), caller.auth)
    return b"".join(
        (
            return_path(str(envelope.sender) if envelope.sender else ""),
            received(reception),
            authentication_results(hostname, (verdict,)),
            *(fold(header.name, header.value) for header in plan.headers),
        )
    )


async def _bounce(
    draft: Draft, bounce: Bounce, asked: Mapping[str, Recipient], room: int, stationery: Stationery
) -> Part | None:
    """PAT-2: the automatic mail of a closed patient mailbox, unless the sender wants none (RFC 3461).

    `room` is for the octets of the original's header.
    """
    recipient = asked.get(bounce.recipient.key) or Recipient(bounce.recipient)
    if draft.transaction.sender is None or recipient.notify == {Notify.NEVER}:
        return None
    told = Told(texts.BOUNCE_SUBJECT, bounce.text, (failed(recipient, "5.2.1"),))
    return await _dsn(draft, told, stationery, room)


async def _delivered(draft: Draft, stationery: Stationery) -> Part | None:
    """RCP-1: the report of success to who asked for it with NOTIFY=SUCCESS, for mailboxes that are here."""
    reached = tuple(
        delivered(recipient)
        for recipient, accept in draft.decided
        if Notify.SUCCESS in recipient.notify and any(isinstance(a, Deliver) for a in accept.actions)
    )
    if not reached or draft.transaction.sender is None or draft.facts.report is not None:
        return None
    names = ", ".join(status.final_recipient for status in reached)
    told = Told(texts.DELIVERED_SUBJECT, texts.DELIVERED.format(recipients=names), reached)
    return await _dsn(draft, told, stationery)


async def _dsn(draft: Draft, told: Told, stationery: Stationery, room: int = MOST_RETURNED) -> Part:
    envelope, sender = draft.transaction.envelope, draft.transaction.sender
    assert sender is not None
    original = OriginalMessage(
        first_fields(draft.spooled.header, room), envid=envelope.envid, arrived_at=draft.now
    )
    return await delivery_report(told, sender, original, draft.occasion, stationery)
