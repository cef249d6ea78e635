"""Who may write as whom (BAL-5..7, TRU-4, TRU-7, CHN-7)."""

from __future__ import annotations

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.rules.actions import Accept
from mss_gateway.rules.facts import BoxState, BoxType, CallerKind, Facts, House, Party, Place
from mss_gateway.rules.policy import decide
from tests.support.facts import (
    COLLEAGUE,
    DOCTOR,
    FOREIGN,
    FOREIGN_OPERATOR,
    GATEWAY,
    INS,
    OTHER_PATIENT,
    OUTSIDER,
    PATIENT_LOGIN,
    PATIENT_OPERATOR,
    REMOTE_PATIENT,
    SERVICE,
    STRANGER,
    doctor,
    facts,
    login,
    operator,
    patient,
    person,
    written,
)

OK = "ok"
COLLEAGUE_LETTER = written(COLLEAGUE)


def outcome(case: Facts) -> str:
    """`ok` or the reason of the refusal, which must be a 5xx of policy."""
    decision = decide(case)
    if isinstance(decision, Accept):
        return OK
    assert 500 <= decision.code < 600
    assert INS not in decision.public
    return decision.reason


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(
            facts(FOREIGN_OPERATOR, COLLEAGUE), OK, id="listed", marks=pytest.mark.req("BAL-7", "TRU-4")
        ),
        pytest.param(
            facts(operator("autre.mssante.fr"), COLLEAGUE),
            "sender-dn-mismatch",
            marks=pytest.mark.req("TRU-4", "BAL-7"),
        ),
        pytest.param(facts(FOREIGN_OPERATOR, OUTSIDER), "sender-outside", marks=pytest.mark.req("BAL-7")),
        pytest.param(facts(FOREIGN_OPERATOR, doctor()), "local-sender", marks=pytest.mark.req("BAL-7")),
        pytest.param(
            facts(operator(DOCTOR.domain), doctor()),
            "local-sender",
            marks=pytest.mark.req("BAL-7"),
            id="listed-own-domain",
        ),
        pytest.param(facts(PATIENT_OPERATOR, patient()), "local-sender", marks=pytest.mark.req("BAL-7")),
        pytest.param(facts(FOREIGN_OPERATOR, None), OK, id="null-sender", marks=pytest.mark.req("TRU-7")),
        pytest.param(facts(GATEWAY, None), OK, id="own-report", marks=pytest.mark.req("TRU-7")),
        pytest.param(facts(person(), None), OK, id="own-receipt", marks=pytest.mark.req("RCP-4")),
        pytest.param(facts(PATIENT_LOGIN, None), "null-sender", marks=pytest.mark.req("TRU-7")),
        pytest.param(facts(person(), doctor()), OK, id="own-box", marks=pytest.mark.req("BAL-2", "BAL-6")),
        pytest.param(
            facts(person(SERVICE), doctor()),
            "sender-not-yours",
            marks=pytest.mark.req("BAL-2", "BAL-6"),
            id="other-holder",
        ),
        pytest.param(
            facts(person(SERVICE), doctor(BoxType.ORG)),
            "sender-not-yours",
            marks=pytest.mark.req("BAL-3"),
            id="no-member",
        ),
        pytest.param(
            facts(login(CallerKind.APPLICATION, SERVICE), doctor(BoxType.APP)),
            "sender-not-yours",
            marks=pytest.mark.req("BAL-4"),
        ),
        pytest.param(
            facts(PATIENT_LOGIN, patient(address=OTHER_PATIENT)),
            "patient-forged",
            marks=pytest.mark.req("CHN-7"),
        ),
        pytest.param(
            facts(person(), doctor(state=BoxState.SUSPENDED)),
            "sender-inactive",
            marks=pytest.mark.req("BAL-5"),
        ),
        pytest.param(
            facts(person(), doctor(state=BoxState.CLOSED)), "sender-inactive", marks=pytest.mark.req("BAL-5")
        ),
    ],
)
def test_mail_from(case: Facts, expected: str) -> None:
    """What is answered to MAIL FROM."""
    assert outcome(case) == expected


