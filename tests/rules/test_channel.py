"""The channel: who answers, what opens it, what closes it, who passes (CHN, BAL-8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import parse_address
from mss_gateway.rules import texts
from mss_gateway.rules.actions import Accept, Action, AddHeader, GuardChannel, SetChannel
from mss_gateway.rules.channel import TRANSITIONS, Mark, answering_bal
from mss_gateway.rules.facts import BoxType, Caller, CallerKind, ChannelState, House, MessageFacts, Party
from mss_gateway.rules.policy import decide
from tests.support.facts import (
    COLLEAGUE,
    DOCTOR,
    FOREIGN,
    FOREIGN_OPERATOR,
    HOUSE,
    OTHER_PATIENT,
    OUTSIDER,
    PATIENT,
    PATIENT_LOGIN,
    PATIENT_OPERATOR,
    REMOTE_PATIENT,
    SERVICE,
    STRANGER,
    doctor,
    facts,
    login,
    patient,
    person,
    written,
)

APPLICATION = login(CallerKind.APPLICATION, DOCTOR)


def actions(
    caller: Caller,
    sender: Party,
    recipient: Party,
    message: MessageFacts,
    channel: ChannelState = ChannelState.NEVER,
) -> tuple[Action, ...]:
    """What follows when the message is accepted, as it must be."""
    decision = decide(facts(caller, sender, recipient, message, channel))
    assert isinstance(decision, Accept), decision
    return decision.actions


def change(*case: object, **more: object) -> SetChannel | None:
    """The one channel change of an accepted message."""
    found = [one for one in actions(*case, **more) if isinstance(one, SetChannel)]  # type: ignore[arg-type]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.req("CHN-2")
@pytest.mark.parametrize("before", ChannelState)
@pytest.mark.parametrize(
    ("caller", "sender", "recipient"),
    [
        (person(), doctor(), patient()),
        (person(), doctor(), REMOTE_PATIENT),
        (FOREIGN_OPERATOR, COLLEAGUE, patient()),
        (APPLICATION, doctor(BoxType.APP, fin="leave"), patient()),
    ],
)
def test_a_professionals_message_opens_and_reopens(
    before: ChannelState, caller: Caller, sender: Party, recipient: Party
) -> None:
    done = change(caller, sender, recipient, written(sender), before)
    assert done == SetChannel(PATIENT.key, sender.address.key, ChannelState.OPEN, "message")


@pytest.mark.req("CHN-3")
@pytest.mark.parametrize(
    ("subject", "state"),
    [
        ("[FIN]", ChannelState.CLOSED),
        ("Re: [FIN]", ChannelState.OPEN),
        ("[fin]", ChannelState.OPEN),
        ("[Fin]", ChannelState.OPEN),
        ("[FIN] .", ChannelState.OPEN),
        ("[FIN] ", ChannelState.OPEN),
        (" [FIN]", ChannelState.OPEN),
        ("[FIN]\u200b", ChannelState.OPEN),
        ("FIN", ChannelState.OPEN),
        ("[FIN][FIN]", ChannelState.OPEN),
        ("", ChannelState.OPEN),
    ],
)
@pytest.mark.parametrize("before", ChannelState)
def test_only_the_exact_subject_closes(subject: str, state: ChannelState, before: ChannelState) -> None:
    done = change(person(), doctor(), patient(), written(doctor(), subject=subject), before)
    assert done is not None
    assert done.state is state


@pytest.mark.req("CHN-3", "CHN-4")
@pytest.mark.parametrize("fields", [{"subject": "[FIN]"}, {"mss_mes": "FIN"}])
def test_the_closing_message_itself_is_delivered(fields: dict[str, object]) -> None:
    done = actions(person(), doctor(), patient(), written(doctor(), **fields))
    assert [type(one).__name__ for one in done] == ["Deliver", "SetChannel", "InExchange", "FileCopy"]


@pytest.mark.req("CHN-4")
@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("FIN", ChannelState.CLOSED),
        ("fin", ChannelState.OPEN),
        ("FIN ", ChannelState.OPEN),
        (None, ChannelState.OPEN),
    ],
)
def test_only_the_exact_header_closes(value: str | None, state: ChannelState) -> None:
    done = change(person(), doctor(), patient(), written(doctor(), mss_mes=value), ChannelState.OPEN)
    assert done is not None
    assert done.state is state


@pytest.mark.req("CHN-1")
@pytest.mark.parametrize(
    ("reply_to", "trusted", "answering"),
    [((), True, FOREIGN), ((SERVICE,), True, SERVICE), ((STRANGER,), False, FOREIGN)],
)
def test_the_patient_answers_reply_to_inside_mssante_else_from(
    reply_to: tuple[object, ...], trusted: bool, answering: object
) -> None:
    message = written(COLLEAGUE, reply_to=reply_to, reply_to_present=bool(reply_to), reply_to_trusted=trusted)
    done = change(FOREIGN_OPERATOR, COLLEAGUE, patient(), message)
    assert done is not None
    assert done.bal == answering.key  # type: ignore[attr-defined]
    assert done.patient == PATIENT.key


@pytest.mark.req("BAL-8")
@pytest.mark.parametrize(
    ("fin", "fields", "added", "state", "answering"),
    [
        ("fin", {}, AddHeader("X-MSS-MES", "FIN"), ChannelState.CLOSED, DOCTOR),
        ("fin", {"mss_mes": "FIN"}, None, ChannelState.CLOSED, DOCTOR),
        ("fin", {"reply_to": (SERVICE,), "reply_to_present": True}, None, ChannelState.OPEN, SERVICE),
        (f"reply-to={SERVICE}", {}, AddHeader("Reply-To", str(SERVICE)), ChannelState.OPEN, SERVICE),
        (f"reply-to={SERVICE}", {"mss_mes": "FIN"}, None, ChannelState.CLOSED, DOCTOR),
        ("leave", {}, None, ChannelState.OPEN, DOCTOR),
    ],
)
def test_an_app_box_without_a_way_to_answer_gets_one_or_an_end_mark(
    fin: str, fields: dict[str, object], added: AddHeader | None, state: ChannelState, answering: object
) -> None:
    sender = doctor(BoxType.APP, fin=fin)
    done = actions(APPLICATION, sender, patient(), written(sender, **fields))
    assert [one for one in done if isinstance(one, AddHeader)] == ([added] if added else [])
    changed = next(one for one in done if isinstance(one, SetChannel))
    assert (changed.state, changed.bal) == (state, answering.key)  # type: ignore[attr-defined]


@pytest.mark.req("BAL-8")
def test_nothing_is_added_for_a_professional_or_from_another_type_of_box() -> None:
    app = doctor(BoxType.APP)
    for caller, sender, recipient in ((APPLICATION, app, COLLEAGUE), (person(), doctor(), patient())):
        done = actions(caller, sender, recipient, written(sender))
        assert not any(isinstance(one, AddHeader) for one in done)


@pytest.mark.req("CHN-6")
@pytest.mark.parametrize(
    ("state", "initiated", "reason"),
    [
        (ChannelState.OPEN, False, None),
        (ChannelState.CLOSED, False, "channel-closed"),
        (ChannelState.NEVER, False, "channel-never-opened"),
        (ChannelState.CLOSED, True, None),
        (ChannelState.NEVER, True, None),
    ],
)
def test_a_hosted_patient_passes_an_open_channel_only(
    state: ChannelState, initiated: bool, reason: str | None
) -> None:
    recipient = doctor(BoxType.ORG, patient_initiated=initiated)
    decision = decide(facts(PATIENT_LOGIN, patient(), recipient, None, state))
    assert getattr(decision, "reason", None) == reason
    if reason == "channel-closed":
        assert getattr(decision, "public", "") == texts.CHANNEL_CLOSED


@pytest.mark.req("CHN-6")
@pytest.mark.parametrize(
    ("state", "on_closed", "on_never", "reason"),
    [
        (ChannelState.OPEN, "refuse", "refuse", None),
        (ChannelState.CLOSED, "refuse", "accept", "channel-closed"),
        (ChannelState.CLOSED, "accept", "accept", None),
        (ChannelState.NEVER, "refuse", "accept", None),
        (ChannelState.NEVER, "refuse", "refuse", "channel-never-opened"),
    ],
)
def test_a_patient_of_another_operator_meets_the_two_settings(
    state: ChannelState, on_closed: str, on_never: str, reason: str | None
) -> None:
    house = House(remote_patient_on_closed=on_closed, remote_patient_on_never=on_never)
    decision = decide(
        facts(PATIENT_OPERATOR, REMOTE_PATIENT, doctor(), written(REMOTE_PATIENT), state, house)
    )
    assert getattr(decision, "reason", None) == reason


@pytest.mark.req("CHN-6")
def test_by_default_mes_is_refused_on_closed_and_accepted_on_never() -> None:
    assert (House().remote_patient_on_closed, House().remote_patient_on_never) == ("refuse", "accept")


@pytest.mark.req("CHN-6", "CHN-9")
def test_a_patients_login_needs_the_channel_whatever_address_it_was_given() -> None:
    caller = login(CallerKind.PATIENT, DOCTOR)
    colleague = facts(caller, doctor(), COLLEAGUE, written(doctor()))
    assert getattr(decide(colleague), "reason", None) == "channel-never-opened"
    done = actions(caller, doctor(), COLLEAGUE, written(doctor()), ChannelState.OPEN)
    assert GuardChannel(DOCTOR.key, FOREIGN.key, 7) in done


@pytest.mark.req("CHN-7")
@pytest.mark.parametrize(
    ("recipient", "reason"),
    [(patient(address=OTHER_PATIENT), "patient-to-patient"), (OUTSIDER, "patient-to-outside")],
)
def test_patients_write_to_professionals_only(recipient: Party, reason: str) -> None:
    decision = decide(facts(PATIENT_LOGIN, patient(), recipient, None, ChannelState.OPEN))
    assert getattr(decision, "reason", None) == reason


@pytest.mark.req("CHN-9")
@pytest.mark.parametrize("fields", [{}, {"report": "disposition-notification"}])
def test_a_patients_answer_rests_on_the_version_it_was_decided_on(fields: dict[str, object]) -> None:
    message = written(patient(), **fields)
    done = actions(PATIENT_LOGIN, patient(), doctor(), message, ChannelState.OPEN)
    assert GuardChannel(PATIENT.key, DOCTOR.key, 7) in done
    assert not any(isinstance(one, SetChannel) for one in done)


@pytest.mark.req("CHN-9")
def test_a_professionals_message_has_one_outcome_whatever_the_state_before() -> None:
    for mark in Mark:
        assert len({TRANSITIONS[state, mark] for state in ChannelState}) == 1
    assert set(TRANSITIONS) == {(state, mark) for state in ChannelState for mark in Mark}


@pytest.mark.req("CHN-2")
def test_a_report_neither_opens_nor_closes() -> None:
    message = written(COLLEAGUE, report="disposition-notification", subject="[FIN]")
    assert change(FOREIGN_OPERATOR, COLLEAGUE, patient(), message, ChannelState.OPEN) is None
    assert change(FOREIGN_OPERATOR, None, patient(), message, ChannelState.OPEN) is None


@pytest.mark.req("CHN-1")
def test_without_a_sender_nobody_can_be_answered() -> None:
    assert answering_bal(facts(FOREIGN_OPERATOR, None, patient(), written(COLLEAGUE))) is None
    assert parse_address(texts.PATIENT_CLOSED.format(address=PATIENT).split('"')[1]) == PATIENT


@pytest.mark.req("CHN-6")
def test_a_pharmacy_elsewhere_is_written_to_first_when_the_house_names_it() -> None:
    """The mark of a mailbox is not known to another operator: its patients' operator has a list."""
    first = facts(PATIENT_LOGIN, patient(), COLLEAGUE, written(patient()))
    refused = decide(first)
    assert isinstance(refused, Refuse)
    assert refused.reason == "channel-never-opened"
    named = replace(HOUSE, patient_initiated=frozenset({FOREIGN.key}))
    assert not isinstance(decide(replace(first, house=named)), Refuse)
