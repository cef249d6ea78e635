"""The UIDs of a mailbox as runs without a hole: what most mailboxes are made of, whatever their size."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import TypeAlias, overload

from .sequence import SequenceSet, ranges_of

MOST = 4096
"""Runs above which a plain table of UIDs is the better form, for each change makes all runs anew."""

LENGTH = 64
"""UIDs of a run, on average, below which the table is the better form."""


class UidRuns(Sequence[int]):
    """Ascending UIDs that is never changed: 16 octets for each run, however long the runs are.

    Raises ValueError for runs that are empty or not ascending.
    """

    __slots__ = ("_ends", "_starts")

    def __init__(self, runs: Iterable[range]) -> None:
        kept = list(runs)
        if any(not run or run.step != 1 for run in kept):
            raise ValueError("an empty run")
        if any(after.start < before.stop for before, after in pairwise(kept)):
            raise ValueError("runs that do not ascend")
        self._starts = array("L", [run.start for run in kept])
        self._ends = array("L")  # how many UIDs there are up to the end of each run
        count = 0
        for run in kept:
            count += len(run)
            self._ends.append(count)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.runs())

    def runs(self, first: int = 0, after: int | None = None) -> Iterator[range]:
        """The runs, as far as they lie between two places."""
        stop = len(self) if after is None else after
        if first >= stop:
            return
        for number in range(bisect_right(self._ends, first), len(self._starts)):
            before = self._ends[number - 1] if number else 0
            if before >= stop:
                return
            shift = self._starts[number] - before
            yield range(max(first, before) + shift, min(stop, self._ends[number]) + shift)

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...

    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        if isinstance(place, slice):
            return self._slice(place)
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError("no UID at this place")
        number = bisect_right(self._ends, place)
        return self._starts[number] + place - (self._ends[number - 1] if number else 0)

    def _slice(self, part: slice) -> Sequence[int]:
        first, stop, step = part.indices(len(self))
        if step != 1:
            return array("L", [self[place] for place in range(first, stop, step)])
        found = list(self.runs(first, stop))
        if len(found) > 1:
            return UidRuns(found)
        return found[0] if found else range(0)

    def place(self, uid: int) -> int:
        """Where a UID is, or would be: as `bisect_left`."""
        number = bisect_right(self._starts, uid) - 1
        if number < 0:
            return 0
        before = self._ends[number - 1] if number else 0
        return min(before + uid - self._starts[number], self._ends[number])

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        place = self.place(uid)
        return place < len(self) and self[place] == uid


Uids: TypeAlias = "array[int] | range | UidRuns"
"""The forms in which ascending UIDs are held: a range where there are no holes, a table where there are many."""


def place_of(uids: Uids, uid: int) -> int:
    """Where a UID is, or would be, at a cost of log n."""
    return uids.place(uid) if isinstance(uids, UidRuns) else bisect_left(uids, uid)


def runs_of(uids: Sequence[int]) -> list[range]:
    """Ascending UIDs as runs that do not touch."""
    if isinstance(uids, range | UidRuns):
        return _runs(uids, 0, len(uids))
    return [range(low, high + 1) for low, high in ranges_of(uids)]


def runs_among(uids: Uids, wanted: SequenceSet) -> list[range]:
    """The runs of those ascending UIDs that are in a set; `n:*` has no upper end here."""
    found: list[range] = []
    for low, high in wanted.ranges:
        found += runs_of(uids[place_of(uids, low) : place_of(uids, high + 1)])
    return found


def runs_between(holes: Iterable[range], after: int) -> list[range]:
    """The runs of all UIDs from 1 to below `after` without these ascending runs."""
    runs = []
    start = 1
    for hole in chain(holes, (range(after, after),)):
        if hole.start > start:
            runs.append(range(start, hole.start))
        start = hole.stop
    return runs


def runs_without(runs: Iterable[range], uids: Uids) -> list[range]:
    """Ascending runs without the UIDs that are among those."""
    left = []
    for run in runs:
        start = run.start
        place = place_of(uids, start)
        if place == len(uids) or uids[place] >= run.stop:
            left.append(run)
            continue
        for uid in uids[place : place_of(uids, run.stop)]:
            if uid > start:
                left.append(range(start, uid))
            start = uid + 1
        if start < run.stop:
            left.append(range(start, run.stop))
    return left


def fitting(runs: Sequence[range]) -> Uids:
    """Ascending runs in the form that fits."""
    if len(runs) < 2:
        return runs[0] if runs else range(1, 1)
    if len(runs) <= MOST and len(runs) * LENGTH <= sum(map(len, runs)):
        return UidRuns(runs)
    table = array("L")
    for run in runs:
        table.extend(run)
    return table


def without(uids: Uids, places: Sequence[int]) -> Uids:
    """The UIDs but for those at some places, ascending. Runs and whole slices are copied, not UIDs."""
    if isinstance(uids, array):
        return _cut(uids, places)
    left: list[range] = []
    start = 0
    for place in (*places, len(uids)):
        left += _runs(uids, start, place)
        start = place + 1
    return fitting(left)


def _runs(uids: range | UidRuns, first: int, after: int) -> list[range]:
    if isinstance(uids, UidRuns):
        return list(uids.runs(first, after))
    return [uids[first:after]] if after > first else []


def _cut(uids: array[int], places: Sequence[int]) -> array[int]:
    octets = memoryview(uids)
    slices = []
    start = 0
    for place in places:
        slices.append(octets[start:place])
        start = place + 1
    slices.append(octets[start:])
    kept = array("L")
    kept.frombytes(b"".join(slices))
    return kept


def with_more(uids: Uids, fresh: Sequence[int]) -> Uids:
    """The UIDs with ascending ones behind them; an array is extended in place."""
    if isinstance(uids, array):
        uids.extend(fresh)
        return uids
    runs = list(uids.runs()) if isinstance(uids, UidRuns) else [uids] if uids else []
    for uid in fresh:
        if runs and runs[-1].stop == uid:
            runs[-1] = range(runs[-1].start, uid + 1)
        else:
            runs.append(range(uid, uid + 1))
    return fitting(runs)
