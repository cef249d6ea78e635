"""Dates of IMAP: `1-Feb-1994` and `"17-Jul-1996 02:44:25 -0700"` (RFC 9051 section 9, date and date-time)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

from .cursor import Malformed

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_DATE_TIME = re.compile(
    rb"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)


def _month(name: bytes) -> int:
    return _MONTHS.index(name.decode("ascii").lower()) + 1


def parse_date(text: bytes) -> date:
    """Read `1-Feb-1994`; raises `Malformed`."""
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError("not a date")
        day, month, year = found.groups()
        return date(int(year), _month(month), int(day))
    except ValueError:
        raise Malformed("Not a date") from None


def parse_date_time(text: bytes) -> float:
    """Read `17-Jul-1996 02:44:25 -0700` (leap seconds become :59) to epoch seconds; raises `Malformed`."""
    found = _DATE_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError("not a date-time")
        day, month, year, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
        offset = timedelta(hours=int(zone_hour), minutes=int(zone_minute))
        zone = timezone(-offset if sign == b"-" else offset)
        moment = datetime(
            int(year), _month(month), int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone
        )
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise Malformed("Not a date and time") from None
