"""The lines of the timeline that come with a delivery (AUD-2): no content, no subject, no whole INS (INS-7)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from mss_gateway.base.errors import InvalidValue, Refuse
from mss_gateway.mail.reports import ReportKind, ReportReading
from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.actions import SetChannel
from mss_gateway.rules.facts import Party, Place
from mss_gateway.rules.ins import correlation, mask_text, parse_ins
from mss_gateway.rules.policy import refusing_rule
from mss_gateway.rules.routing import Route
from mss_gateway.rules.senders import PATIENT_PLACES

from .transaction import Transaction

REPORT_EVENTS = {
    ReportKind.MDN: "mdn-received",
    ReportKind.DSN: "dsn-received",
    ReportKind.PATIENT_CLOSED: "patient-closed-received",
    ReportKind.INTEGRATION_ERROR: "integration-error",
    ReportKind.INTEGRATION_OK: "integration-ok",
}
"""What a report that comes in is called on the timeline of the message reported on (RCP-5)."""


DISPOSITIONS = frozenset({"displayed", "deleted", "dispatched", "processed", "denied", "failed"})
"""What an MDN can say of a message (RFC 8098 section 3.2.6, RFC 3798)."""

ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
"""What a DSN can say of a recipient (RFC 3464 section 2.3.3)."""


def _known(word: str, words: frozenset[str]) -> str:
    """A word of the standard; any other is somebody's own, and stays in the message (AUD-5)."""
    return word if word in words else "other"


def patient_mark(address: str, key: bytes) -> str:
    """What stands for this patient in every trace line; empty for an address that is no INS (INS-7)."""
    try:
        return correlation(parse_ins(address.partition("@")[0]), key)
    except InvalidValue:
        return ""


def patient_detail(address: str, key: bytes) -> dict[str, str | int]:
    """The masked address of a patient with the mark; of anybody else the address alone."""
    return dict(_patient_detail(address, key))


@lru_cache(maxsize=4096)
def _patient_detail(address: str, key: bytes) -> tuple[tuple[str, str], ...]:
    mark = patient_mark(address, key)
    masked = mask_text(address)
    return (("patient", masked), ("mark", mark)) if mark else (("recipient", masked),)


_masked = lru_cache(maxsize=4096)(mask_text)  # of callers, who write again and again


def lines_of(
    transaction: Transaction, plan: Route, message_id: str | None, size: int, at: float, key: bytes
) -> list[TraceLine]:
    """One line for the message, and one for each thing that ops look for by itself."""
    box_id = plan.local[0].box_id if plan.local else None
    actor = _masked(transaction.caller.name)

    def line(event: str, **detail: str | int) -> TraceLine:
        return TraceLine(
            at=at,
            event=event,
            transaction=transaction.id,
            message_id=message_id,
            box_id=box_id,
            actor=actor,
            detail=detail,
        )

    queued = sum(len(recipients) for recipients in plan.relay.values())
    lines = [
        line(
            "accepted",
            peer=transaction.session.host,
            size=size,
            placed=len(plan.local),
            filed=len(plan.copies),
            queued=queued,
            **_parties(transaction, key),
            **({"channel": plan.channels[-1].state.value} if plan.channels else {}),
        )
    ]
    lines += [line("warned", reason=reason) for reason in plan.warnings]
    for bounce in plan.bounces:
        lines.append(line("bounced", kind=bounce.kind, **patient_detail(str(bounce.recipient), key)))
    lines += [line("discarded", reason=discard.reason) for discard in plan.discards]
    lines += [line("notice-sent", kind="near-miss") for _ in plan.near_misses]
    for end in plan.ends:
        who = patient_detail(str(end.patient), key)
        lines += [line("auto-closed", cause=end.cause, bal=bal, **who) for bal in end.bals]
    return lines


_mark = lru_cache(maxsize=4096)(patient_mark)

MARKS = 20
"""Patients of one message whose marks its line holds: indicators count each patient once."""


