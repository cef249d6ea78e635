"""The background watch: what is due is fetched apart, what changed is taken up, alarms are told once (TRU-2, TRU-3)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.app import trusting
from mss_gateway.app.trusting import TrustWatch
from mss_gateway.dev.listing import Entry, signed_list
from mss_gateway.observe.events import Event
from mss_gateway.trust.fetching import Outcome, Source
from mss_gateway.trust.guard import Trust
from tests.support.pki import write_file
from tests.support.publisher import Publisher, body, publishing, silent
from tests.support.trust import OURS, THEIRS, World

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
ENTRIES = [Entry("d0.fr", THEIRS.listed()), Entry("d1.fr", THEIRS.listed())]
PATH = "/list.xml"


@dataclass
class Notes:
    """A log and an address book that remember."""

    lines: list[tuple[Event, dict[str, Any]]] = field(default_factory=list)
    forgotten: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def info(self, event: Event, **fields: object) -> None:
        """One line."""
        self.lines.append((event, fields))
        self.news.set()

    warning = info

    def fault(self, event: Event, error: BaseException, **fields: object) -> None:
        """A fault of ours."""
        self.lines.append((event, {"error": type(error).__name__}))
        self.news.set()

    def forget(self) -> None:
        """The address book's."""
        self.forgotten += 1

    async def wait(self, event: Event, count: int = 1) -> dict[str, Any]:
        """The fields of an event once it has come so many times."""
        async with asyncio.timeout(60):
            while len(found := [fields for name, fields in self.lines if name is event]) < count:
                self.news.clear()
                await self.news.wait()
        return found[count - 1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A file with two domains."""
    world = World(tmp_path)
    world.put_list(ENTRIES, generated=START)
    return world


@pytest.fixture
def publisher(tmp_path: Path, world: World) -> Iterator[Publisher]:
    """A publisher with three domains."""
    with publishing(world.pki.organisations.issue(OURS), tmp_path) as found:
        entries = [*ENTRIES, Entry("new.fr", OURS.listed())]
        found.put(PATH, body(signed_list(entries, world.signer, generated=START + timedelta(hours=1))))
        yield found


@contextlib.asynccontextmanager
async def watching(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[TrustWatch, Notes]]:
    """Run the watch, looking every few milliseconds."""
    monkeypatch.setattr(trusting, "TRUST_POLL", 0.005)
    notes = Notes()
    watch = TrustWatch(trust, notes, notes)  # type: ignore[arg-type]
    task = asyncio.create_task(watch.run())
    try:
        yield watch, notes
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.req("TRU-3")
async def test_what_is_due_is_fetched_at_the_start(
    world: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file serves at once; the publisher's list follows, is told, and the address book forgets."""
    trust = await asyncio.to_thread(world.trust, list_url=publisher.base + PATH)
    async with watching(trust, monkeypatch) as (_, notes):
        fetched = await notes.wait(Event.TRUST_FETCHED)
        assert (fetched["what"], fetched["url"], fetched["changed"]) == ("list", publisher.base + PATH, True)
        loaded = await notes.wait(Event.TRUST_LOADED)
        assert loaded == {"domains": 3, "generated": (START + timedelta(hours=1)).isoformat()}
        assert trust.knows("new.fr")
        assert notes.forgotten == 1
        await asyncio.sleep(0.05)
    assert publisher.asked == [PATH]


@pytest.mark.req("TRU-3")
async def test_a_failure_is_told_and_its_alarm_once(
    world: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fetch has an event of its own each time; the alarm is one line however often it is looked at."""
    publisher.put(PATH, body(b"", status=500))
    trust = await asyncio.to_thread(world.trust, list_url=publisher.base + PATH)
    async with watching(trust, monkeypatch) as (watch, notes):
        failed = await notes.wait(Event.TRUST_FETCH_FAILED)
        assert (failed["what"], failed["reason"]) == ("list", "fetch-status")
        await watch.reload()
        await notes.wait(Event.TRUST_FETCH_FAILED, 2)
        alarms = [fields["reason"] for event, fields in notes.lines if event is Event.TRUST_REFUSED]
        assert alarms == ["fetch-status"]
    assert trust.knows("d0.fr")


@pytest.mark.req("TRU-2")
async def test_a_changed_file_is_taken_up_and_a_bad_one_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any address, as ever."""
    trust = await asyncio.to_thread(world.trust)
    async with watching(trust, monkeypatch) as (_, notes):
        world.put_list([*ENTRIES, Entry("new.fr", OURS.listed())], generated=START + timedelta(hours=1))
        assert (await notes.wait(Event.TRUST_LOADED))["domains"] == 3
        write_file(world.folder / "crls.pem", b"<html>")
        assert (await notes.wait(Event.TRUST_REFUSED))["reason"] == "crl-malformed"
        assert notes.forgotten == 2


@pytest.mark.req("TRU-3")
async def test_a_reload_fetches_what_is_not_due(
    world: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP asks the publisher now."""
    trust = await asyncio.to_thread(world.trust, list_url=publisher.base + PATH)
    async with watching(trust, monkeypatch) as (watch, notes):
        await notes.wait(Event.TRUST_FETCHED)
        await watch.reload()
        await notes.wait(Event.CONFIG_RELOADED)
        await notes.wait(Event.TRUST_FETCHED, 2)
    assert publisher.asked == [PATH, PATH]


@pytest.mark.req("TRU-3")
async def test_a_silent_publisher_delays_neither_files_nor_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a fetch waits for its deadline, changed files are taken up, and the watch ends at once."""
    before = set(threading.enumerate())
    with silent() as port:
        base = replace(world.options, list_url=f"https://localhost:{port}/x", fetch_timeout=600.0)
        trust = await asyncio.to_thread(Trust, base)
        begun, loop, original = asyncio.Event(), asyncio.get_running_loop(), trust.fetch

        def noted(source: Source) -> Outcome:
            loop.call_soon_threadsafe(begun.set)
            return original(source)

        monkeypatch.setattr(trust, "fetch", noted)
        async with watching(trust, monkeypatch) as (_, notes):
            await begun.wait()
            world.put_list([*ENTRIES, Entry("new.fr", OURS.listed())], generated=START + timedelta(hours=1))
            await notes.wait(Event.TRUST_LOADED)
            assert trust.knows("new.fr")
        waiting = [thread for thread in set(threading.enumerate()) - before if thread.name == "fetch"]
        assert [thread.daemon for thread in waiting] == [True]


@pytest.mark.req("TRU-3")
async def test_a_fault_of_ours_does_not_end_the_watch(
    world: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the next look goes on."""
    trust = await asyncio.to_thread(world.trust, list_url=publisher.base + PATH)
    original = trust.fetch

    def faulty(source: Source) -> Outcome:
        monkeypatch.setattr(trust, "fetch", original)
        raise RuntimeError("secret")

    monkeypatch.setattr(trust, "fetch", faulty)
    async with watching(trust, monkeypatch) as (_, notes):
        assert await notes.wait(Event.OPERATION_FAULT) == {"error": "RuntimeError"}
        await notes.wait(Event.TRUST_FETCHED)
