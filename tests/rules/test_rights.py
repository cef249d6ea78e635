"""Rights by standing and grant (RFC 4314), and how sizes are written (BAL-9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules import access
from mss_gateway.rules.access import Standing, effective, expanded, shown, standing_of, stored
from mss_gateway.rules.facts import BoxType
from mss_gateway.rules.quota import parse_messages, parse_octets

LETTERS = st.frozensets(st.sampled_from(access.RIGHTS))


@pytest.mark.req("BAL-3", "PAT-6", "BAL-4")
@pytest.mark.parametrize(
    ("box", "role", "responsible", "standing"),
    [
        (BoxType.PER, "holder", False, Standing.OWNER),
        (BoxType.PAT, "holder", False, Standing.OWNER),
        (BoxType.PAT, "carer", False, Standing.CARER),
        (BoxType.PAT, "carer", True, Standing.CARER),
        (BoxType.APP, "member", False, Standing.OWNER),
        (BoxType.ORG, "member", False, Standing.MEMBER),
        (BoxType.CAB, "member", True, Standing.OWNER),
        (BoxType.ORG, "responsible", False, Standing.OWNER),
    ],
)
def test_standing(box: BoxType, role: str, responsible: bool, standing: Standing) -> None:
    """Who answers for a box owns it; a carer never does."""
    assert standing_of(box, role, responsible=responsible) is standing


@pytest.mark.req("PAT-6")
@given(LETTERS)
def test_nothing_makes_a_carer_delete(granted: frozenset[str]) -> None:
    """Whatever was granted, no t, e, x or a is in force."""
    assert not effective(Standing.CARER, stored(granted)) & frozenset("texa")


@pytest.mark.req("BAL-3")
@given(LETTERS, LETTERS)
def test_what_was_granted_is_in_force(granted: frozenset[str], members: frozenset[str]) -> None:
    """For a member exactly that, for an owner l and a as well; where nothing was, the setting's rights."""
    assert effective(Standing.MEMBER, stored(granted), members) == granted
    assert effective(Standing.OWNER, stored(granted), members) == granted | {"l", "a"}
    assert effective(Standing.MEMBER, None, members) == members
    assert effective(Standing.OWNER, None, members) == access.ALL


@pytest.mark.req("IMP-3")
@given(LETTERS)
def test_letters_that_are_shown_can_be_read_back(rights: frozenset[str]) -> None:
    """The obsolete letters stand when a member of theirs does (RFC 4314 section 2.1.1)."""
    text = shown(rights)
    assert ("c" in text) is bool(rights & {"k", "x"})
    assert ("d" in text) is bool(rights & {"t", "e"})
    assert expanded(text.replace("c", "").replace("d", "")) == rights
    assert expanded(stored(rights) + "cd") == rights | frozenset("kxte")


@pytest.mark.req("IMP-3")
@given(st.text(max_size=5))
def test_unknown_letters_are_named(text: str) -> None:
    """The first letter that is no right comes back in the exception."""
    unknown = next((letter for letter in text if letter not in access.RIGHTS + "cd"), None)
    if unknown is None:
        expanded(text)
        return
    with pytest.raises(ValueError) as raised:
        expanded(text)
    assert raised.value.args == (unknown,)


@pytest.mark.req("BAL-9")
@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("1", 1),
        ("10K", 10240),
        ("512m", 512 * 1024**2),
        ("10G", 10 * 1024**3),
        ("1T", 1024**4),
        ("default", 0),
    ],
)
def test_sizes(text: str, octets: int) -> None:
    """By powers of 1024."""
    assert parse_octets(text) == octets


@pytest.mark.req("BAL-9")
@pytest.mark.parametrize("text", ["", "0", "-1", "1.5G", "10GB", "G", "9" * 16, "999999999T", "1 0"])
def test_what_is_no_size(text: str) -> None:
    """0 is not a size: it would mean no limit, which is written `default`."""
    with pytest.raises(InvalidValue):
        parse_octets(text)


@pytest.mark.req("BAL-9")
def test_numbers_of_messages() -> None:
    """Whole and above 0."""
    assert [parse_messages(text) for text in ("1", "50000", "DEFAULT")] == [1, 50_000, 0]
    for text in ("", "0", "-1", "1e3", "²", "1" * 13):
        with pytest.raises(InvalidValue):
            parse_messages(text)
