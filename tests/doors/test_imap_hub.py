"""The hub by itself: reads that are shared, and the pace of telling many."""

from __future__ import annotations

import asyncio

import pytest

from mss_gateway.imapd.hub import BURST, COST, MANY, Hub, Pace
from mss_gateway.ports.tree import TreeEvent

pytestmark = pytest.mark.req("IMP-1")


class Note:
    """A watcher that counts."""

    def __init__(self) -> None:
        self.noted = 0
        self.woken = 0

    def folder_changed(self, folder_id: int) -> None:
        """Count."""
        self.noted += 1

    def tree_changed(self, event: TreeEvent) -> None:
        """Nothing."""

    def wake(self) -> None:
        """Count."""
        self.woken += 1


async def test_a_read_is_shared_until_the_folder_changes() -> None:
    """Who asks after a commit never gets what was read before it."""
    hub, reads = Hub(), 0
    gate = asyncio.Event()

    async def read() -> int:
        nonlocal reads
        reads += 1
        mine = reads
        await gate.wait()
        return mine

    for _ in range(2):
        hub.watch(1, Note())
    first = [asyncio.ensure_future(hub.together(1, "x", read)) for _ in range(5)]
    await asyncio.sleep(0)
    hub.changed(1, 2)
    later = [asyncio.ensure_future(hub.together(1, "x", read)) for _ in range(5)]
    other = asyncio.ensure_future(hub.together(1, "y", read))
    await asyncio.sleep(0)
    first[0].cancel()
    gate.set()
    assert await asyncio.gather(*first[1:]) == [1] * 4
    assert await asyncio.gather(*later) == [2] * 5
    assert await other == 3
    assert hub._reads == {}


async def test_a_shared_read_that_fails_fails_for_all() -> None:
    """The error reaches each who asked, and the next one reads anew."""
    hub = Hub()
    for _ in range(2):
        hub.watch(1, Note())

    async def read() -> int:
        await asyncio.sleep(0)
        raise LookupError

    outcomes = await asyncio.gather(*(hub.together(1, "x", read) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [LookupError] * 3
    assert hub._reads == {}


async def test_few_are_always_woken_at_once() -> None:
    """No budget is kept below `MANY`."""
    hub, notes = Hub(), [Note() for _ in range(MANY - 1)]
    for note in notes:
        hub.watch(1, note)
    for _ in range(10_000):
        hub.changed(1, 0)
    assert {note.woken for note in notes} == {10_000}


async def test_many_are_woken_in_a_storm_only_now_and_then() -> None:
    """Everything is noted, telling waits; the last change is told in the end, and leaving takes the timer away."""
    hub, notes = Hub(), [Note() for _ in range(200)]
    for note in notes:
        hub.watch(1, note)
    for _ in range(1000):
        hub.changed(1, 0)
    assert {note.noted for note in notes} == {1000}
    (before,) = {note.woken for note in notes}
    assert 5 <= before <= 200
    for _ in range(1000):
        if notes[0].woken > before:
            break
        await asyncio.sleep(0.01)
    assert notes[0].woken == before + 1
    hub.changed(1, 0)
    hub.changed(1, 0)
    for note in notes:
        hub.forget(1, note)
    assert hub._paces == {}


def test_pace() -> None:
    """A burst, then a share of the time; never more than `BURST` is saved up, and any number gets its turn."""
    pace = Pace(0.0)
    told = sum(pace.wait(100, 0.0) == 0.0 for _ in range(1000))
    assert told == int(BURST / (100 * COST))
    wait = pace.wait(100, 0.0)
    assert wait > 0.0
    assert pace.wait(100, wait + 1e-6) == 0.0
    assert pace.wait(10**9, 1e6) == 0.0
