"""The arguments of operations: numbers in their bounds, moments in local time, days with their end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mss_gateway.ops.operation import LARGEST, USAGE, OperationRefused, limit_of, moment, number

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's zone, which has a summer time."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("value", [None, True, False, 1.0, "1", -1, 11, 1 << 70, [1]])
def test_what_is_no_number_in_its_bounds_is_told_so(value: object) -> None:
    """One sentence with the bounds, whatever was asked for."""
    with pytest.raises(OperationRefused, match="The inactive days is a number from 0 to 10") as refused:
        number({"inactive_days": value}, "inactive_days", 3, most=10)
    assert (refused.value.reason, refused.value.exit_code) == ("bad-argument", USAGE)


def test_a_number_that_is_missing_has_its_default_or_is_refused() -> None:
    """A page of rows is never empty."""
    assert number({}, "after", 7) == 7
    assert number({"after": 0}, "after", 7) == 0
    assert number({"after": LARGEST}, "after") == LARGEST
    assert limit_of({}, 100, 1000) == 100
    with pytest.raises(OperationRefused, match="The after is a number from 0 on"):
        number({}, "after")
    with pytest.raises(OperationRefused, match="The limit is a number from 1 to 1000"):
        limit_of({"limit": 0}, 100, 1000)


@pytest.mark.parametrize(
    ("given", "last", "expected"),
    [
        ("2026-12-31", False, "2026-12-31T00:00"),
        ("2026-12-31", True, "2027-01-01T00:00"),
        ("20261231", True, "2027-01-01T00:00"),
        ("2026-03-29", True, "2026-03-30T00:00"),  # a day of 23 hours
        ("2026-10-25", True, "2026-10-26T00:00"),  # of 25 hours
        ("2026-07-14T18:00", True, "2026-07-14T18:00"),
        ("2026-07-14T18:00", False, "2026-07-14T18:00"),
        ("2026-07-14T16:00Z", True, "2026-07-14T18:00"),
        ("2026-07-14T23:00-05:00", False, "2026-07-15T06:00"),
    ],
)
@pytest.mark.usefixtures("in_paris")
def test_dates_are_days_of_the_machine_s_zone(given: str, last: bool, expected: str) -> None:
    """As an end a date is the end of that day, however many hours it has; a moment is that moment."""
    wanted = datetime.fromisoformat(expected).replace(tzinfo=PARIS).timestamp()
    assert moment({"until": given}, "until", last=last) == wanted


def test_no_moment_is_zero() -> None:
    """Also as the last one."""
    assert moment({}, "since") == 0.0
    assert moment({"until": ""}, "until", last=True) == 0.0


@given(st.text(max_size=30), st.booleans())
@example("9999-12-31", True)
@example("0001-01-01", False)
@example("0001-01-01T00:00+14:00", False)
def test_any_text_is_a_moment_or_refused(value: str, last: bool) -> None:
    """Never another exception."""
    with suppress(OperationRefused):
        assert isinstance(moment({"until": value}, "until", last=last), float)
