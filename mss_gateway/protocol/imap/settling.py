"""SEARCH keys made independent of a session: numbers, `*` and `$` become UIDs, intervals become moments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from .searchkeys import (
    TEXTS,
    AmongUids,
    And,
    ArrivedFrom,
    ArrivedUntil,
    DateTest,
    Fuzzy,
    InSequence,
    InUids,
    Older,
    Or,
    SearchKey,
    SentBetween,
    SentOn,
    Younger,
    rewrite,
    walk,
)
from .sequence import MAX_NUMBER, STAR, SequenceSet, merge
from .tracker import SequenceView

_DAY = 86400
_EVER = 1e15


def settle(key: SearchKey, view: SequenceView, now: float) -> SearchKey:
    """The same search by UIDs and epoch seconds alone, as `view` numbers the messages at this moment.

    Numbers that no message has name nothing. `now` is in epoch seconds (RFC 5032 section 2).
    """

    def leaf(node: SearchKey) -> SearchKey:
        match node:
            case InSequence(numbers):
                return InUids(_saved(view) if numbers.saved else _by_number(numbers, view))
            case InUids(uids):
                return InUids(_saved(view) if uids.saved else _by_uid(uids, view))
            case Younger(seconds):
                return ArrivedFrom(now - seconds)
            case Older(seconds):
                return ArrivedUntil(now - seconds)
            case Fuzzy(inner) if not any(isinstance(below, TEXTS) for below in walk(inner)):
                return rewrite(inner, leaf)  # FUZZY says nothing about such keys (RFC 6203 section 3)
            case _:
                return node

    return rewrite(key, leaf)


def keep_saved(key: SearchKey, view: SequenceView) -> SearchKey:
    """The same search with what `$` means now in its place, for a context that outlives the result kept."""

    def leaf(node: SearchKey) -> SearchKey:
        saved = (
            isinstance(node, InSequence | InUids)
            and (node.numbers if isinstance(node, InSequence) else node.uids).saved
        )
        return InUids(_saved(view)) if saved else node

    return rewrite(key, leaf)


def by_number(key: SearchKey) -> bool:
    """Does the search name messages by sequence number? `$` does not count as one."""
    return any(isinstance(node, InSequence) and not node.numbers.saved for node in walk(key))


def shifting(key: SearchKey) -> bool:
    """May the answer for one message change without a change of it: by the clock, or as numbers move?"""
    return any(isinstance(node, InSequence | Younger | Older) or _starred(node) for node in walk(key))


def narrowed(key: SearchKey) -> SearchKey:
    """The same search with SENT keys asked of the header only around midnight.

    What the store keeps of the Date header is a moment; the key compares the day as written, whatever the zone
    (RFC 9051 section 6.4.4), and no zone is a day off.
    """

    def leaf(node: SearchKey) -> SearchKey:
        if not isinstance(node, SentOn):
            return node
        day = node.day
        start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        doubt = And((SentBetween(start - _DAY, start + _DAY), node))
        match node.test:
            case DateTest.BEFORE:
                return Or(SentBetween(-_EVER, start - _DAY), doubt)
            case DateTest.SINCE:
                return Or(SentBetween(start + _DAY, _EVER), doubt)
            case DateTest.ON:
                return And((SentBetween(start - _DAY, start + 2 * _DAY), node))

    return rewrite(key, leaf)


def sieve(key: SearchKey) -> SearchKey:
    """What the sets of UIDs in a settled search tell alone: it holds wherever the search does, and costs nothing."""
    match key:
        case InUids() | AmongUids():
            return key
        case And(keys):
            return And(tuple([found for found in map(sieve, keys) if found != And(())]))
        case Or(left, right):
            first, second = sieve(left), sieve(right)
            return And(()) if And(()) in (first, second) else Or(first, second)
        case _:
            return And(())


def runs(uids: Iterable[int]) -> SequenceSet:
    """A set of these ascending UIDs."""
    ranges: list[tuple[int, int]] = []
    first = last = 0
    for uid in uids:
        if uid != last + 1 or not first:
            if first:
                ranges.append((first, last))
            first = uid
        last = uid
    if first:
        ranges.append((first, last))
    return SequenceSet(tuple(ranges))


def _starred(node: SearchKey) -> bool:
    return isinstance(node, InUids) and any(
        high == STAR and low > MAX_NUMBER for low, high in node.uids.ranges
    )


def _saved(view: SequenceView) -> SequenceSet:
    return runs(sorted(view.saved))


def _by_uid(numbers: SequenceSet, view: SequenceView) -> SequenceSet:
    last = view.last_uid
    ranges = [(min(low, last), last) if high == STAR else (low, high) for low, high in numbers.ranges]
    return SequenceSet(merge(ranges)) if ranges else numbers


def _by_number(numbers: SequenceSet, view: SequenceView) -> SequenceSet:
    count, uids = len(view), view.uids
    ranges = []
    for low, high in numbers.ranges:
        if high == STAR:
            low, high = min(low, count), count
        high = min(high, count)
        if 1 <= low <= high:
            ranges.append((uids[low - 1], uids[high - 1]))
    return SequenceSet(merge(ranges)) if ranges else SequenceSet()
