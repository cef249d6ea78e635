"""Sequence sets as they stand in commands: compact, sorted, disjoint ranges (RFC 9051 section 9)."""

from __future__ import annotations

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
