"""COMPARATOR and its answer (RFC 5255 section 4.10)."""

from __future__ import annotations

from collections.abc import Sequence

from .commands_comparator import ChooseComparator
from .comparators import Comparator, is_pattern
from .cursor import Cursor, Malformed
from .quoting import astring

_MAX_PATTERNS = 100


def comparator(cursor: Cursor) -> ChooseComparator:
    """COMPARATOR with any number of patterns."""
    patterns: list[str] = []
    while not cursor.at_end():
        cursor.space()
        pattern = cursor.text_string()
        if not is_pattern(pattern):
            raise Malformed("Not the name of a comparator")
        patterns.append(pattern)
        if len(patterns) > _MAX_PATTERNS:
            raise Malformed("Too many comparators")
    return ChooseComparator(tuple(patterns))


def comparator_line(active: Comparator, matching: Sequence[Comparator]) -> bytes:
    """The COMPARATOR response; those that match are told when there are several (RFC 5255 section 4.8)."""
    names = [astring(one.value.encode("ascii")) for one in matching]
    shown = b" (%b)" % b" ".join(names) if len(names) > 1 else b""
    return b"* COMPARATOR %b%b\r\n" % (astring(active.value.encode("ascii")), shown)
