"""Sequence numbers of one session in one mailbox: a pure table of UIDs (RFC 9051 section 2.3.1.2)."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from .commands import Command, Fetch, Search, Store
from .sequence import STAR, SequenceSet


@dataclass(frozen=True, slots=True)
class Update:
    """What to tell the client: EXPUNGE numbers in the order to send them, then EXISTS when `exists` is not None."""

    expunged: tuple[int, ...] = ()
    exists: int | None = None


def expunge_allowed(command: Command | None) -> bool:
    """May EXPUNGE be sent before the end of this command (None: while idle between commands, in IDLE)?

    Never during FETCH, STORE or SEARCH by sequence number (RFC 9051 section 7.5.1); their UID forms may.
    """
    return not (isinstance(command, Fetch | Store | Search) and not command.uid)


class SequenceView:
    """The UIDs that the client believes in, ascending. Changes reach the client only through `apply`."""

    __slots__ = ("_highest", "saved", "uids")

    def __init__(self, uids: Iterable[int] = ()) -> None:
        self.uids = array("L", uids)
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
        at = bisect_left(self.uids, uid)
        return at + 1 if at < len(self.uids) and self.uids[at] == uid else None

    def uid(self, number: int) -> int | None:
        """The UID at a sequence number, None outside 1..EXISTS."""
        return self.uids[number - 1] if 1 <= number <= len(self.uids) else None

    def save(self, uids: Iterable[int]) -> None:
        """Keep a search result for `$` (RFC 5182)."""
        self.saved = frozenset(uids)

    def select(self, numbers: SequenceSet, *, uid: bool) -> list[int]:
        """The UIDs that a set names, ascending; unknown UIDs are left out. Cost: the ranges and the result.

        With `uid` False, raises ValueError when a sequence number is above EXISTS (answer BAD).
        """
        if numbers.saved:
            return [known for known in sorted(self.saved) if self.number(known) is not None]
        return self._by_uid(numbers) if uid else self._by_number(numbers)

    def _by_uid(self, numbers: SequenceSet) -> list[int]:
        uids = self.uids
        if not uids:
            return []
        found: list[int] = []
        last, taken = uids[-1], 0
        for low, high in numbers.ranges:
            if high == STAR:
                low, high = min(low, last), last
            first = max(bisect_left(uids, low), taken)
            after = bisect_right(uids, high)
            if after > first:
                found.extend(uids[first:after])
                taken = after
        return found

    def _by_number(self, numbers: SequenceSet) -> list[int]:
        uids = self.uids
        count = len(uids)
        found: list[int] = []
        start = 0
        for low, high in numbers.ranges:
            if high == STAR:
                if not count:
                    raise ValueError("the mailbox is empty")
                low, high = min(low, count), count
            elif high > count:
                raise ValueError("sequence number above the last message")
            first = max(low - 1, start)
            found.extend(uids[first:high])
            start = max(start, high)
        return found

    def apply(self, added: Iterable[int] = (), vanished: Iterable[int] = ()) -> Update:
        """Take in new and vanished UIDs and say what to send: EXPUNGE numbers go from the highest down.

        UIDs added that are not above every UID ever seen, and vanished ones that are unknown, change
        nothing: applying the same change twice says it once.
        """
        gone = set(vanished)
        numbers: list[int] = []
        if gone:
            numbers = [number for number in map(self.number, gone) if number is not None]
            numbers.sort(reverse=True)
            if len(numbers) == 1:
                del self.uids[numbers[0] - 1]
            elif numbers:
                self.uids = array("L", [uid for uid in self.uids if uid not in gone])
            if self.saved and numbers:
                self.saved = self.saved - gone
        fresh = sorted({uid for uid in added if uid not in gone})
        fresh = fresh[bisect_right(fresh, self._highest) :]
        if fresh:
            self.uids.extend(fresh)
            self._highest = fresh[-1]
        return Update(tuple(numbers), len(self.uids) if fresh else None)
