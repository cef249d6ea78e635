"""Rounds that end what is not needed for ever: all parts, in steps with pauses, whatever one of them meets (OPS-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mss_gateway.pipeline import housekeeping
from mss_gateway.pipeline.housekeeping import Housekeeping
from mss_gateway.ports.housekeeping import Tidied
from mss_gateway.ports.store import StoreError

pytestmark = pytest.mark.req("OPS-5")


class Rows:
    """A store that is asked; `broken` is the part it cannot do."""

    def __init__(self, broken: str = "") -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.broken = broken
        self.empty = 2

    async def _steps(self, name: str, *values: object) -> AsyncIterator[Tidied]:
        self.asked.append((name, *values))
        yield Tidied(3, 100)
        if name == self.broken:
            raise StoreError("The store failed")
        yield Tidied(2)

    def forget_expunges(self, now: float, keep: float, least: int) -> AsyncIterator[Tidied]:
        return self._steps("expunges", now > 1e9, keep, least)

    def forget_threads(self) -> AsyncIterator[Tidied]:
        return self._steps("threads")

    def forget_receipts(self) -> AsyncIterator[Tidied]:
        return self._steps("receipts")

    def compact(self, below: float) -> AsyncIterator[Tidied]:
        return self._steps("compact", below)

    async def sweep_segments(self) -> bool:
        self.empty -= 1
        return self.empty > 0


class Faults:
    """A log that counts."""

    def __init__(self) -> None:
        self.told = 0

    def fault(self, *_: object) -> None:
        self.told += 1


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses, which take no time."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(housekeeping.asyncio, "sleep", short)
    return pauses


async def test_a_round_does_every_part_and_rests_between_the_steps(slept: list[float]) -> None:
    """What is asked is what was configured; files that are empty are looked for until none is left."""
    rows, log = Rows(), Faults()
    done = await Housekeeping(rows, 5.0, 0.25, log).round()  # type: ignore[arg-type]
    assert rows.asked == [
        ("expunges", True, 5.0, housekeeping.LEAST),
        ("threads",),
        ("receipts",),
        ("compact", 0.25),
    ]
    assert (done, log.told, rows.empty <= 0) == (Tidied(20, 400), 0, True)
    assert len(slept) == 10
    assert min(slept) >= housekeeping.LEAST_PAUSE


@pytest.mark.parametrize("broken", ["expunges", "threads", "receipts", "compact"])
async def test_a_part_that_fails_is_told_and_the_others_are_done(broken: str) -> None:
    """It is tried again in the next round."""
    rows, log = Rows(broken), Faults()
    done = await Housekeeping(rows, 5.0, 0.25, log).round()  # type: ignore[arg-type]
    assert (len(rows.asked), log.told, done.rows) == (4, 1, 18)


async def test_rounds_go_on_and_none_comes_at_once(slept: list[float]) -> None:
    """First the pause after the start, then one between two rounds."""
    rows = Rows()
    task = asyncio.create_task(Housekeeping(rows, 5.0, 0.0, Faults()).run())  # type: ignore[arg-type]
    while len(rows.asked) < 8:
        await asyncio.tasks.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slept[0] == housekeeping.FIRST
    assert housekeeping.EVERY in slept
