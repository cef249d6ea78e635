"""Letters at once to one destination: few at first, never too many, never none (QUE-2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.rules.pace import Pace

SMALL = st.integers(min_value=-2, max_value=30)


@pytest.mark.req("QUE-2")
@given(SMALL, SMALL, st.lists(st.sampled_from(["waiting", "idle", "silent"]), max_size=300))
def test_it_stays_within_its_bounds(least: int, most: int, heard: list[str]) -> None:
    """Whatever is heard, in any order; one answer adds one at most, and only while others wait."""
    pace = Pace.beginning(least, most)
    for what in heard:
        before = pace.allowed
        pace = pace.silent() if what == "silent" else pace.answered(waiting=what == "waiting")
        assert 1 <= pace.least <= pace.allowed <= max(1, most)
        assert pace.allowed - before <= (what == "waiting")
        assert what != "silent" or pace == Pace.beginning(least, most)
        assert what != "idle" or pace.allowed == before


@pytest.mark.req("QUE-2")
def test_as_many_answers_as_rooms_bring_one_more() -> None:
    """From two to five: 2, 3 and 4 answers."""
    pace, seen = Pace.beginning(2, 5), []
    for _ in range(12):
        seen.append(pace.allowed)
        pace = pace.answered(waiting=True)
    assert seen == [2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5]


@pytest.mark.req("QUE-2")
@given(SMALL, SMALL, SMALL, st.integers(min_value=0, max_value=500))
def test_what_is_shared_leaves_each_its_beginning(least: int, most: int, total: int, others: int) -> None:
    """And never gives more than is allowed."""
    pace = Pace.beginning(least, most)
    for _ in range(200):
        pace = pace.answered(waiting=True)
    part = pace.beside(total, others)
    assert pace.least <= part <= pace.allowed
    assert pace.beside(10**9, others) == pace.allowed
