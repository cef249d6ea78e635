"""What the store remembers of the directory is never older than the last commit that was told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.remembered import LIMIT, Remembered
from tests.support.store import sqlite_options

LINE = TraceLine(0.0, "test", "")


class SlowReads:
    """An engine whose reads end when the test says so; each gives the next number."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def read(self, _run: object) -> int:
        """The next number."""
        self.asked += 1
        answer = self.asked
        await self.go.wait()
        return answer


def nothing(_db: object) -> int:
    """Stands for a query."""
    raise AssertionError("only the engine runs it")


async def test_an_answer_is_kept_until_it_is_forgotten() -> None:
    """The second question costs no hop; the one after a change does."""
    engine = SlowReads()
    engine.go.set()
    remembered = Remembered(engine)  # type: ignore[arg-type]
    assert [await remembered.read("x", nothing) for _ in range(2)] == [1, 1]
    remembered.forget()
    assert await remembered.read("x", nothing) == 2


async def test_what_was_read_before_a_change_is_not_kept() -> None:
    """A read under way when the change is told may have seen what was before."""
    engine = SlowReads()
    remembered = Remembered(engine)  # type: ignore[arg-type]
    under_way = asyncio.ensure_future(remembered.read("x", nothing))
    await asyncio.sleep(0)
    remembered.forget()
    engine.go.set()
    assert await under_way == 1
    assert await remembered.read("x", nothing) == 2


async def test_its_memory_is_bounded() -> None:
    """However many people log in, so many answers are kept at most."""
    engine = SlowReads()
    engine.go.set()
    remembered = Remembered(engine)  # type: ignore[arg-type]
    for number in range(LIMIT + 10):
        await remembered.read(number, nothing)
    assert len(remembered._kept) <= LIMIT


@pytest.mark.req("BAL-5")
async def test_a_new_password_is_known_to_whoever_asks_after_it(tmp_path: Path) -> None:
    """Whoever has written sees what they wrote, though it was remembered before."""
    store = SqliteStore(sqlite_options(tmp_path))
    await store.open()
    try:
        person = await store.add_person("anne", "Anne", "", "before", LINE)
        for hashed in ("first", "second"):
            await store.set_password(person.id, hashed, LINE)
            for _ in range(2):
                found = await store.person("anne")
                assert found is not None
                assert found.password_hash == hashed
    finally:
        await store.close()
