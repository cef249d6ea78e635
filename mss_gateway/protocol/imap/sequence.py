"""Sequence sets as they stand in commands: compact, sorted, disjoint ranges (RFC 9051 section 9)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STAR = 1 << 32
"""The number that stands for `*`: larger than every UID and every sequence number."""

MAX_NUMBER = STAR - 1
"""The largest UID or sequence number (32 bits)."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """A set of UIDs or sequence numbers. `saved` is `$`, the result that SEARCH SAVE kept (RFC 5182).

    `ranges` are ascending and disjoint `(low, high)` pairs, both included; `high` may be `STAR`. A
    range whose `low` is above the last message of the mailbox but which ends at `STAR` means the last message.
    """

    ranges: tuple[tuple[int, int], ...] = ()
    saved: bool = False

    @property
    def open(self) -> bool:
        """Whether `*` is in it."""
        return bool(self.ranges) and self.ranges[-1][1] == STAR

    @property
    def count(self) -> int:
        """How many numbers it names; only of use without `*` and `$`."""
        return sum(high - low + 1 for low, high in self.ranges)

    def overlap(self, uids: Sequence[int]) -> list[int]:
        """Those of ascending UIDs that are in the set; `n:*` has no upper end here. Cost: the ranges and the result."""
        found: list[int] = []
        for low, high in self.ranges:
            found.extend(uids[bisect_left(uids, low) : bisect_right(uids, high)])
        return found


def _number(text: bytes) -> int:
    if text == b"*":
        return STAR
    if not text.isdigit() or len(text) > 10 or text[:1] == b"0":
        raise ValueError("not a sequence number")
    value = int(text)
    if value > MAX_NUMBER:
        raise ValueError("sequence number above 32 bits")
    return value


def parse_sequence_set(text: bytes) -> SequenceSet:
    """Read `1,3:5,9:*` or `$`; raise ValueError when it is neither. Cost n log n in the text, never in the range."""
    if text == b"$":
        return SequenceSet(saved=True)
    ranges = []
    for part in text.split(b","):
        low, colon, high = part.partition(b":")
        first = _number(low)
        last = _number(high) if colon else first
        ranges.append((first, last) if first <= last else (last, first))
    return SequenceSet(merge(ranges))


def merge(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sort the ranges and join those that overlap or touch."""
    if len(ranges) == 1:
        return (ranges[0],)
    ranges.sort()
    joined: list[tuple[int, int]] = []
    low, high = ranges[0]
    for first, last in ranges:
        if first <= high + 1:
            high = max(high, last)
        else:
            joined.append((low, high))
            low, high = first, last
    joined.append((low, high))
    return tuple(joined)


def window(uids: Sequence[int], first: int, last: int) -> Sequence[int]:
    """The places `first` to `last` of a list, from 1, or from its end when negative (RFC 9394 section 4)."""
    low, high = sorted((abs(first), abs(last)))
    if first > 0:
        return uids[low - 1 : high]
    count = len(uids)
    return uids[max(count - high, 0) : max(count - low + 1, 0)]


def ranges_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges, both ends included."""
    ranges: list[tuple[int, int]] = []
    first = last = 0
    for number in numbers:
        if number == last + 1 and first:
            last = number
            continue
        if first:
            ranges.append((first, last))
        first = last = number
    if first:
        ranges.append((first, last))
    return ranges
