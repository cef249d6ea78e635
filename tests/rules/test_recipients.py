"""Who may be written to, and what a closed patient mailbox brings (RTE, INS-1..3, PAT, RCP, BAL-5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.actions import Accept, Bounce, Deliver, Discard, OweReceipt, Relay
from mss_gateway.rules.bounces import may_report
from mss_gateway.rules.facts import BoxState, Facts, House, Party, Place, Realm
from mss_gateway.rules.policy import decide
from tests.support.facts import (
    COLLEAGUE,
    FOREIGN,
    FOREIGN_OPERATOR,
    GATEWAY,
    INS,
    OUTSIDER,
    PATIENT,
    PATIENT_DOMAIN,
    REMOTE_PATIENT,
    STRANGER,
    doctor,
    facts,
    patient,
    person,
    written,
)

LETTER = written(COLLEAGUE)
FULL = replace(facts(FOREIGN_OPERATOR, COLLEAGUE, doctor()), full=True)
NOBODY = Party(parse_address("personne@hopital.mssante.fr"), Place.HOSTED)
ABSENT = Party(PATIENT, Place.PATIENT_HOSTED)


def _patient(local: str, place: Place = Place.PATIENT_REMOTE) -> Party:
    return Party(parse_address(f"{local}@{PATIENT_DOMAIN}"), place)


@pytest.mark.parametrize(
    ("case", "code", "enhanced", "reason"),
    [
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, NOBODY),
            550,
            "5.1.1",
            "unknown-box",
            marks=pytest.mark.req("RTE-1"),
        ),
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(state=BoxState.CLOSED)),
            550,
            "5.2.1",
            "closed-box",
            marks=pytest.mark.req("RTE-1", "BAL-5"),
        ),
        pytest.param(FULL, 452, "4.2.2", "box-full", marks=pytest.mark.req("BAL-9")),
        pytest.param(
            replace(facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(state=BoxState.CLOSED)), full=True),
            550,
            "5.2.1",
            "closed-box",
            marks=pytest.mark.req("BAL-5", "BAL-9"),
        ),
        pytest.param(
            facts(person(), doctor(), OUTSIDER),
            550,
            "5.7.1",
            "outside-trust-space",
            marks=pytest.mark.req("RTE-3"),
        ),
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, OUTSIDER),
            550,
            "5.7.1",
            "outside-trust-space",
            marks=pytest.mark.req("RTE-3"),
        ),
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, COLLEAGUE),
            550,
            "5.7.1",
            "relay-denied",
            marks=pytest.mark.req("RTE-3"),
        ),
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, REMOTE_PATIENT),
            550,
            "5.7.1",
            "relay-denied",
            marks=pytest.mark.req("RTE-3"),
        ),
        pytest.param(
            facts(person(), doctor(), _patient("285037728417347")),
            550,
            "5.1.3",
            "ins-key",
            marks=pytest.mark.req("INS-1", "INS-2"),
        ),
        pytest.param(
            facts(person(), doctor(), _patient("285137728417346")),
            550,
            "5.1.3",
            "ins-month",
            marks=pytest.mark.req("INS-1"),
        ),
        pytest.param(
            facts(person(), doctor(), _patient("quelquun")),
            550,
            "5.1.3",
            "ins-length",
            marks=pytest.mark.req("INS-3"),
        ),
        pytest.param(
            facts(person(), doctor(), _patient("reponse.automatique-test", Place.PATIENT_HOSTED)),
            550,
            "5.1.1",
            "unknown-box",
            marks=pytest.mark.req("INS-3"),
        ),
        pytest.param(
            facts(person(), doctor(), patient(BoxState.CLOSED), house=House(patient_closed="reject")),
            550,
            "5.2.1",
            "patient-closed",
            marks=pytest.mark.req("PAT-2"),
        ),
        pytest.param(
            facts(person(), doctor(), ABSENT, house=House(patient_closed="reject")),
            550,
            "5.2.1",
            "patient-closed",
            marks=pytest.mark.req("PAT-2"),
        ),
    ],
)
def test_refused_at_rcpt(case: Facts, code: int, enhanced: str, reason: str) -> None:
    """The refusal is known before any octet of the message, and names no number."""
    decision = decide(case)
    assert isinstance(decision, Refuse)
    assert (decision.code, decision.enhanced, decision.reason) == (code, enhanced, reason)
    assert case.recipient is not None
    assert case.recipient.address.local not in decision.public


@pytest.mark.req("BAL-5")
def test_a_purged_box_answers_like_a_closed_one() -> None:
    case = facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(state=BoxState.PURGED))
    assert getattr(decide(case), "reason", "") == "closed-box"


@pytest.mark.req("RTE-5")
def test_the_same_facts_are_refused_again_at_the_end_of_data() -> None:
    case = facts(FOREIGN_OPERATOR, COLLEAGUE, NOBODY, LETTER)
    assert getattr(decide(case), "reason", "") == "unknown-box"


@pytest.mark.parametrize(
    ("case", "action"),
    [
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(), LETTER), Deliver(26), marks=pytest.mark.req("RTE-1")
        ),
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(state=BoxState.SUSPENDED), LETTER),
            Deliver(26),
            marks=pytest.mark.req("BAL-5"),
        ),
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE, patient(BoxState.NOT_ACTIVATED), LETTER),
            Deliver(34),
            marks=pytest.mark.req("PAT-1"),
        ),
        pytest.param(
            facts(person(), doctor(), REMOTE_PATIENT, written(doctor())),
            Relay(PATIENT_DOMAIN),
            marks=pytest.mark.req("RTE-2"),
        ),
        pytest.param(
            facts(person(), doctor(), patient(), written(doctor())),
            Deliver(34),
            marks=pytest.mark.req("RTE-2"),
        ),
        pytest.param(
            facts(person(), doctor(), COLLEAGUE, written(doctor())),
            Relay(FOREIGN.domain),
            marks=pytest.mark.req("RTE-3"),
        ),
        pytest.param(
            facts(person(), doctor(), _patient("reponse.automatique-test"), written(doctor())),
            Relay(PATIENT_DOMAIN),
            marks=pytest.mark.req("INS-3"),
        ),
    ],
)
def test_accepted_goes_there(case: Facts, action: object) -> None:
    """Where an accepted message goes."""
    decision = decide(case)
    assert isinstance(decision, Accept)
    assert decision.actions[0] == action


@pytest.mark.req("INS-2")
@pytest.mark.parametrize(
    ("realm", "passes"), [(Realm.PRODUCTION, False), (Realm.TEST, True), (Realm.DEMO, True)]
)
def test_a_wrong_key_passes_in_test_and_demo_only(realm: Realm, passes: bool) -> None:
    case = facts(person(), doctor(), _patient("181036322045660"), house=House(realm=realm))
    assert isinstance(decide(case), Accept) is passes


@pytest.mark.req("INS-2")
def test_a_wrong_structure_passes_in_no_realm() -> None:
    for realm in Realm:
        case = facts(person(), doctor(), _patient("581036322045660"), house=House(realm=realm))
        assert getattr(decide(case), "reason", "") == "ins-sex"


@pytest.mark.req("PAT-2")
@pytest.mark.parametrize("recipient", [patient(BoxState.CLOSED), patient(BoxState.PURGED), ABSENT])
def test_a_closed_or_absent_patient_brings_the_exact_sentence_and_no_delivery(recipient: Party) -> None:
    decision = decide(facts(person(), doctor(), recipient, written(doctor())))
    sentence = (
        f'Le message que vous avez envoyé à "{INS}@patient.mssante.fr" n\'a pas pu être distribué car la '
        "messagerie Mon espace Santé de votre destinataire est clôturée"
    )
    assert decision == Accept((Bounce("patient-closed", PATIENT, sentence),))


@pytest.mark.req("RCP-6", "RTE-6")
@pytest.mark.parametrize(
    "fields",
    [{"report": "delivery-status"}, {"report": "disposition-notification"}, {"auto_submitted": True}],
)
def test_a_report_to_a_closed_patient_ends_with_a_trace(fields: dict[str, object]) -> None:
    message = written(COLLEAGUE, **fields)
    for sender in (None, COLLEAGUE):
        case = facts(FOREIGN_OPERATOR, sender, patient(BoxState.CLOSED), message)
        assert decide(case) == Accept((Discard("report-to-closed-patient"),))
        assert not may_report(case)


@pytest.mark.req("RCP-6")
def test_an_ordinary_message_may_be_answered_by_a_report() -> None:
    assert may_report(facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(), LETTER))
    assert not may_report(facts(GATEWAY, None, doctor(), LETTER))


@pytest.mark.req("RTE-6")
@pytest.mark.parametrize(("count", "accepted"), [(0, True), (30, True), (31, False), (5000, False)])
def test_more_than_thirty_received_lines_are_a_loop(count: int, accepted: bool) -> None:
    decision = decide(facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(), written(COLLEAGUE, received_count=count)))
    assert isinstance(decision, Accept) is accepted
    if isinstance(decision, Refuse):
        assert (decision.code, decision.enhanced, decision.reason) == (554, "5.4.6", "mail-loop")


@pytest.mark.req("RCP-2", "RCP-3")
@pytest.mark.parametrize(
    ("recipient", "fields", "owed"),
    [
        (patient(), {"disposition_to": str(FOREIGN)}, True),
        (patient(), {"disposition_to": str(FOREIGN).upper()}, True),
        (patient(), {"disposition_to": str(STRANGER)}, False),
        (patient(), {"disposition_to": "not an address"}, False),
        (patient(), {}, False),
        (patient(), {"disposition_to": str(FOREIGN), "report": "disposition-notification"}, False),
        (patient(), {"disposition_to": str(FOREIGN), "auto_submitted": True}, False),
        (doctor(), {"disposition_to": str(FOREIGN)}, False),
    ],
)
def test_a_read_receipt_is_owed_to_the_return_path_by_patients_only(
    recipient: Party, fields: dict[str, object], owed: bool
) -> None:
    """RCP-2, RCP-3 as far as they are decided here."""
    decision = decide(facts(FOREIGN_OPERATOR, COLLEAGUE, recipient, written(COLLEAGUE, **fields)))
    assert isinstance(decision, Accept)
    assert any(isinstance(action, OweReceipt) for action in decision.actions) is owed
