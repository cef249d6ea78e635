"""From decisions to one `Delivery`: trace headers, copies, queue rows, channels, reports (steps 6, 7 and 10)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from mss_gateway.base.errors import InvalidValue
from mss_gateway.base.ids import message_id
from mss_gateway.mail.compose import Letterhead, fold
from mss_gateway.mail.dsn import Action, OriginalMessage, RecipientStatus, build_dsn
from mss_gateway.mail.envelope import Recipient
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
    OutboxEntry,
    Part,
    Placement,
    Receipt,
    TraceLine,
)
from mss_gateway.rules import texts
from mss_gateway.rules.actions import Accept, Bounce
from mss_gateway.rules.facts import MessageFacts
from mss_gateway.rules.ins import correlation, mask_text, parse_ins
from mss_gateway.rules.routing import Route, route

from .bodies import prepare_body
from .spool import Spooled, header_size
from .transaction import Transaction


@dataclass(frozen=True, slots=True)
class Draft:
    """One message with the decisions made on it. `now` is in epoch seconds."""

    transaction: Transaction
    spooled: Spooled
    facts: MessageFacts
    decided: tuple[tuple[Recipient, Accept], ...]
    now: float


@dataclass(frozen=True, slots=True)
class Stationery:
    """What every delivery is written with: our name, the key of patients' marks, threads, new ids."""

    hostname: str
    correlation_key: bytes
    executor: Executor
    new_id: Callable[[], str]


async def build(draft: Draft, stationery: Stationery) -> Delivery:
    """Everything that the commit of this message holds (RTE-4)."""
    plan = route(draft.decided)
    parts = []
    if plan.local or plan.relay:
        parts.append(await _message(draft, plan, stationery))
    for bounce in plan.bounces:
        report = await _report(draft, bounce, stationery)
        if report is not None:
            parts.append(report)
    return Delivery(
        parts=tuple(parts),
        channels=tuple(ChannelChange(c.patient, c.bal, c.state, c.cause) for c in plan.channels),
        guards=tuple(ChannelGuard(g.patient, g.bal, g.version) for g in plan.guards),
        trace=tuple(_trace(draft, plan, stationery.correlation_key)),
    )


async def _message(draft: Draft, plan: Route, stationery: Stationery) -> Part:
    envelope = draft.transaction.envelope
    header = _prefix(draft, plan, stationery.hostname) + draft.spooled.header
    body = await prepare_body(header, draft.spooled.text, stationery.executor)
    sender = str(envelope.sender) if envelope.sender else ""
    return Part(
        body=body,
        received_at=draft.now,
        placements=tuple(Placement(copy.box_id, copy.folder) for copy in plan.local),
        outbox=tuple(
            OutboxEntry(sender, recipient, envelope.ret, envelope.envid)
            for recipients in plan.relay.values()
            for recipient in recipients
        ),
        receipts=tuple(Receipt(owed.box_id, owed.notify) for owed in plan.receipts),
    )


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


async def _report(draft: Draft, bounce: Bounce, stationery: Stationery) -> Part | None:
    """The automatic mail of PAT-2: a null return path, to the sender, here or through the queue (RCP-6)."""
    sender = draft.transaction.sender
    if sender is None:
        return None
    envelope = draft.transaction.envelope
    hostname, unique = stationery.hostname, stationery.new_id()
    asked = next((r for r, _ in draft.decided if r.address.key == bounce.recipient.key), None)
    head = Letterhead(
        sender=f"postmaster@{hostname}",
        sender_name="Messagerie MSSanté",
        recipient=str(sender.address),
        subject=texts.BOUNCE_SUBJECT,
        at=draft.now,
        message_id=message_id(unique, hostname),
        boundary=f"=_{unique}",
        original_id=draft.facts.message_id,
    )
    status = RecipientStatus(
        str(bounce.recipient), Action.FAILED, "5.2.1", orcpt=asked.orcpt if asked else None
    )
    original = OriginalMessage(draft.spooled.header, envid=envelope.envid, arrived_at=draft.now)
    octets = build_dsn(head, bounce.text, hostname, (status,), original)
    octets = return_path("") + octets
    size = header_size(octets)
    body = await prepare_body(octets[:size], octets[size:], stationery.executor)
    if sender.box is not None:
        return Part(body, draft.now, placements=(Placement(sender.box.id),))
    return Part(body, draft.now, outbox=(OutboxEntry("", Recipient(sender.address)),))


def _trace(draft: Draft, plan: Route, key: bytes) -> list[TraceLine]:
    """One line for the message, and one for each thing that ops look for by itself (AUD-2)."""
    transaction = draft.transaction

    def line(event: str, **detail: str | int) -> TraceLine:
        return TraceLine(
            at=draft.now,
            event=event,
            transaction=transaction.id,
            message_id=draft.facts.message_id,
            box_id=plan.local[0].box_id if plan.local else None,
            actor=mask_text(transaction.caller.name),
            detail=detail,
        )

    lines = [
        line(
            "accepted",
            peer=transaction.session.host,
            size=draft.spooled.size,
            placed=len(plan.local),
            queued=sum(len(recipients) for recipients in plan.relay.values()),
        )
    ]
    lines += [
        line(
            f"channel-{change.state.value}",
            cause=change.cause,
            patient=mask_text(change.patient),
            mark=patient_mark(change.patient, key),
            bal=change.bal,
        )
        for change in plan.channels
    ]
    lines += [
        line(
            "bounced",
            kind=bounce.kind,
            recipient=mask_text(str(bounce.recipient)),
            mark=patient_mark(str(bounce.recipient), key),
        )
        for bounce in plan.bounces
    ]
    lines += [line("discarded", reason=discard.reason) for discard in plan.discards]
    return lines


def patient_mark(address: str, key: bytes) -> str:
    """What stands for this patient in every trace line; empty for an address that is no INS (INS-7)."""
    try:
        return correlation(parse_ins(address.partition("@")[0]), key)
    except InvalidValue:
        return ""
