"""The channel between a patient and a BAL (CHN-1..4, 6, 7, 9): who answers, what opens, what closes."""

from __future__ import annotations

from enum import Enum

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import Address, parse_address

from . import texts
from .actions import Action, AddHeader, GuardChannel, SetChannel
from .facts import BoxType, CallerKind, ChannelState, Facts, Place
from .senders import PATIENT_PLACES, from_patient

END_SUBJECT = "[FIN]"
"""CHN-3: exactly these five characters."""

END_HEADER = "FIN"
"""CHN-4: the value of X-MSS-MES."""


CLOSED_KEYWORD = "$MSSClosed"
"""What every message of an ended exchange carries in the patient's mailbox (CHN-10)."""


class Mark(Enum):
    """What a professional's message does to the channel."""

    NONE = "message"
    SUBJECT = "fin-subject"
    HEADER = "fin-header"


TRANSITIONS: dict[tuple[ChannelState, Mark], ChannelState] = {
    (ChannelState.NEVER, Mark.NONE): ChannelState.OPEN,
    (ChannelState.OPEN, Mark.NONE): ChannelState.OPEN,
    (ChannelState.CLOSED, Mark.NONE): ChannelState.OPEN,
    (ChannelState.NEVER, Mark.SUBJECT): ChannelState.CLOSED,
    (ChannelState.OPEN, Mark.SUBJECT): ChannelState.CLOSED,
    (ChannelState.CLOSED, Mark.SUBJECT): ChannelState.CLOSED,
    (ChannelState.NEVER, Mark.HEADER): ChannelState.CLOSED,
    (ChannelState.OPEN, Mark.HEADER): ChannelState.CLOSED,
    (ChannelState.CLOSED, Mark.HEADER): ChannelState.CLOSED,
}
"""The whole state machine. Every column has one outcome whatever the state before it, so a professional's
message never depends on a stale reading; only a patient's answer does (CHN-9)."""


def added_headers(facts: Facts) -> tuple[AddHeader, ...]:
    """BAL-8: what an APP box's message to a patient still needs, by the setting of that box."""
    message, sender = facts.message, facts.sender
    if message is None or sender is None or sender.box is None or sender.box.type is not BoxType.APP:
        return ()
    if facts.recipient is None or facts.recipient.place not in PATIENT_PLACES:
        return ()
    if message.mss_mes == END_HEADER or sender.box.fin == "leave":
        return ()
    if any(to.key != sender.box.address.key for to in message.reply_to):
        return ()
    if not message.reply_to_present and sender.box.fin.startswith("reply-to="):
        return (AddHeader("Reply-To", sender.box.fin.removeprefix("reply-to=")),)
    return (AddHeader("X-MSS-MES", END_HEADER),)


def answering_bal(facts: Facts) -> tuple[str, ...] | None:
    """CHN-1: keys of the BAL that the patient may answer: Reply-To when it is MSSanté, else From; None for a report.

    A Reply-To of several addresses names several BALs, since the patient's client writes to all of them.
    """
    if facts.message is None or facts.sender is None:
        return None
    for header in added_headers(facts):
        if header.name == "Reply-To":
            return (parse_address(header.value).key,)
    if facts.message.reply_to and facts.message.reply_to_trusted:
        return tuple(dict.fromkeys(to.key for to in facts.message.reply_to))
    author: Address = facts.message.from_[0] if facts.message.from_ else facts.sender.address
    return (author.key,)


def mark(facts: Facts) -> Mark:
    """CHN-3, CHN-4: the end mark of a message, one that BAL-8 adds included."""
    if facts.message is None:
        return Mark.NONE
    if facts.message.subject == END_SUBJECT:
        return Mark.SUBJECT
    added = any(header.name == "X-MSS-MES" for header in added_headers(facts))
    return Mark.HEADER if added or facts.message.mss_mes == END_HEADER else Mark.NONE


def consequences(facts: Facts) -> tuple[Action, ...]:
    """What an accepted message does to the channel, or rests on (CHN-2, CHN-9)."""
    if facts.message is None or facts.sender is None or facts.recipient is None:
        return ()
    to_patient = facts.recipient.place in PATIENT_PLACES
    if from_patient(facts) and not to_patient:
        return (GuardChannel(facts.sender.address.key, facts.recipient.address.key, facts.channel.version),)
    # A receipt or a bounce neither opens nor closes; a patient's answer rests on the channel in any shape.
    if to_patient and facts.message.report is None:
        kind = mark(facts)
        state = TRANSITIONS[facts.channel.state, kind]
        patient = facts.recipient.address.key
        name = facts.message.from_name
        return tuple(SetChannel(patient, bal, state, kind.value, name) for bal in answering_bal(facts) or ())
    return ()


def patient_answer(facts: Facts) -> Refuse | None:
    """CHN-6: a patient reaches a professional through an open channel only."""
    sender, recipient = facts.sender, facts.recipient
    if sender is None or recipient is None or not from_patient(facts):
        return None
    if recipient.place in PATIENT_PLACES or recipient.place is Place.OUTSIDE:
        return None  # other rules say no
    if recipient.box is not None and recipient.box.patient_initiated:
        return None
    if recipient.box is None and recipient.address.key in facts.house.patient_initiated:
        return None
    state = facts.channel.state
    if state is ChannelState.OPEN:
        return None
    remote = facts.caller.kind is CallerKind.OPERATOR
    if remote and _remote_choice(facts, state) == "accept":
        return None
    if state is ChannelState.CLOSED:
        return Refuse(550, "5.7.1", texts.CHANNEL_CLOSED, "channel-closed")
    return Refuse(550, "5.7.1", texts.CHANNEL_NEVER_OPENED, "channel-never-opened")


def _remote_choice(facts: Facts, state: ChannelState) -> str:
    """What this professional operator does with a patient of another operator, which has its own exceptions."""
    if state is ChannelState.CLOSED:
        return facts.house.remote_patient_on_closed
    return facts.house.remote_patient_on_never
