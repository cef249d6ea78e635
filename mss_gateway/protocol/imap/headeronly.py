"""What SEARCH reads of a header block when it reads nothing else: one field, the Date as written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mss_gateway.mail.dates import parse_date

_NAME = re.compile(r"[!-9;-~]+\Z")


def field_values(header: bytes, lowered: bytes, field: str) -> list[bytes]:
    """What `mail.searchtext.header_values` gives, without looking at other fields; `lowered` is the header's."""
    marker = _marker(field)
    name = marker[1:]
    found: list[bytes] = []
    at = 0 if lowered.startswith(name) else lowered.find(marker) + 1 or -1
    while at >= 0 and name:
        end = colon = at + len(name)
        while lowered[colon : colon + 1] in (b" ", b"\t"):
            colon += 1
        if lowered[colon : colon + 1] == b":":
            end = _value_end(lowered, colon)
            found.append(header[colon + 1 : end])
        at = lowered.find(marker, end) + 1 or -1
    return found


@lru_cache(maxsize=64)
def _marker(field: str) -> bytes:
    """What a field of that name begins with; nothing but the line feed when no field can have the name."""
    return b"\n" + field.encode("ascii") if _NAME.match(field) else b"\n"


def _value_end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    while end >= 0 and text[end + 1 : end + 2] in (b" ", b"\t"):
        end = text.find(b"\n", end + 1)
    return len(text) if end < 0 else end


_TIMED = re.compile(rb"[^:]{1,60}:\s{0,9}[0-9]{2}(?:\s{0,9}:\s{0,9}[0-9]{2})?")


def written_date(value: bytes) -> float | None:
    """A Date header as epoch seconds of its day and time as written, whatever its zone; None when it is none."""
    timed = _TIMED.match(value)
    written = parse_date(timed.group()) if timed is not None else None
    return parse_date(value) if written is None else written


class HeaderOnly:
    """A message of which nothing is known but its header."""

    __slots__ = ("_header",)

    uid = number = modseq = size = 0
    internal_date = save_date = 0.0
    flags: frozenset[str] = frozenset()

    def __init__(self, header: bytes) -> None:
        self._header = header

    def header(self) -> bytes:
        """The header block."""
        return self._header

    def sent_at(self) -> float | None:
        """The Date header, its time as written."""
        values = field_values(self._header, self._header.lower(), "date")
        return written_date(values[0].strip()) if values else None

    def texts(self) -> str:
        """Not known."""
        return ""

    def unfolded(self) -> Iterator[str]:
        """Not known."""
        return iter(())

    def email_id(self) -> str:
        """Not known."""
        return ""

    def thread_id(self) -> str:
        """Not known."""
        return ""
