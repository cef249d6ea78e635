"""The decision table. `decide` serves the daemon, `explain` and the tests alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mss_gateway.base.errors import Refuse

from . import bounces, channel, contents, exchange, loops, receipts, recipients, senders
from .actions import Accept, Action, Deliver, Relay
from .facts import Facts, Place

Rule = Callable[[Facts], Refuse | None]
"""One rule: None lets pass. It reads the facts and nothing else."""

SENDER_RULES: tuple[Rule, ...] = (
    senders.null_sender,  # TRU-7
    senders.operator_sender,  # BAL-7, TRU-4
    senders.submission_sender,  # BAL-6, CHN-7
    senders.delegation_time,  # BAL-6
    senders.sender_state,  # BAL-5
)
"""Asked at MAIL FROM, at RCPT TO and at the end of data."""

RECIPIENT_RULES: tuple[Rule, ...] = (
    recipients.outside,  # RTE-3, CHN-7
    recipients.relay_denied,  # RTE-3
    recipients.patient_to_patient,  # CHN-7
    recipients.patient_address,  # INS-1, INS-2, INS-3
    recipients.identity_qualified,  # INS-5
    recipients.box_exists,  # RTE-1
    recipients.box_open,  # RTE-1, BAL-5
    recipients.patient_box_open,  # PAT-2 (reject)
    recipients.box_has_room,  # BAL-9
    channel.patient_answer,  # CHN-6
)
"""Asked at RCPT TO and at the end of data."""

MESSAGE_RULES: tuple[Rule, ...] = (
    loops.received_count,  # RTE-6
    senders.null_sender_shape,  # TRU-7
    senders.header_from,  # BAL-6
    senders.delegate_named,  # BAL-6
    senders.header_from_operator,  # BAL-7
    senders.header_from_patient,  # CHN-7
    senders.reply_to,  # BAL-6
    senders.reply_to_patient,  # CHN-7
    senders.repeated_fields,  # CHN-1, CHN-3, CHN-4
    contents.reply_to_many,  # CHN-1, CHN-8
    contents.reply_to_unfit,  # BAL-8, CHN-1
    contents.patient_size,  # PAT-5
    contents.patient_attachments,  # PAT-5
    contents.archive,  # INS-6
)
"""Asked at the end of data, once for each recipient; the first refusal refuses the message (RTE-5)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule said, for `explain` (OPS-3)."""

    rule: str
    ids: str
    refuse: Refuse | None


def rules_for(facts: Facts) -> tuple[Rule, ...]:
    """The rules that this moment asks, in order."""
    rules = SENDER_RULES
    if facts.recipient is not None:
        rules += RECIPIENT_RULES
    if facts.message is not None:
        rules += MESSAGE_RULES
    return rules


def decide(facts: Facts) -> Accept | Refuse:
    """Refuse with the first rule that says no; else accept with what follows. Total and stable."""
    for rule in rules_for(facts):
        refuse = rule(facts)
        if refuse is not None:
            return refuse
    return Accept(tuple(_consequences(facts)), tuple(_warnings(facts)))


def refusing_rule(facts: Facts) -> str:
    """The name of the rule that refuses, empty when none does: two rules may say the same reason."""
    return next((_name(rule) for rule in rules_for(facts) if rule(facts) is not None), "")


def _name(rule: Rule) -> str:
    return rule.__name__.replace("_", "-")


def verdicts(facts: Facts) -> list[Verdict]:
    """Every rule's own answer, those after a refusal included."""
    return [
        Verdict(_name(rule), (rule.__doc__ or "").partition(":")[0], rule(facts)) for rule in rules_for(facts)
    ]


def _warnings(facts: Facts) -> Iterator[str]:
    """What passes by a setting and is told all the same (INS-2, INS-5, INS-6)."""
    if facts.recipient is None or facts.message is None:
        return
    if recipients.key_doubtful(facts):
        yield "ins-key"
    if facts.house.require_qualified == "warn" and recipients.identity_doubtful(facts):
        yield "identity-unknown" if facts.identity is None else "identity-not-qualified"
    if receipts.asked_in_vain(facts):
        yield "receipt-third-party"
    if facts.house.archive_gate == "warn":
        problem = contents.archive_problem(facts)
        if problem is not None:
            yield problem


def _consequences(facts: Facts) -> Iterator[Action]:
    if facts.recipient is None or facts.message is None:
        return
    closed = bounces.closed_patient(facts)
    if closed is not None:
        yield closed
        return
    if facts.recipient.place in (Place.HOSTED, Place.PATIENT_HOSTED):
        assert facts.recipient.box is not None  # box_exists and closed_patient let nothing else pass
        yield Deliver(facts.recipient.box.id, exchange.folder_of(facts), exchange.flags_of(facts))
    else:
        yield Relay(facts.recipient.address.domain)
    yield from channel.added_headers(facts)
    yield from senders.added_sender(facts)
    yield from channel.consequences(facts)
    yield from exchange.consequences(facts)
    receipt = receipts.owed(facts)
    if receipt is not None:
        yield receipt


__all__ = [
    "MESSAGE_RULES",
    "RECIPIENT_RULES",
    "SENDER_RULES",
    "Accept",
    "Rule",
    "Verdict",
    "decide",
    "refusing_rule",
    "verdicts",
]
