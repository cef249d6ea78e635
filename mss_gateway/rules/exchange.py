"""What a message does for the exchange beside the channel: filing, notices, closing by itself (CHN-5, 8, 10; IMP-2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .actions import Action, AlertPatient, EndExchange, FileCopy, InExchange, SayClosed, WarnNearMiss
from .bounces import may_report
from .channel import CLOSED_KEYWORD, END_SUBJECT, Mark, answering_bal, mark
from .facts import Box, BoxType, CallerKind, ChannelState, Facts, Party, Place
from .senders import PATIENT_PLACES, from_patient

EXCHANGES = "Echanges patient"
"""The folder of a BAL that holds both directions (IMP-2)."""

SHARED_TYPES = (BoxType.ORG, BoxType.CAB)
"""Boxes with several members, each with their own `\\Seen` (BAL-3)."""

CLOSED_FLAGS = frozenset({CLOSED_KEYWORD})
"""What a message that cannot be answered carries from the start in the patient's mailbox (CHN-10)."""

_PREFIX = re.compile(r"(?:re|r[ée]p|fwd?|tr|rv|aw|wg) ?(?:\[[0-9]{1,3}\])? ?[:：] ?", re.IGNORECASE)
_NOISE = re.compile(r"[\s\[\](){}<>«»\"'.,;:!?*_-]+")
_OPEN: frozenset[str] = frozenset()
_LOOKED_AT = 200  # characters of a subject that may be a missed end mark


def looks_like_end(subject: str) -> bool:
    """CHN-5: a subject that says FIN and nothing else, but is not the exact end mark."""
    if subject == END_SUBJECT or len(subject) > _LOOKED_AT:
        return False
    text = subject.strip()
    while prefix := _PREFIX.match(text):
        text = text[prefix.end() :]
    return _NOISE.sub("", text).casefold() == "fin"


def folder_of(facts: Facts) -> str:
    """IMP-2: patients' answers lie with the copies of what was sent to them; everything else in INBOX."""
    box = facts.recipient.box if facts.recipient is not None else None
    filed = box is not None and box.exchange_folder and box.type is not BoxType.PAT and from_patient(facts)
    return EXCHANGES if filed else "INBOX"


def flags_of(facts: Facts) -> frozenset[str]:
    """CHN-10: a message that cannot be answered says so from the start."""
    to_patient = facts.recipient is not None and facts.recipient.place is Place.PATIENT_HOSTED
    professional = facts.sender is not None and facts.message is not None and facts.message.report is None
    return CLOSED_FLAGS if to_patient and professional and mark(facts) is not Mark.NONE else _OPEN


def consequences(facts: Facts) -> Iterator[Action]:
    """Everything that an accepted message brings for the exchange, in the order in which it is done."""
    message, sender, recipient = facts.message, facts.sender, facts.recipient
    if message is None or recipient is None:
        return
    if recipient.box is not None and recipient.box.alert and recipient.place is Place.PATIENT_HOSTED:
        yield AlertPatient(recipient.box.id)
    if sender is None:
        return
    if recipient.place in PATIENT_PLACES:
        if message.report is None:
            yield from _to_patient(facts)
    elif from_patient(facts):  # in any shape: a patient's own reports have no sender (RFC 8098 section 3)
        yield InExchange(sender.address.key, recipient.address.key)
        box = recipient.box
        if box is not None and box.auto_close == "answer" and facts.channel.state is ChannelState.OPEN:
            yield end_of(sender, box, (box.address.key,), "auto-answer")


def _to_patient(facts: Facts) -> Iterator[Action]:
    message, sender, recipient = facts.message, facts.sender, facts.recipient
    assert message is not None
    assert sender is not None
    assert recipient is not None
    bals = answering_bal(facts) or ()
    patient = recipient.address
    for bal in bals:
        yield InExchange(patient.key, bal)
    kind = mark(facts)
    here = recipient.box.id if recipient.box is not None else None
    if kind is not Mark.NONE and facts.channel.state is ChannelState.OPEN and here is not None:
        yield SayClosed(here, patient.key, bals[0], name_of(facts))
    box = sender.box
    if box is None or facts.caller.kind in (CallerKind.OPERATOR, CallerKind.GATEWAY):
        return
    if box.exchange_folder:
        yield FileCopy(box.id, EXCHANGES, box.type in SHARED_TYPES)
    if kind is not Mark.NONE:
        return
    if box.auto_close == "send":
        yield end_of(recipient, box, bals, "auto-send")
    elif facts.house.near_miss_notice and may_report(facts) and looks_like_end(message.subject):
        yield WarnNearMiss(patient)


def end_of(patient: Party, box: Box, bals: tuple[str, ...], cause: str) -> EndExchange:
    """CHN-8: what the gateway does to end an exchange in the name of a BAL, wherever the patient's mailbox is."""
    here = patient.box
    return EndExchange(
        patient.address,
        box,
        bals,
        cause,
        here.id if here is not None else None,
        here is not None and here.alert,
    )


def name_of(facts: Facts) -> str:
    """The professional's name as the patient knows it: header From, else the mailbox's, else its address."""
    assert facts.message is not None
    assert facts.sender is not None
    if facts.message.from_name:
        return facts.message.from_name
    return box_name(facts.sender.box) if facts.sender.box is not None else str(facts.sender.address)


def box_name(box: Box) -> str:
    """What a mailbox is called: its display name, else its address."""
    return box.display or str(box.address)
