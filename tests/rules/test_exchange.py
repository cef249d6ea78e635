"""What a message does for the exchange: filing, near misses, closing by itself, the patient's notice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import Refuse
from mss_gateway.rules.actions import (
    Action,
    AlertPatient,
    Deliver,
    EndExchange,
    FileCopy,
    InExchange,
    OweReceipt,
    SayClosed,
    WarnNearMiss,
)
from mss_gateway.rules.channel import CLOSED_KEYWORD
from mss_gateway.rules.exchange import EXCHANGES, looks_like_end
from mss_gateway.rules.facts import (
    BoxType,
    CallerKind,
    ChannelFacts,
    ChannelState,
    Facts,
    Party,
    Place,
)
from mss_gateway.rules.policy import decide
from tests.support.facts import (
    COLLEAGUE,
    DOCTOR,
    FOREIGN_OPERATOR,
    HOUSE,
    OTHER_PATIENT,
    PATIENT,
    PATIENT_LOGIN,
    REMOTE_PATIENT,
    SERVICE,
    doctor,
    facts,
    login,
    patient,
    person,
    written,
)


def done(case: Facts) -> tuple[Action, ...]:
    """The actions of an acceptance; fails on a refusal."""
    decision = decide(case)
    assert not isinstance(decision, Refuse), decision.reason
    return decision.actions


def of(case: Facts, kind: type[Action]) -> list[Action]:
    """The actions of one kind."""
    return [action for action in done(case) if isinstance(action, kind)]


def with_box(party: Party, **choices: object) -> Party:
    """A party whose mailbox is set otherwise."""
    assert party.box is not None
    return replace(party, box=replace(party.box, **choices))  # type: ignore[arg-type]


def to_patient(sender: Party | None = None, **fields: object) -> Facts:
    """A professional writes to a patient hosted here."""
    author = sender or doctor()
    return facts(person(), author, patient(), written(author, **fields))


def answer(box: Party, state: ChannelState = ChannelState.OPEN) -> Facts:
    """A patient answers a professional."""
    case = facts(PATIENT_LOGIN, patient(), box, written(patient()))
    return replace(case, channel=ChannelFacts(state, 3))


@pytest.mark.req("CHN-5")
@pytest.mark.parametrize(
    "subject",
    [
        "Re: [FIN]", "RE: RE: [FIN]", "[Fin]", "[fin]", "FIN", "fin", "[FIN] .", "[FIN] ", " [FIN]", "Fwd: [FIN]",
        "TR : [FIN]", "Rép: [FIN]", "« FIN »", "(FIN)", "[ FIN ]", "[[FIN]]", "*FIN*", "FIN!", "Re: Tr: fin",
    ],
)  # fmt: skip
def test_a_missed_end_mark_is_told_once_and_delivered(subject: str) -> None:
    actions = done(to_patient(subject=subject))
    assert [a for a in actions if isinstance(a, WarnNearMiss)] == [WarnNearMiss(PATIENT)]
    assert any(isinstance(action, Deliver) for action in actions)


@pytest.mark.req("CHN-5")
@pytest.mark.parametrize(
    "subject", ["[FIN]", "Fin de traitement", "Re: votre rendez-vous", "", "FINAL", "Enfin", "[FIN] merci", "F I N E"]
)  # fmt: skip
def test_other_subjects_bring_no_notice(subject: str) -> None:
    assert not of(to_patient(subject=subject), WarnNearMiss)


@pytest.mark.req("CHN-5")
def test_the_notice_is_a_setting_and_never_for_those_who_have_ended_or_are_elsewhere() -> None:
    quiet = replace(HOUSE, near_miss_notice=False)
    assert not of(replace(to_patient(subject="Re: [FIN]"), house=quiet), WarnNearMiss)
    assert not of(to_patient(subject="Re: [FIN]", mss_mes="FIN"), WarnNearMiss)
    assert not of(facts(person(), doctor(), doctor(), written(doctor(), subject="FIN")), WarnNearMiss)


@pytest.mark.req("CHN-5")
@given(st.text(max_size=300))
def test_looking_at_a_subject_is_total(subject: str) -> None:
    assert not (looks_like_end(subject) and subject == "[FIN]")


@pytest.mark.req("IMP-2")
def test_answers_and_copies_lie_in_one_folder() -> None:
    assert of(answer(doctor()), Deliver) == [Deliver(doctor().box.id, EXCHANGES)]  # type: ignore[union-attr]
    assert of(to_patient(), FileCopy) == [FileCopy(doctor().box.id, EXCHANGES, False)]  # type: ignore[union-attr]
    shared = with_box(doctor(BoxType.ORG))
    assert of(facts(person(), shared, patient(), written(shared)), FileCopy)[0].shared  # type: ignore[union-attr]


@pytest.mark.req("IMP-2")
def test_the_folder_is_a_choice_of_the_mailbox() -> None:
    plain = with_box(doctor(), exchange_folder=False)
    assert of(answer(plain), Deliver) == [Deliver(plain.box.id)]  # type: ignore[union-attr]
    assert not of(to_patient(plain), FileCopy)


@pytest.mark.req("IMP-2", "CHN-10")
def test_mail_between_professionals_is_in_no_exchange() -> None:
    between = facts(person(), doctor(), Party(SERVICE, Place.HOSTED, doctor().box), written(doctor()))
    assert not [a for a in done(between) if isinstance(a, FileCopy | InExchange)]


@pytest.mark.req("CHN-1", "CHN-10")
def test_a_message_belongs_to_the_exchange_of_each_mailbox_that_can_be_answered() -> None:
    both = to_patient(reply_to=(DOCTOR, SERVICE), reply_to_present=True)
    assert of(both, InExchange) == [InExchange(PATIENT.key, DOCTOR.key), InExchange(PATIENT.key, SERVICE.key)]
    assert of(answer(doctor()), InExchange) == [InExchange(PATIENT.key, DOCTOR.key)]


@pytest.mark.req("CHN-10")
@pytest.mark.parametrize("mark", [{"subject": "[FIN]"}, {"mss_mes": "FIN"}])
def test_the_patient_reads_that_an_open_exchange_was_ended(mark: dict[str, object]) -> None:
    case = to_patient(from_name="Docteur Exemple", **mark)
    ended = replace(case, channel=ChannelFacts(ChannelState.OPEN, 1))
    box = patient().box
    assert box is not None
    assert of(ended, SayClosed) == [SayClosed(box.id, PATIENT.key, DOCTOR.key, "Docteur Exemple")]
    assert of(ended, Deliver) == [Deliver(box.id, "INBOX", frozenset({CLOSED_KEYWORD}))]
    for state in (ChannelState.NEVER, ChannelState.CLOSED):
        assert not of(replace(case, channel=ChannelFacts(state, 1)), SayClosed)


@pytest.mark.req("CHN-10")
def test_the_name_falls_back_to_the_mailbox_and_its_address() -> None:
    opened = ChannelFacts(ChannelState.OPEN, 1)
    named = replace(to_patient(with_box(doctor(), display="Dr Exemple"), subject="[FIN]"), channel=opened)
    assert of(named, SayClosed)[0].name == "Dr Exemple"  # type: ignore[union-attr]
    bare = replace(to_patient(subject="[FIN]"), channel=opened)
    assert of(bare, SayClosed)[0].name == str(DOCTOR)  # type: ignore[union-attr]


@pytest.mark.req("CHN-8")
def test_the_first_answer_ends_the_exchange_when_the_mailbox_wants_it() -> None:
    box = with_box(doctor(), auto_close="answer")
    ends = of(answer(box), EndExchange)
    assert ends == [EndExchange(PATIENT, box.box, (DOCTOR.key,), "auto-answer", patient().box.id)]  # type: ignore[union-attr, arg-type]
    assert not of(answer(doctor()), EndExchange)


@pytest.mark.req("CHN-8")
def test_what_was_closed_or_never_open_is_not_ended_again() -> None:
    box = with_box(doctor(), auto_close="answer", patient_initiated=True)
    for state in (ChannelState.CLOSED, ChannelState.NEVER):
        assert not of(answer(box, state), EndExchange)


@pytest.mark.req("CHN-8")
def test_every_send_of_software_may_end_the_exchange() -> None:
    app = with_box(doctor(BoxType.APP), auto_close="send", fin="leave")
    case = facts(login(CallerKind.APPLICATION, DOCTOR), app, REMOTE_PATIENT, written(app))
    assert of(case, EndExchange) == [EndExchange(PATIENT, app.box, (DOCTOR.key,), "auto-send")]  # type: ignore[arg-type]
    marked = replace(case, message=written(app, mss_mes="FIN"))
    assert not of(marked, EndExchange)


@pytest.mark.req("PAT-3")
def test_the_patient_is_alerted_of_what_arrives_when_there_is_an_address_for_it() -> None:
    told = with_box(patient(), alert=True)
    case = facts(person(), doctor(), told, written(doctor()))
    assert of(case, AlertPatient) == [AlertPatient(told.box.id)]  # type: ignore[union-attr]
    assert not of(to_patient(), AlertPatient)


@pytest.mark.req("RCP-2", "RCP-3", "RCP-4")
def test_a_receipt_is_owed_by_patients_and_by_mailboxes_that_are_set_to_it() -> None:
    asking = written(doctor(), disposition_to=str(DOCTOR))
    assert of(facts(person(), doctor(), patient(), asking), OweReceipt)
    colleague = Party(SERVICE, Place.HOSTED, doctor().box)
    assert not of(facts(person(), doctor(), colleague, asking), OweReceipt)
    assert of(facts(person(), doctor(), with_box(colleague, server_mdn=True), asking), OweReceipt)
    automatic = replace(asking, auto_submitted=True, auto_generated=True)
    assert of(facts(person(), doctor(), patient(), automatic), OweReceipt)
    for quiet in (replace(asking, disposition_to=str(OTHER_PATIENT)), replace(asking, auto_submitted=True)):
        assert not of(facts(person(), doctor(), patient(), quiet), OweReceipt)


@pytest.mark.req("RCP-4", "TRU-7")
def test_a_login_uses_the_null_sender_for_receipts_of_its_own_mailbox_only() -> None:
    to = Party(SERVICE, Place.HOSTED, doctor().box)
    receipt = written(doctor(), report="disposition-notification")
    assert not isinstance(decide(facts(person(), None, to, receipt)), Refuse)
    for bad in (
        written(doctor()),
        written(doctor(), report="delivery-status"),
        written(Party(SERVICE, Place.HOSTED, doctor().box), report="disposition-notification"),
    ):
        decision = decide(facts(person(), None, to, bad))
        assert isinstance(decision, Refuse)
        assert decision.reason == "null-sender-shape"


@pytest.mark.req("CHN-10", "CHN-8")
def test_an_operator_brings_no_copies_and_no_closings_of_its_own() -> None:
    case = facts(FOREIGN_OPERATOR, COLLEAGUE, patient(), written(COLLEAGUE, subject="Re: [FIN]"))
    kinds = {type(action) for action in done(case)}
    assert InExchange in kinds
    assert not kinds & {FileCopy, EndExchange, WarnNearMiss}
