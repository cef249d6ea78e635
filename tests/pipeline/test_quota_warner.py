"""The warner over a store of its own: what a restart keeps, what costs nothing, what a fault leaves (BAL-9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.directory.book import Book, BookOptions
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline.letters import Stationery
from mss_gateway.pipeline.quota_warnings import QuotaWarner
from mss_gateway.ports.records import BoxChoices
from mss_gateway.ports.store import StoreError
from mss_gateway.rules.facts import BoxState, BoxType
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import add_box, body, delivery, sqlite_options, trace_line


class Listed:
    """No domain of another operator."""

    generation = 0

    def is_listed(self, domain: str) -> bool:
        """None is."""
        return False


class Bench:
    """A store with a warner on it; `restart` puts another in its place."""

    def __init__(self, store: SqliteStore, executor: ThreadPoolExecutor) -> None:
        self.store = store
        self._executor = executor
        options = BookOptions(frozenset({"hopital.example"}), "patient.example", limited=True)
        self._book = Book(store, Listed(), options)  # type: ignore[arg-type]
        store.on_directory_change(self._book.forget)
        self.restart()

    def restart(self, thresholds: tuple[int, ...] = (80, 95)) -> None:
        """Forget all that is not in the store."""
        numbers = count()
        paper = Stationery("mx.hopital.example", b"key", self._executor, lambda: f"n{next(numbers)}")
        self.warner = QuotaWarner(self.store, self._book, paper, Log(LogOptions(), Figures()), thresholds)
        self.store._folder_listeners = [self.warner.changed]
        self.store._directory_listeners = [self._book.forget, self.warner.directory_changed]

    async def limited(self, local: str, messages: int, kind: BoxType = BoxType.ORG) -> int:
        """A box with a limit; its id."""
        box = await add_box(self.store, local, kind)
        await self.store.set_box_choices(box.id, BoxChoices(quota_messages=messages), trace_line())
        return box.id

    async def fill(self, box_id: int, messages: int) -> None:
        """Deliver so many."""
        for _ in range(messages):
            await self.store.accept(delivery(body(), box_id))


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """An open store."""
    store = SqliteStore(sqlite_options(tmp_path / "store"))
    await store.open()
    with ThreadPoolExecutor(1) as executor:
        yield Bench(store, executor)
    await store.close()


@pytest.mark.req("BAL-9")
async def test_what_was_told_is_known_after_a_restart(bench: Bench) -> None:
    box_id = await bench.limited("accueil", 10)
    await bench.fill(box_id, 8)
    assert await bench.warner.look() == 1
    assert await bench.warner.look() == 0
    bench.restart()
    assert await bench.warner.look() == 0
    await bench.fill(box_id, 1)
    bench.restart()  # stopped before it could look
    assert await bench.warner.look() == 1
    assert (await bench.store.room(box_id)).messages == 11


@pytest.mark.req("BAL-9", "PAT-5")
async def test_patients_are_told_and_closed_mailboxes_are_not(bench: Bench) -> None:
    patient = await bench.limited("285037728417346", 1, BoxType.PAT)
    closed = await bench.limited("ferme", 1)
    await bench.fill(patient, 1)
    await bench.fill(closed, 1)
    await bench.store.set_box_state(closed, BoxState.CLOSED, "", trace_line())
    assert await bench.warner.look() == 1
    lines = [line for line in await bench.store.trace(limit=5) if line.event == "quota-warned"]
    assert [(line.box_id, line.actor, line.detail) for line in lines] == [
        (patient, "gateway", {"percent": 95})
    ]


@pytest.mark.req("BAL-9")
async def test_without_a_quota_nothing_is_asked(bench: Bench) -> None:
    """A commit then costs a look at one flag: no folder is remembered, nothing is read."""
    box = await add_box(bench.store)
    assert await bench.warner.look() == 0
    await bench.fill(box.id, 3)
    assert bench.warner._folders == set()
    bench.restart(())
    await bench.store.set_box_choices(box.id, BoxChoices(quota_messages=1), trace_line())
    assert await bench.warner.look() == 0
    assert bench.warner._folders == set()


@pytest.mark.req("BAL-9")
async def test_a_look_that_fails_is_made_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    box_id = await bench.limited("accueil", 1)
    await bench.fill(box_id, 1)

    async def broken(*_: object) -> bool:
        raise StoreError("the disk is away")

    monkeypatch.setattr(bench.store, "tell_usage", broken)
    with pytest.raises(StoreError):
        await bench.warner.look()
    monkeypatch.undo()
    bench.warner.directory_changed()
    assert await bench.warner.look() == 1


@pytest.mark.req("BAL-9")
async def test_many_mailboxes_are_looked_at_in_pieces(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mss_gateway.pipeline.quota_warnings.BATCH", 2)
    boxes = [await bench.limited(f"b{n}", 1) for n in range(5)]
    for box_id in boxes:
        await bench.fill(box_id, 1)
    bench.restart()
    assert await bench.warner.look() == 5
