"""How mailboxes may be set up and how they live; national identifiers (BAL-1..5, BAL-8, PAT-1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.boxes import (
    check_box,
    check_fin,
    check_member,
    check_patient,
    check_purge,
    check_transition,
)
from mss_gateway.rules.facts import BoxState, BoxType, House, Realm
from mss_gateway.rules.national import check_person_id, check_structure_id, luhn_holds

RPPS = "899700366240"  # published sample, domain 9.2


def reason(check: object, *given_: object) -> str:
    """The slug of the refusal, empty when the check passes."""
    try:
        check(*given_)  # type: ignore[operator]
    except InvalidValue as invalid:
        return invalid.reason
    return ""


@pytest.mark.req("BAL-2")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RPPS, ""),
        ("899700366241", "rpps-key"),
        ("89970036624", "rpps-shape"),
        ("8997003662400", "rpps-shape"),
        ("8٩9700366240", "rpps-shape"),
        ("0123456789", ""),
        ("01234567A9", ""),
        ("012345678", "national-id"),
        ("199700366240", "national-id"),
        ("", "national-id"),
    ],
)
def test_national_id_of_a_person(text: str, expected: str) -> None:
    assert reason(check_person_id, text) == expected


@pytest.mark.req("BAL-2")
@given(st.integers(0, 10**10 - 1), st.integers(1, 9))
def test_one_digit_of_ten_is_the_key(number: int, shift: int) -> None:
    keys = [key for key in range(10) if luhn_holds(f"{number:010}{key}")]
    assert len(keys) == 1
    assert not luhn_holds(f"{number:010}{(keys[0] + shift) % 10}")


@pytest.mark.req("BAL-3")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1690000019", ""),
        ("10B0078671", ""),
        ("1C90000019", "structure-id"),
        ("347976684200724", ""),
        ("347976684200725", "siret-key"),
        ("rpps-rang:99700366240", ""),
        ("with space:1", "structure-id"),
        ("", "structure-id"),
    ],
)
def test_structure_id(text: str, expected: str) -> None:
    assert reason(check_structure_id, text) == expected


@pytest.mark.req("BAL-1", "BAL-2", "BAL-3", "BAL-4")
@pytest.mark.parametrize(
    ("kind", "national_id", "structure", "responsible", "expected"),
    [
        (BoxType.PER, RPPS, "", "", ""),
        (BoxType.PER, "", "", "", "national-id"),
        (BoxType.ORG, "", "1690000019", RPPS, ""),
        (BoxType.ORG, "", "", RPPS, "structure-id"),
        (BoxType.CAB, "", "1690000019", "", "national-id"),
        (BoxType.APP, "", "1690000019", RPPS, ""),
        (BoxType.APP, "", "1690000019", "", "national-id"),
        (BoxType.PAT, "", "", "", ""),
    ],
)
def test_what_each_type_requires(
    kind: BoxType, national_id: str, structure: str, responsible: str, expected: str
) -> None:
    assert reason(check_box, kind, national_id, structure, responsible) == expected


@pytest.mark.req("BAL-2", "BAL-3", "BAL-4")
@pytest.mark.parametrize(
    ("kind", "role", "holders", "expected"),
    [
        (BoxType.PER, "holder", 0, ""),
        (BoxType.PER, "holder", 1, "second-holder"),
        (BoxType.PER, "member", 0, "role"),
        (BoxType.ORG, "member", 0, ""),
        (BoxType.ORG, "holder", 0, "role"),
        (BoxType.CAB, "responsible", 0, ""),
        (BoxType.APP, "member", 0, "role"),
    ],
)
def test_who_may_be_tied_to_a_box(kind: BoxType, role: str, holders: int, expected: str) -> None:
    assert reason(check_member, kind, role, holders) == expected


@pytest.mark.req("BAL-5", "PAT-1")
def test_the_life_of_a_box() -> None:
    possible = {
        (before.value, after.value)
        for before in BoxState
        for after in BoxState
        if not reason(check_transition, BoxType.ORG, before, after)
    }
    assert possible == {
        ("active", "suspended"),
        ("active", "closed"),
        ("not_activated", "active"),
        ("not_activated", "closed"),
        ("suspended", "active"),
        ("suspended", "closed"),
        ("closed", "active"),
        ("closed", "purged"),
    }
    assert reason(check_transition, BoxType.PAT, BoxState.ACTIVE, BoxState.SUSPENDED) == "patient-state"


@pytest.mark.req("BAL-5")
@pytest.mark.parametrize(
    ("state", "days", "expected"),
    [
        (BoxState.CLOSED, 180.0, ""),
        (BoxState.CLOSED, 179.99, "retention"),
        (BoxState.CLOSED, 0.0, "retention"),
        (BoxState.CLOSED, -1.0, "retention"),
        (BoxState.ACTIVE, 999.0, "state-transition"),
        (BoxState.SUSPENDED, 999.0, "state-transition"),
        (BoxState.PURGED, 999.0, "state-transition"),
    ],
)
def test_a_box_is_purged_only_when_closed_for_the_whole_retention(
    state: BoxState, days: float, expected: str
) -> None:
    assert reason(check_purge, state, 1000.0, 1000.0 + days * 86400, House()) == expected


@pytest.mark.req("PAT-1", "INS-1", "INS-2")
def test_a_patient_is_set_up_under_a_valid_ins_of_the_patient_domain() -> None:
    house, demo = House(), House(realm=Realm.DEMO)
    good, bad = (parse_address(f"{ins}@patient.mssante.fr") for ins in ("285037728417346", "285037728417347"))
    assert str(check_patient(good, house)) == "285037728417346"
    assert reason(check_patient, bad, house) == "ins-key"
    assert reason(check_patient, bad, demo) == ""
    assert reason(check_patient, parse_address("285037728417346@example.org"), house) == "patient-domain"


@pytest.mark.req("BAL-8")
@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("fin", True),
        ("leave", True),
        ("reply-to=accueil@hopital.mssante.fr", True),
        ("reply-to=", False),
        ("reply-to=a@b.fr\r\nBcc: c@d.fr", False),
        ("never", False),
    ],
)
def test_the_choice_of_an_app_box(value: str, accepted: bool) -> None:
    assert (reason(check_fin, value) == "") is accepted
