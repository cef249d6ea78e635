"""Sequence numbers of one session in one mailbox: a pure table of UIDs (RFC 9051 section 2.3.1.2)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .sequence import STAR, SequenceSet
from .uidruns import UidRuns, Uids, place_of, with_more, without


@dataclass(frozen=True, slots=True)
class Update:
    """What to tell the client: EXPUNGE numbers in the order to send them, then EXISTS when `exists` is not None.

    `gone` are the UIDs behind `expunged`, ascending; `added` the UIDs that are new to the client, ascending.
    """

    expunged: tuple[int, ...] = ()
    exists: int | None = None
    gone: tuple[int, ...] = ()
    added: tuple[int, ...] = ()


def _joined(slices: list[Sequence[int]]) -> Sequence[int]:
    """Slices as one: a single one as it is, which costs nothing where a mailbox has no holes."""
    if len(slices) == 1:
        return slices[0]
    found = array("L")
    for piece in slices:
        found.extend(piece)
    return found


class SequenceView:
    """The UIDs that the client believes in, ascending. Changes reach the client only through `apply`.

    `uids` costs nothing as long as there are few holes; else it is a table of 8 octets for each.
    """

    __slots__ = ("_highest", "saved", "uids")

    def __init__(self, uids: Iterable[int] = ()) -> None:
        self.uids: Uids = uids if isinstance(uids, range | UidRuns) else array("L", uids)
        self.saved: frozenset[int] = frozenset()
        self._highest = self.last_uid

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def last_uid(self) -> int:
        """The highest UID, 0 in an empty mailbox."""
        return self.uids[-1] if self.uids else 0

    def number(self, uid: int) -> int | None:
        """The sequence number of a UID, None when the client does not know it. Cost log n."""
        at = place_of(self.uids, uid)
        return at + 1 if at < len(self.uids) and self.uids[at] == uid else None

    def numbers(self, wanted: Iterable[int]) -> list[int]:
        """Sequence numbers of UIDs, 0 for those unknown. Cheapest where they follow one another."""
        uids = self.uids
        count = len(uids)
        found = []
        at = 0
        for uid in wanted:
            if at >= count or uids[at] != uid:
                at = place_of(uids, uid)
            if at < count and uids[at] == uid:
                at += 1
                found.append(at)
            else:
                found.append(0)
        return found

    def uid(self, number: int) -> int | None:
        """The UID at a sequence number, None outside 1..EXISTS."""
        return self.uids[number - 1] if 1 <= number <= len(self.uids) else None

    def save(self, uids: Iterable[int]) -> None:
        """Keep a search result for `$` (RFC 5182)."""
        self.saved = frozenset(uids)

    def select(self, numbers: SequenceSet, *, uid: bool) -> Sequence[int]:
        """The UIDs that a set names, ascending; unknown UIDs are left out. Cost: the ranges and the result.

        With `uid` False, raises ValueError when a sequence number is above EXISTS (answer BAD).
        """
        if numbers.saved:
            return [known for known in sorted(self.saved) if self.number(known) is not None]
        return self._by_uid(numbers) if uid else self._by_number(numbers)

    def _by_uid(self, numbers: SequenceSet) -> Sequence[int]:
        uids = self.uids
        if not uids:
            return []
        found: list[Sequence[int]] = []
        last, taken = uids[-1], 0
        for low, high in numbers.ranges:
            if high == STAR:
                low, high = min(low, last), last
            first = max(place_of(uids, low), taken)
            after = place_of(uids, high + 1)
            if after > first:
                found.append(uids[first:after])
                taken = after
        return _joined(found)

    def _by_number(self, numbers: SequenceSet) -> Sequence[int]:
        uids = self.uids
        count = len(uids)
        found: list[Sequence[int]] = []
        start = 0
        for low, high in numbers.ranges:
            if high == STAR:
                if not count:
                    raise ValueError("the mailbox is empty")
                low, high = min(low, count), count
            elif high > count:
                raise ValueError("sequence number above the last message")
            first = max(low - 1, start)
            found.append(uids[first:high])
            start = max(start, high)
        return _joined(found)

    def apply(self, added: Iterable[int] = (), vanished: Iterable[int] = ()) -> Update:
        """Take in new and vanished UIDs and say what to send: EXPUNGE numbers go from the highest down.

        UIDs added that are not above every UID ever seen, and vanished ones that are unknown, change
        nothing: applying the same change twice says it once.
        """
        gone = set(vanished)
        known: list[tuple[int, int]] = []
        if gone:
            known = [(number, uid) for uid in gone if (number := self.number(uid)) is not None]
            known.sort(reverse=True)
            if len(known) == 1 and isinstance(self.uids, array):
                del self.uids[known[0][0] - 1]
            elif known:
                self.uids = without(self.uids, [number - 1 for number, _ in reversed(known)])
            if self.saved and known:
                self.saved = self.saved - gone
        fresh = sorted({uid for uid in added if uid not in gone})
        fresh = fresh[bisect_right(fresh, self._highest) :]
        if fresh:
            self.uids = with_more(self.uids, fresh)
            self._highest = fresh[-1]
        numbers = tuple([number for number, _ in known])
        uids = tuple([uid for _, uid in reversed(known)])
        return Update(numbers, len(self.uids) if fresh else None, uids, tuple(fresh))
