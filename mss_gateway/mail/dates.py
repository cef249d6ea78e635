"""Dates of mail: read leniently, written exactly; the clock is always an argument."""

from __future__ import annotations

import re
from datetime import date

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_EPOCH = date(1970, 1, 1).toordinal()
_LONGEST = 200  # octets looked at: no date is longer

_ZONES = {
    "ut": 0,
    "gmt": 0,
    "utc": 0,
    "z": 0,
    "wet": 0,
    "west": 60,
    "bst": 60,
    "cet": 60,
    "met": 60,
    "cest": 120,
    "mest": 120,
    "mesz": 120,
    "mez": 60,
    "eet": 120,
    "eest": 180,
    "est": -300,
    "edt": -240,
    "cst": -360,
    "cdt": -300,
    "mst": -420,
    "mdt": -360,
    "pst": -480,
    "pdt": -420,
}

_RFC5322 = re.compile(
    r"\s*+(?:[A-Za-z]{2,9}+\.?\s*+,?\s*+)?(\d{1,2})(?:\s++|-)([A-Za-z]{3})[a-z]*+\.?(?:\s++|-)(\d{2,4}),?\s++"
    r"(\d{1,2})\s*+:\s*+(\d{1,2})(?:\s*+:\s*+(\d{1,2})(?:\.\d++)?)?\s*+(?:([+-]\d{2}):?(\d{2})|([A-Za-z]++))?"
)
_ASCTIME = re.compile(
    r"\s*+[A-Za-z]{3}\s++([A-Za-z]{3})\s++(\d{1,2})\s++(\d{1,2}):(\d{2}):(\d{2})\s++(?:[A-Z]{1,5}\s++)?(\d{4})"
)


def _without_comments(text: str) -> str:
    out: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif not depth:
            out.append(piece)
    return " ".join(out)


def _zone(sign_hours: str | None, minutes: str | None, name: str | None) -> int:
    if sign_hours and minutes:
        hours = int(sign_hours)
        offset = abs(hours) * 60 + int(minutes)
        return -offset if sign_hours[0] == "-" else offset
    # An unknown name means an unknown offset, read as UTC (RFC 5322 section 4.3).
    return _ZONES.get(name.lower(), 0) if name else 0


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(text) == 3 else year


def parse_date(value: bytes) -> float | None:
    """Return the epoch seconds of a Date field (RFC 5322 sections 3.3 and 4.3), or None.

    Lenient: weekday missing or wrong, two- and three-digit years, zone names, comments, asctime order.
    """
    text = value[:_LONGEST].decode("latin-1")
    if "(" in text:
        text = _without_comments(text)
    match = _RFC5322.match(text)
    if match:
        day, month, year, hour, minute, second = match.group(1, 2, 3, 4, 5, 6)
        offset = _zone(*match.group(7, 8, 9))
    else:
        match = _ASCTIME.match(text)
        if not match:
            return None
        month, day, hour, minute, second, year = match.groups()
        offset = 0
    try:
        days = date(_year(year), _MONTH.get(month.lower(), 0), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60 or abs(offset) >= 1440:
        return None
    return float(days * 86400 + hours * 3600 + minutes * 60 + seconds - offset * 60)


def _civil(at: float, offset: int) -> tuple[date, int, int, int]:
    days, seconds = divmod(int(at) + offset * 60, 86400)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return date.fromordinal(min(max(days + _EPOCH, 1), date.max.toordinal())), hour, minute, second


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{rest:02d}"


def format_date(at: float, offset: int = 0) -> str:
    """Return epoch seconds as an RFC 5322 date-time; `offset` is the zone in minutes east of UTC."""
    day, hour, minute, second = _civil(at, offset)
    return (
        f"{_DAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1]} {day.year:04d}"
        f" {hour:02d}:{minute:02d}:{second:02d} {_offset(offset)}"
    )
