"""Tests about today are not begun in its last seconds: the day, the month or the year would change in them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

MARGIN = 40.0
"""Seconds in which such a test is over, also on a busy machine."""


def until_midnight(now: datetime) -> float:
    """Seconds of the clock on the wall until the date of an aware moment changes; an hour less or more on two days."""
    return (now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now).total_seconds()


def today() -> str:
    """The local day as YYYY-MM-DD, which is still today when the test is over; waits out the end of a day."""
    while (
        left := min(until_midnight(zone) for zone in (datetime.now().astimezone(), datetime.now(UTC)))
    ) < MARGIN:
        time.sleep(left + 0.1)
    return time.strftime("%Y-%m-%d")
