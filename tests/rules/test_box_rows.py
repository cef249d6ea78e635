"""Rows of a file of mailboxes, delegations, and how much a file may close (BAL-1..6, BAL-9)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules.box_rows import check_closing, parse_box_row
from mss_gateway.rules.boxes import check_delegation, check_login, check_place, check_reason
from mss_gateway.rules.facts import BoxState, BoxType
from mss_gateway.rules.national import structure_scheme

FIELDS = [
    *("address", "type", "display", "structure", "responsible", "national_id", "login", "members", "state"),
    *("reason", "quota_bytes", "quota_messages", "patient_initiated", "password_login", "fin", "auto_close"),
]
PER = {"address": "Anne.Essai@exemple.mssante.fr", "type": "per"}


@pytest.mark.req("BAL-1", "BAL-5", "BAL-9")
def test_empty_cells_leave_and_a_dash_empties() -> None:
    left = parse_box_row(PER)
    assert (str(left.address), left.type) == ("Anne.Essai@exemple.mssante.fr", BoxType.PER)
    assert (left.display, left.structure, left.quota_bytes, left.state, left.members) == (None,) * 5
    emptied = parse_box_row(
        {**PER, "display": "-", "structure": "-", "quota_bytes": "-", "auto_close": "never"}
    )
    assert (emptied.display, emptied.structure, emptied.quota_bytes, emptied.auto_close) == ("", "", 0, "")
    full = parse_box_row(
        {
            **PER,
            "state": " Suspendu ",
            "quota_bytes": "10G",
            "quota_messages": "5",
            "patient_initiated": "oui",
            "password_login": "0",
        }
    )
    assert (full.state, full.quota_bytes, full.quota_messages) == (BoxState.SUSPENDED, 10 * 2**30, 5)
    assert (full.patient_initiated, full.password_login) == (True, False)
    shared = parse_box_row({"address": "a@exemple.fr", "type": "ORG", "members": "anne paul|anne, zoe"})
    assert shared.members == ("anne", "paul", "zoe")


@pytest.mark.req("BAL-1", "BAL-2", "BAL-3")
@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"type": "PAT"}, "box-type"),
        ({"type": ""}, "box-type"),
        ({"structure": "75"}, "structure-id"),
        ({"national_id": "810000000008"}, "rpps-key"),
        ({"type": "ORG", "national_id": "810000000009"}, "role"),
        ({"type": "ORG", "login": "anne"}, "role"),
        ({"members": "paul"}, "role"),
        ({"type": "ORG", "members": " ".join(f"m{n}" for n in range(501))}, "members"),
        ({"state": "parti"}, "box-state"),
        ({"quota_bytes": "0"}, "quota-size"),
        ({"quota_messages": "x"}, "quota-messages"),
        ({"patient_initiated": "peut-être"}, "yes-or-no"),
        ({"fin": "plus tard"}, "fin-choice"),
        ({"auto_close": "send"}, "auto-close-choice"),
        ({"display": "x" * 201}, "text"),
        ({"display": "a\x1b[2Jb"}, "text"),
        ({"login": "deux mots"}, "login-shape"),
    ],
)
def test_what_is_wrong_has_its_reason(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidValue) as wrong:
        parse_box_row({**PER, **cells})
    assert wrong.value.reason == reason


@pytest.mark.req("BAL-1")
@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=30)))
def test_any_cells_are_a_row_or_refused(cells: dict[str, str]) -> None:
    for row in (cells, {**PER, **{name: value for name, value in cells.items() if name not in PER}}):
        with contextlib.suppress(InvalidValue):
            assert parse_box_row(row).type is not BoxType.PAT


@pytest.mark.req("BAL-5")
def test_a_file_cut_short_closes_nothing() -> None:
    check_closing(0, 0, 0, 9)
    check_closing(10, 100, 10, 0)
    for figures, reason in (((11, 100, 10, 0), "mass-closing"), ((1, 100, 10, 1), "unread-lines")):
        with pytest.raises(InvalidValue) as wrong:
            check_closing(*figures)
        assert wrong.value.reason == reason


@pytest.mark.req("BAL-4", "BAL-6")
def test_a_delegation_has_a_type_and_a_time() -> None:
    check_delegation(BoxType.CAB, 5, 10, 7)
    cases = ((BoxType.APP, 5, 10), (BoxType.PAT, 5, 10), (BoxType.PER, 5, 7), (BoxType.PER, 12, 10))
    for kind, begins, ends in cases:
        with pytest.raises(InvalidValue):
            check_delegation(kind, begins, ends, 7)


@pytest.mark.req("BAL-2", "BAL-3", "BAL-5")
def test_places_reasons_and_logins() -> None:
    check_place(BoxType.PER, "", "")
    check_place(BoxType.ORG, "1750000000", "810000000009")
    with pytest.raises(InvalidValue):
        check_place(BoxType.PER, "", "810000000009")
    with pytest.raises(InvalidValue):
        check_place(BoxType.ORG, "", "810000000009")
    check_reason("départ")
    with pytest.raises(InvalidValue):
        check_reason(" \t")
    check_login("a" * 254)
    for login in ("", "a" * 255, "a b", "a\n"):
        with pytest.raises(InvalidValue):
            check_login(login)
    ids = ("1750000000", "312345678901232", "rpps-rang:12")
    assert [structure_scheme(one) for one in ids] == ["finess", "siret", "rpps-rang"]