def _parties(transaction: Transaction, key: bytes) -> dict[str, str | int]:
    """The kinds of correspondents of a message, the mailbox here that it comes from, its patients (AUD-3)."""
    sender = transaction.sender
    found: dict[str, str | int] = {"sender": kind_of(sender)}
    if sender is not None and sender.box is not None and transaction.caller.boxes:
        found["sender_box"] = sender.box.id
    kinds: dict[str, int] = {}
    marks: list[str] = []
    for _, party in transaction.recipients:
        kind = kind_of(party)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kind == "patient" and len(marks) < MARKS and (mark := _mark(party.address.key, key)):
            marks.append(mark)
    found["recipients"] = " ".join(f"{kind}:{count}" for kind, count in kinds.items())
    if marks:
        found["marks"] = " ".join(marks)
    return found


def kind_of(party: Party | None) -> str:
    """The kind of a correspondent: the type of a mailbox here, `patient`, `operator`, `outside`, or `report`."""
    if party is None:
        return "report"
    if party.place in PATIENT_PLACES:
        return "patient"
    if party.box is not None:
        return party.box.type.value
    return "operator" if party.place is Place.TRUSTED else "outside"


def channel_line(
    transaction: Transaction, change: SetChannel, message_id: str | None, at: float, key: bytes
) -> TraceLine:
    """Told when the state of the channel really changes."""
    return TraceLine(
        at=at,
        event=f"channel-{change.state.value}",
        transaction=transaction.id,
        message_id=message_id,
        actor=_masked(transaction.caller.name),
        detail={"cause": change.cause, "bal": change.bal, **patient_detail(change.patient, key)},
    )


def report_lines(
    report: ReportReading, transaction: Transaction, own_id: str | None, at: float
) -> Iterator[TraceLine]:
    """RCP-5: what a report says, on the timeline of each message that it reports on."""
    detail: dict[str, str | int] = {"report": own_id or ""}
    if report.disposition is not None:
        detail["disposition"] = _known(report.disposition.type, DISPOSITIONS)
    if report.code:
        detail["code"] = report.code  # the label is somebody's own words: it stays in the message
    for recipient in report.recipients[:1]:
        detail["recipient"] = mask_text(recipient.original or recipient.address)
        if recipient.action:
            detail |= {"action": _known(recipient.action, ACTIONS), "status": recipient.status}
    if report.closed_address:
        detail["recipient"] = mask_text(report.closed_address)
    detail = {name: value for name, value in detail.items() if value != ""}
    for original in report.originals:
        yield TraceLine(
            at=at,
            event=REPORT_EVENTS[report.kind],
            transaction=transaction.id,
            message_id=original,
            actor=_masked(transaction.caller.name),
            detail=detail,
        )


def refusal_line(
    transaction: Transaction | None, host: str, refuse: Refuse | str, at: float, key: bytes
) -> TraceLine:
    """What was refused: the reason, the reply, the rule that said so, and whom the message was for."""
    detail: dict[str, str | int] = {
        "reason": refuse if isinstance(refuse, str) else refuse.reason,
        "peer": host,
    }
    if isinstance(refuse, Refuse):
        detail["code"] = f"{refuse.code} {refuse.enhanced}"
    facts = transaction.refused if transaction is not None else None
    message_id = box_id = None
    if facts is not None:
        detail["rule"] = refusing_rule(facts)
        message_id = facts.message.message_id if facts.message is not None else None
        if facts.recipient is not None:
            detail |= patient_detail(str(facts.recipient.address), key)
            box_id = facts.recipient.box.id if facts.recipient.box is not None else None
    return TraceLine(
        at=at,
        event="refused",
        transaction=transaction.id if transaction else "",
        message_id=message_id,
        box_id=box_id,
        actor=_masked(transaction.caller.name) if transaction else host,
        detail={name: value for name, value in detail.items() if value != ""},
    )
