"""What the registry takes, and when traits agree (INS-4, INS-5)."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules import identities
from mss_gateway.rules.facts import IdentityStatus, Realm
from mss_gateway.rules.identities import (
    IDENTITY_REASONS,
    TRAITS,
    Born,
    check_identity,
    compare_traits,
    parse_born,
    parse_department,
    parse_sex,
    screen,
)
from mss_gateway.rules.ins import parse_ins
from mss_gateway.rules.reasons import REASONS
from tests.support.identities import CORSE, NIR_TEST, TODAY, WRONG_KEY, ZOE, number, rows

FIELDS = ("ins", "oid", "family", "given", "sex", "born", "place", "status")


@pytest.mark.req("INS-5")
@pytest.mark.parametrize("row", [ZOE, CORSE], ids=["zoe", "corse"])
def test_published_identities_are_fit(row: dict[str, str]) -> None:
    traits = check_identity(row, Realm.PRODUCTION, TODAY)
    assert (str(traits.ins), str(traits.born), traits.status.value) == (
        row["ins"],
        row["born"],
        row["status"],
    )


@pytest.mark.req("INS-5")
@given(rows())
@settings(max_examples=150)
def test_a_valid_identity_comes_back_as_it_was(row: dict[str, str]) -> None:
    traits = check_identity(row, Realm.PRODUCTION, TODAY)
    found = {name: getattr(traits, name) for name in FIELDS}
    assert {name: getattr(value, "value", str(value)) for name, value in found.items()} == row
    assert compare_traits(traits, row["sex"], traits.born, traits.ins.department) == []


@pytest.mark.req("INS-5", "INS-7")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ins": ""}, "ins-length"),
        ({"ins": "2751263220749"}, "ins-length"),
        ({"ins": "27512632207497X"}, "ins-characters"),
        ({"ins": "575126322074974"}, "ins-sex"),
        ({"ins": "275136322074974"}, "ins-month"),
        ({"ins": "275120022074974"}, "ins-department"),
        ({"ins": "275126322074975"}, "ins-key"),
        ({"oid": ""}, "identity-oid"),
        ({"oid": "1.2.250.1.213.1.4.2"}, "identity-oid"),
        ({"oid": NIR_TEST}, "identity-oid-realm"),
        ({"oid": "1.2.250.1.213.1.4.11"}, "identity-oid-realm"),
        ({"family": "  "}, "identity-name"),
        ({"given": ""}, "identity-name"),
        ({"given": "275126322074974"}, "identity-name"),
        ({"family": "-"}, "identity-name"),
        ({"family": "A" * 251}, "identity-name"),
        ({"family": "A\x00B"}, "identity-name"),
        ({"family": "A\u202eB"}, "identity-name"),
        ({"sex": ""}, "identity-sex"),
        ({"sex": "X"}, "identity-sex"),
        ({"sex": "M"}, "identity-sex-ins"),
        ({"born": ""}, "identity-born"),
        ({"born": "1975-12"}, "identity-born"),
        ({"born": "1975-12-32"}, "identity-born"),
        ({"born": "2075-12-31"}, "identity-born"),
        ({"born": "1875-12-31"}, "identity-born"),
        ({"born": "1976-12-31"}, "identity-born-ins"),
        ({"born": "1975-11-30"}, "identity-born-ins"),
        ({"place": ""}, "identity-place"),
        ({"place": "CLERMONT-FERRAND"}, "identity-place"),
        ({"place": "00123"}, "identity-place"),
        ({"place": "2C123"}, "identity-place"),
        ({"status": "QUALIFIEE"}, "identity-status"),
        ({"status": ""}, "identity-status"),
    ],
)
def test_a_bad_row_is_named_without_who_it_is(changes: dict[str, str], reason: str) -> None:
    row = ZOE | changes
    with pytest.raises(InvalidValue) as caught:
        check_identity(row, Realm.PRODUCTION, TODAY)
    assert caught.value.reason == reason
    assert reason in IDENTITY_REASONS or reason in REASONS
    shown = caught.value.public
    assert row["ins"][:13] not in shown or not row["ins"]
    assert "ADRUN" not in shown


@pytest.mark.req("INS-5", "INS-2")
def test_in_test_and_demo_a_wrong_key_passes_for_their_own_numbers_alone() -> None:
    row = ZOE | {"ins": WRONG_KEY, "sex": "M", "born": "1981-03-04", "oid": NIR_TEST}
    assert not check_identity(row, Realm.TEST, TODAY).ins.key_holds
    for realm, oid in ((Realm.TEST, ZOE["oid"]), (Realm.DEMO, ZOE["oid"])):
        with pytest.raises(InvalidValue, match="key"):
            check_identity(row | {"oid": oid}, realm, TODAY)
    with pytest.raises(InvalidValue, match="belong in demo"):
        check_identity(row, Realm.DEMO, TODAY)


@pytest.mark.req("INS-5")
def test_what_the_number_does_not_tell_is_not_held_against_a_row() -> None:
    """A temporary number tells no sex, a fictive month none of birth."""
    born = date(1975, 12, 31)
    for first, month in (("7", 0), ("8", 0), ("2", 20), ("2", 31), ("2", 99)):
        row = ZOE | {"ins": number(first, born, "63220", 749, month)}
        assert check_identity(row, Realm.PRODUCTION, TODAY).sex == "F"


@pytest.mark.req("INS-5")
@given(st.fixed_dictionaries({name: st.text(max_size=40) for name in FIELDS}), st.sampled_from(list(Realm)))
@settings(max_examples=200)
def test_any_text_is_an_identity_or_a_sentence(row: dict[str, str], realm: Realm) -> None:
    for changed in (row, ZOE | {name: row[name] for name in FIELDS[2:5]}, ZOE | {"born": row["born"]}):
        try:
            reason = str(check_identity(changed, realm, TODAY).status.value)
        except InvalidValue as invalid:
            reason = invalid.reason
        assert reason in IDENTITY_REASONS or reason in REASONS or reason in IdentityStatus.__members__


@pytest.mark.req("INS-4")
@pytest.mark.parametrize(
    ("text", "born"),
    [
        ("1985-03-31", Born(1985, 3, 31)),
        ("1985-03", Born(1985, 3)),
        ("03/1985", Born(1985, 3)),
        ("3/1985", Born(1985, 3)),
        ("31/03/1985", Born(1985, 3, 31)),
        (" 31.03.1985 ", Born(1985, 3, 31)),
        ("19850331", Born(1985, 3, 31)),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, born: Born) -> None:
    assert parse_born(text, TODAY) == born


@pytest.mark.req("INS-4")
@pytest.mark.parametrize(
    "text", ["", "1985", "31/03/85", "2026-11-22", "1985-00", "1985-03-00", "0/1985", "mars 1985"]
)
def test_what_is_no_date_of_birth_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_born(text, TODAY)


@pytest.mark.req("INS-4")
@pytest.mark.parametrize(
    ("sex", "born", "department", "wrong"),
    [
        ("F", "1985-03-31", "77", []),
        ("F", "03/1985", "77", []),
        ("M", "1985-03-31", "77", ["sex"]),
        ("F", "1986-03-31", "77", ["year"]),
        ("F", "1985-04-30", "77", ["month"]),
        ("F", "1985-03-31", "75", ["department"]),
        ("M", "1986-04-30", "99", ["sex", "year", "month", "department"]),
    ],
)
def test_traits_against_the_number_alone(sex: str, born: str, department: str, wrong: list[str]) -> None:
    ins = parse_ins("285037728417346")
    assert compare_traits(ins, sex, parse_born(born, TODAY), department) == wrong
    assert set(wrong) <= set(TRAITS)


@pytest.mark.req("INS-4", "INS-5")
def test_a_known_identity_tells_the_day_and_the_century() -> None:
    known = check_identity(ZOE, Realm.PRODUCTION, TODAY)
    assert compare_traits(known, "F", Born(1975, 12, 31), "63") == []
    assert compare_traits(known, "F", Born(1975, 12, 30), "63") == ["day"]
    assert compare_traits(known, "F", Born(1975, 12), "63") == []
    fictive = check_identity(
        ZOE | {"ins": number("2", date(1975, 12, 31), "63220", 749, 31)}, Realm.TEST, TODAY
    )
    assert compare_traits(fictive.ins, "F", Born(1975, 4), "63") == []
    assert compare_traits(fictive, "F", Born(1975, 4), "63") == ["month"]
    old = number("2", date(1910, 12, 31), "63220", 749)
    assert compare_traits(parse_ins(old), "F", Born(2010, 12), "63") == []
    known = check_identity(ZOE | {"ins": old, "born": "1910-12-31"}, Realm.TEST, TODAY)
    assert compare_traits(known, "F", Born(2010, 12), "63") == ["year"]


@pytest.mark.req("INS-4")
def test_corsica_overseas_and_departments_cut_anew() -> None:
    corse = check_identity(CORSE, Realm.PRODUCTION, TODAY)
    assert compare_traits(corse, "M", Born(1980, 3, 2), "2B") == []
    assert compare_traits(corse, "M", Born(1980, 3, 2), "2A") == ["department"]
    before = parse_ins(number("1", date(1970, 3, 2), "20020", 401))
    assert compare_traits(before, "M", Born(1970, 3), "2B") == []
    island = parse_ins(number("1", date(1970, 3, 2), "97105", 401))
    assert compare_traits(island, "M", Born(1970, 3), "971") == []
    assert compare_traits(island, "M", Born(1970, 3), "972") == ["department"]
    row = ZOE | {"ins": number("2", date(1960, 1, 2), "75110", 3), "born": "1960-01-02", "place": "92012"}
    moved = check_identity(row, Realm.PRODUCTION, TODAY)
    assert [compare_traits(moved, "F", Born(1960, 1), one) for one in ("75", "92")] == [[], []]


@pytest.mark.req("INS-4")
def test_departments_and_sexes_are_read_leniently() -> None:
    assert [parse_department(text) for text in ("1", "77", "2a", " 974 ", "99")] == [
        "01",
        "77",
        "2A",
        "974",
        "99",
    ]
    for text in ("", "00", "100", "97", "2C", "Paris"):
        with pytest.raises(InvalidValue):
            parse_department(text)
    assert [parse_sex(text) for text in ("f", "2", "Femme", "h", "Masculin", "1")] == list("FFFMMM")


@pytest.mark.req("INS-4")
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("285037728417346", ("Une femme", "Née en mars 1985", "Née dans le département 77")),
        ("180032B02040123", ("Un homme", "Né en mars 1980", "Né dans le département 2B")),
        ("285209714217300", ("Une femme", "Née en 1985 (mois inconnu)", "Née dans le département 971")),
        ("285039935017300", ("Une femme", "Née en mars 1985", "Née à l'étranger (code pays 99350)")),
    ],
)
def test_the_three_lines_of_the_senders_screen(text: str, lines: tuple[str, ...]) -> None:
    assert screen(parse_ins(text), 2026) == lines


def test_the_slugs_are_those_that_the_rules_say() -> None:
    """Each slug of the dict is said somewhere, and none is said that is in no dict."""
    said = {
        call.args[-1].value
        for call in ast.walk(ast.parse(Path(identities.__file__).read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "InvalidValue"
        if isinstance(call.args[-1], ast.Constant)
    }
    assert said - {"ins-key"} == set(IDENTITY_REASONS)


@pytest.mark.req("INS-7")
def test_traits_show_nobody_in_a_repr() -> None:
    shown = repr(check_identity(ZOE, Realm.PRODUCTION, TODAY))
    assert not [word for word in ("ADRUN", "ZOE", "63220", "1975") if word in shown]
    assert IdentityStatus.QUAL.name in shown