@pytest.mark.req("BAL-6")
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (written(doctor()), OK),
        (written(doctor(), sender=SERVICE), OK),
        (written(doctor(), from_=()), "from-not-single"),
        (written(doctor(), from_=(DOCTOR, SERVICE)), "from-not-single"),
        (written(doctor(), from_valid=False), "from-not-single"),
        (written(doctor(), from_=(SERVICE,)), "from-mismatch"),
        (written(doctor(), from_=(STRANGER,), sender=DOCTOR), "from-mismatch"),
        (written(doctor(), reply_to=(FOREIGN,), reply_to_present=True), OK),
        (
            written(doctor(), reply_to=(STRANGER,), reply_to_present=True, reply_to_trusted=False),
            "reply-to-outside",
        ),
        (written(doctor(), reply_to_present=True), "reply-to-outside"),
    ],
)
def test_header_of_a_submission(message: object, expected: str) -> None:
    assert outcome(facts(person(), doctor(), COLLEAGUE, message)) == expected  # type: ignore[arg-type]


@pytest.mark.req("BAL-10", "BAL-6")
def test_case_never_makes_another_sender() -> None:
    loud = Party(type(DOCTOR)("DOCTEUR", DOCTOR.domain), Place.HOSTED, doctor().box)
    assert outcome(facts(person(), loud, COLLEAGUE, written(doctor()))) == OK


@pytest.mark.req("BAL-7")
@pytest.mark.parametrize(
    ("from_", "check", "expected"),
    [
        ((FOREIGN,), True, OK),
        ((STRANGER,), True, "from-dn-mismatch"),
        ((DOCTOR,), True, "from-dn-mismatch"),
        ((), True, "from-not-single"),
        ((STRANGER,), False, OK),
    ],
)
def test_header_from_of_another_operator(from_: tuple[object, ...], check: bool, expected: str) -> None:
    case = facts(
        FOREIGN_OPERATOR,
        COLLEAGUE,
        doctor(),
        written(COLLEAGUE, from_=from_),
        house=House(check_header_from=check),
    )
    assert outcome(case) == expected


@pytest.mark.req("CHN-7")
def test_another_patients_name_in_from_is_forged_even_without_the_check_of_from() -> None:
    message = written(patient(address=OTHER_PATIENT))
    for caller, house in ((PATIENT_OPERATOR, House()), (PATIENT_OPERATOR, House(check_header_from=False))):
        assert outcome(facts(caller, REMOTE_PATIENT, doctor(), message, house=house)) == "patient-forged"
    house = House(check_header_from=False)
    assert outcome(facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(), message, house=house)) == "patient-forged"


@pytest.mark.req("TRU-7")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"report": "delivery-status"}, OK),
        ({"report": "disposition-notification"}, OK),
        ({"auto_submitted": True}, OK),
        ({}, "null-sender-shape"),
    ],
)
def test_the_null_sender_brings_reports_only(fields: dict[str, object], expected: str) -> None:
    assert outcome(facts(FOREIGN_OPERATOR, None, doctor(), written(COLLEAGUE, **fields))) == expected


def test_a_refusal_is_a_value_with_policy_status() -> None:
    """BAL-6 asks for 550 5.7.1 with the reason named."""
    decision = decide(facts(person(SERVICE), doctor()))
    assert isinstance(decision, Refuse)
    assert (decision.code, decision.enhanced) == (550, "5.7.1")


@pytest.mark.req("TRU-7", "CHN-7", "PAT-6")
def test_no_login_writes_a_patients_receipt() -> None:
    """Without a sender no channel is asked: not even a login of both sides gets around it that way."""
    both = login(CallerKind.PERSON, DOCTOR, patient().address)
    receipt = written(patient(), report="disposition-notification")
    for to in (doctor(), Party(SERVICE, Place.HOSTED, doctor().box), REMOTE_PATIENT):
        assert outcome(facts(both, None, to, receipt)) == "null-sender-shape"
    assert outcome(facts(both, None, patient(), written(doctor(), report="disposition-notification"))) == OK
