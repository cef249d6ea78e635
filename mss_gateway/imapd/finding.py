"""Finds the messages of a folder for which a search key holds: in SQL where SQL can tell, else by reading them.

Works on any folder with a `SequenceView` of it, selected or not; it changes nothing. The cheapest keys come first,
and what they leave out is never read.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mss_gateway.ports.mailboxes import Want
from mss_gateway.protocol.imap.searchkeys import AmongUids, And, InUids, Not, Or, SearchKey
from mss_gateway.protocol.imap.settling import narrowed, settle, sieve

from .indexed import look_up
from .progress import Progress
from .reading import BATCH, Found, Reader
from .session import Selected, Session

WINDOW = 50_000  # messages of one hop when SQL alone decides
AMONG = 5_000  # UIDs of one hop when SQL decides on these alone
READINGS = 4  # times that one search may go through messages; above it, one pass decides all keys together


async def find(
    session: Session, selected: Selected, key: SearchKey, want: frozenset[Want] = frozenset()
) -> list[Found]:
    """The messages for which the key holds, ascending, with the columns wanted."""
    found: list[Found] = []
    uids = await find_uids(session, selected, key)
    number = selected.view.number
    for at in range(0, len(uids), BATCH):
        batch = uids[at : at + BATCH]
        rows = await session.mailboxes.rows(selected.folder.id, selected.viewer, batch, want)
        found += [Found(row, number(row.uid) or 0) for row in rows]
    return found


async def find_uids(
    session: Session, selected: Selected, key: SearchKey, among: Sequence[int] | None = None
) -> list[int]:
    """UIDs ascending for which the key holds, of all messages in view or of those `among` (ascending)."""
    return (await find_scored(session, selected, key, among)).uids


@dataclass(frozen=True, slots=True)
class Matches:
    """What a search found: UIDs ascending, and the relevancy of some of them, 1 to 100 (RFC 6203)."""

    uids: list[int]
    scores: dict[int, int]


async def find_scored(
    session: Session,
    selected: Selected,
    key: SearchKey,
    among: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Matches:
    """As `find_uids`, with scores for fuzzy keys, and signs of life while it takes long."""
    settled = settle(key, selected.view, time.time())
    whole = among is None or len(among) == len(selected.view)
    universe = present(selected) if whole else without(among or (), selected.held)
    search = _Search(session, selected, Reader(session, selected, progress), universe if whole else [])
    indexed = await look_up(session.mailboxes, selected.folder.id, settled)
    if indexed is None:
        return Matches(await search.run(settled, universe), {})
    known, unknown = indexed.split(universe)
    found = await search.run(indexed.key, known)
    if unknown:
        found = sorted([*found, *await search.run(settled, unknown)])
    return Matches(found, indexed.scores)


@dataclass(slots=True)
class _Search:
    """One search under way in one folder."""

    session: Session
    selected: Selected
    reader: Reader
    whole: list[int] = field(default_factory=list)  # all that is there, when that is searched
    _known: dict[int, bool] = field(default_factory=dict)  # by id of a key that the tree in hand holds
    _spared: dict[int, bool] = field(default_factory=dict)

    async def run(self, key: SearchKey, universe: list[int]) -> list[int]:
        """UIDs of the universe for which a settled key holds."""
        self._known.clear()
        self._spared.clear()
        refined = narrowed(key)
        if self._readings(refined) > READINGS:
            sets = sieve(key)
            return await self.reader.scan(key, await self._where(sets, universe))
        return await self._where(refined, universe)

    def _told(self, key: SearchKey) -> bool:
        known = self._known.get(id(key))
        if known is None:
            known = self._known[id(key)] = self.session.mailboxes.answers_search(key)
        return known

    def _readings(self, key: SearchKey) -> int:
        """How many times messages would be gone through."""
        if isinstance(key, InUids | AmongUids) or self._told(key):
            return 0
        match key:
            case And(keys):
                dear = [inner for inner in keys if not self._told(inner)]
                return max(1, sum(map(self._readings, dear))) if self._mixed(key) else 1
            case Or(left, right):
                return self._readings(left) + self._readings(right) if self._mixed(key) else 1
            case Not(inner):
                return self._readings(inner)
            case _:
                return 1

    def _mixed(self, key: SearchKey) -> bool:
        """Is there anything in the tree that spares us reading some message?"""
        spared = self._spared.get(id(key))
        if spared is None:
            spared = self._spared[id(key)] = self._looks_mixed(key)
        return spared

    def _looks_mixed(self, key: SearchKey) -> bool:
        if isinstance(key, InUids | AmongUids) or self._told(key):
            return True
        match key:
            case And(keys):
                return any(map(self._mixed, keys))
            case Or(left, right):
                return self._mixed(left) or self._mixed(right)
            case Not(inner):
                return self._mixed(inner)
            case _:
                return False

    async def _where(self, key: SearchKey, universe: list[int]) -> list[int]:
        if not universe or key == And(()):
            return universe
        match key:
            case InUids(numbers):
                return _within(universe, numbers.ranges)
            case AmongUids(uids):
                return [uid for uid in universe if uid in uids]
        if self._told(key):
            return await self._ask(key, universe)
        if not self._mixed(key):
            return await self.reader.scan(key, universe)
        match key:
            case And(keys):
                return await self._every(keys, universe)
            case Or(left, right):
                first = await self._where(left, universe)
                rest = await self._where(right, without(universe, first))
                return sorted([*first, *rest])
            case Not(inner):
                return without(universe, await self._where(inner, universe))
            case _:
                return await self.reader.scan(key, universe)

    async def _every(self, keys: Sequence[SearchKey], universe: list[int]) -> list[int]:
        """All keys hold: sets of UIDs first, then what SQL tells at once, then what must be read."""
        sets = [key for key in keys if isinstance(key, InUids | AmongUids)]
        rest = [key for key in keys if not isinstance(key, InUids | AmongUids)]
        told = tuple([key for key in rest if self._told(key)])
        dear = [key for key in rest if not self._told(key)]
        mixed = [key for key in dear if self._mixed(key)]
        read = tuple([key for key in dear if not self._mixed(key)])
        for one in sets:
            universe = await self._where(one, universe)
        if told and universe:
            universe = await self._ask(And(told), universe)
        for key in mixed:
            universe = await self._where(key, universe)
        return await self.reader.scan(And(read), universe) if read and universe else universe

    async def _ask(self, key: SearchKey, universe: list[int]) -> list[int]:
        """What SQL tells, a window at a time."""
        folder, viewer = self.selected.folder.id, self.selected.viewer
        whole = universe is self.whole
        size = WINDOW if whole else AMONG
        found: list[int] = []
        for at in range(0, len(universe), size):
            part = universe[at : at + size]
            found += await self.session.mailboxes.search_uids(folder, viewer, key, part, span=whole)
        return found


def _within(universe: list[int], ranges: Sequence[tuple[int, int]]) -> list[int]:
    found: list[int] = []
    for low, high in ranges:
        found += universe[bisect_left(universe, low) : bisect_right(universe, high)]
    return found


def without(universe: Sequence[int], some: Iterable[int]) -> list[int]:
    """A list of its own of the UIDs that are not among `some`."""
    gone = set(some)
    return [uid for uid in universe if uid not in gone] if gone else list(universe)


def present(selected: Selected) -> list[int]:
    """The UIDs in view whose messages have not gone, as far as is known."""
    return without(selected.view.uids, selected.held)
