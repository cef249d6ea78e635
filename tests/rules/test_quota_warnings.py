"""When a mailbox is told that it fills up, and what it reads (BAL-9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.rules.quota import MARGIN, warning
from mss_gateway.rules.quota_texts import shown_octets, warning_text

THRESHOLDS = (80, 95)


@pytest.mark.req("BAL-9")
@pytest.mark.parametrize(
    ("before", "used", "expected"),
    [
        (0, 79.9, (0, None)),
        (0, 80, (80, 80)),
        (0, 97, (95, 95)),
        (80, 81, (80, None)),
        (80, 95, (95, 95)),
        (95, 101, (95, None)),
        (95, 91, (95, None)),
        (95, 90, (80, None)),
        (95, 76, (80, None)),
        (95, 75, (0, None)),
        (80, 75.1, (80, None)),
        (80, 10, (0, None)),
    ],
)
def test_each_threshold_is_told_once_and_armed_again_well_below(
    before: int, used: float, expected: tuple[int, int | None]
) -> None:
    assert warning(before, used, THRESHOLDS) == expected


@pytest.mark.req("BAL-9")
@given(st.lists(st.floats(0, 120), max_size=40), st.sets(st.integers(1, 99), max_size=4))
def test_no_threshold_is_told_again_before_it_was_well_below(uses: list[float], chosen: set[int]) -> None:
    thresholds, told = sorted(chosen), 0
    armed = dict.fromkeys(thresholds, True)
    for used in uses:
        told, due = warning(told, used, thresholds)
        if due is not None:
            assert armed[due]
            assert used >= due
            armed.update({one: False for one in thresholds if one <= due})
        assert told in (0, *thresholds)
        armed.update({one: True for one in thresholds if used <= one - MARGIN})
    assert all(armed[one] or one <= told for one in thresholds)


@pytest.mark.req("BAL-9", "INS-7")
def test_the_words_name_the_place_and_nothing_of_the_mail() -> None:
    text = warning_text("secretariat@exemple.fr", 80, (8 * 2**30, 10 * 2**30, 12, 0), patient=False)
    assert "secretariat@exemple.fr a atteint 80 %" in text
    assert "8 Gio sur 10 Gio" in text
    assert "messages :" not in text
    own = warning_text("285037728417346@patient.mssante.fr", 95, (0, 0, 95, 100), patient=True)
    assert "95 sur 100" in own
    assert "285037728417346" not in own
    assert [shown_octets(size) for size in (0, 1023, 1536, 5 * 2**40)] == [
        "0 octets",
        "1023 octets",
        "1,5 Kio",
        "5 Tio",
    ]
