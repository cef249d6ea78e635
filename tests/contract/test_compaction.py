"""Texts move out of segment files that are mostly dead; nobody who reads, writes, keeps or kills notices."""

from __future__ import annotations

import errno
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.ports.encryption import Goal
from mss_gateway.ports.keeping import Work
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.store import StoreFull
from mss_gateway.storage.sqlite import SqliteStore, bodies, compaction, segments, store_encryption
from mss_gateway.storage.sqlite.backup_options import KeepOptions, KeptPlace, Task
from mss_gateway.storage.sqlite.verify import verify_store
from tests.support.keeping import quiet
from tests.support.store import (
    ANYONE,
    EVERYTHING,
    add_box,
    body,
    delivery,
    inbox,
    is_whole,
    sealing,
    sqlite_options,
    trace_line,
    uids,
)

pytestmark = pytest.mark.req("OPS-5", "RTE-7")
ROOT = Path(__file__).resolve().parents[2]
SIZE = 5000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is enough to be worth it, steps are small, and files go without waiting."""
    monkeypatch.setattr(compaction, "LEAST_WON", 1)
    monkeypatch.setattr(compaction, "TEXTS_AT_ONCE", 2)
    monkeypatch.setattr(store_encryption, "STILL_READ", 0.0)


@pytest.fixture(params=["clear", "sealed"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open, empty store, with bodies in the clear and sealed."""
    encryption = sealing(tmp_path / "store") if request.param == "sealed" else None
    made = SqliteStore(sqlite_options(tmp_path / "store", encryption=encryption))
    await made.open()
    yield made
    await made.close()


async def thinned(store: SqliteStore, count: int = 40, every: int = 5) -> tuple[int, dict[int, bytes]]:
    """A folder of which one message in five is left: its id, and digests by UID."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    digests = {}
    for number in range(count):
        new = body(bytes((number + at * at) % 251 for at in range(SIZE)))
        (place,) = await store.accept(delivery(new, box.id))
        digests[place.uid] = new.digest
    gone = [uid for uid in digests if uid % every]
    await remove(store, folder_id, gone)
    return folder_id, {uid: digest for uid, digest in digests.items() if uid not in gone}


async def remove(store: SqliteStore, folder_id: int, gone: list[int]) -> None:
    """For good."""
    await store.store_flags(folder_id, ANYONE, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
    await store.expunge(folder_id, ANYONE, gone)


async def compacted(store: SqliteStore, below: float = 0.5) -> int:
    """One round; how many texts it moved."""
    return sum([tidied.rows async for tidied in store.compact(below)])


async def whole(store: SqliteStore, folder_id: int, digests: dict[int, bytes]) -> bool:
    """Is every message there, octet for octet?"""
    there = [await is_whole(store, folder_id, uid, digest) for uid, digest in digests.items()]
    return all(there) and await uids(store, folder_id) == sorted(digests)


def files(tmp_path: Path) -> dict[str, int]:
    """Segment files with their octets."""
    return {one.name: one.stat().st_size for one in (tmp_path / "store" / "segments").iterdir()}


def findings(tmp_path: Path, store: SqliteStore) -> Any:
    """What `verify` says, that goes through everything."""
    place = KeptPlace(tmp_path, tmp_path / "gateway.toml", store._engine.options)
    return verify_store(Task(Work.VERIFY, place, KeepOptions(rate=10**9)), quiet)["findings"]


async def test_what_lives_moves_and_the_files_go(store: SqliteStore, tmp_path: Path) -> None:
    """Octet for octet; only the segment that is being filled stays, whatever is in it."""
    folder_id, digests = await thinned(store)
    before = files(tmp_path)
    assert len(before) > 3
    assert await compacted(store) > 0
    assert await whole(store, folder_id, digests)
    await store.sweep_segments()
    assert not await store.sweep_segments()
    after = files(tmp_path)
    assert sum(after.values()) < sum(before.values()) / 2
    assert findings(tmp_path, store) == []
    assert await compacted(store) == 0
    await store.close()
    await store.open()
    assert await whole(store, folder_id, digests)
    await remove(store, folder_id, list(digests))
    assert sum(files(tmp_path).values()) <= 45_000


async def test_what_is_not_worth_it_stays(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are live enough, that free too little; nothing moves while bodies are sealed or the disk is full."""
    await thinned(store, every=2)
    before = files(tmp_path)
    assert await compacted(store, 0.0) == await compacted(store, 0.3) == 0
    monkeypatch.setattr(compaction, "LEAST_WON", 30_000)
    assert await compacted(store, 0.9) == 0
    monkeypatch.setattr(compaction, "LEAST_WON", 1)
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "SHORT", 1 << 62)
        assert await compacted(store, 0.9) == 0
    if store._engine.options.seals:
        await store.begin_work(Goal.ROTATE, trace_line("encryption"))
        assert await compacted(store, 0.9) == 0
        while (done := await store.work_step()) is not None and not done.done:
            continue
    assert files(tmp_path) == before
    assert await compacted(store, 0.9) > 0


async def test_a_reader_between_two_looks_does_not_notice(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Piece by piece during the round; also one who looked where the text lies before it moved, and it goes then."""
    monkeypatch.setattr(store_encryption, "STILL_READ", 3600.0)
    folder_id, digests = await thinned(store)
    rows = await store.rows(folder_id, ANYONE, list(digests), EVERYTHING)
    texts = {row.body_id: await store.read_text(row.body_id, 0, SIZE) for row in rows}
    read: dict[int, bytes] = dict.fromkeys(texts, b"")
    looked = [await store._engine.read(partial(bodies._stored, body_id=one)) for one in texts]
    async for _ in store.compact(0.5):
        for one, octets in read.items():
            read[one] = octets + await store.read_text(one, len(octets), 700)
    for one, octets in read.items():
        assert octets + await store.read_text(one, len(octets), SIZE) == texts[one]
    await remove(store, folder_id, list(digests))
    await store.sweep_segments()
    store._engine.segments._readers.clear()
    moved = [one for one in looked if one is not None and one.segment != store._engine.segments.current]
    assert len(moved) >= 6
    for one in moved:
        assert one.read(store._engine.segments, 0, SIZE) == texts[one.body_id]


async def test_the_last_text_of_a_segment_does_not_take_along_what_moved_out_of_it(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text has moved, the other is expunged: who looked for the first before that still finds it."""
    monkeypatch.setattr(store_encryption, "STILL_READ", 3600.0)
    monkeypatch.setattr(compaction, "TEXTS_AT_ONCE", 1)
    folder_id, digests = await thinned(store, count=9, every=4)
    rows = await store.rows(folder_id, ANYONE, list(digests), EVERYTHING)
    looked = [await store._engine.read(partial(bodies._stored, body_id=row.body_id)) for row in rows]
    first, second = [one for one in looked if one is not None]
    assert first.segment == second.segment
    text = await store.read_text(first.body_id, 0, SIZE)
    moved = 0
    async for tidied in store.compact(0.5):
        if tidied.rows and not moved:
            await remove(store, folder_id, [max(digests)])
        moved += tidied.rows
    assert moved == 1
    store._engine.segments._readers.clear()
    assert first.read(store._engine.segments, 0, SIZE) == text


async def test_a_segment_that_is_cut_keeps_what_is_left_of_it(store: SqliteStore, tmp_path: Path) -> None:
    """What cannot be read stays where it is, for `verify` to name; others go on."""
    folder_id, digests = await thinned(store)
    first = min(files(tmp_path))
    path = tmp_path / "store" / "segments" / first
    with path.open("r+b") as file:
        file.truncate(100)
    assert await compacted(store) > 0
    await store.sweep_segments()
    assert path.exists()
    intact = [await is_whole(store, folder_id, uid, digest) for uid, digest in list(digests.items())[2:]]
    assert all(intact)


async def test_a_full_disk_loses_nothing(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is undone, the next round does it."""
    folder_id, digests = await thinned(store)
    left = [3]
    write: Callable[..., None] = segments._write_at

    def full(fd: int, data: bytes, at: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, "full")
        write(fd, data, at)

    monkeypatch.setattr(segments, "_write_at", full)
    with pytest.raises(StoreFull):
        await compacted(store)
    assert await whole(store, folder_id, digests)
    assert findings(tmp_path, store) == []
    assert await compacted(store) > 0
    assert await whole(store, folder_id, digests)
    assert findings(tmp_path, store) == []


def _killed(command: list[str], after: float) -> None:
    """Let the victim work for a moment."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"begun\n"
        time.sleep(after)
        assert victim.poll() is None
        victim.kill()


@pytest.mark.parametrize("sealed", [False, True])
async def test_killed_at_any_point_everything_is_there(tmp_path: Path, sealed: bool) -> None:
    """Texts move, expunges are forgotten, mail comes and goes; after each kill every message is there, and whole."""
    encryption = sealing(tmp_path / "store") if sealed else None
    options = sqlite_options(tmp_path / "store", encryption=encryption)
    store = SqliteStore(options)
    await store.open()
    folder_id, digests = await thinned(store)
    box = (await store.boxes())[0].id
    last = max(await uids(store, folder_id))
    await store.close()
    command = [sys.executable, "-m", "tests.support.compaction_victim", str(options.path)]
    chance = random.Random(22)
    for _ in range(3):
        _killed([*command, str(box), str(folder_id), str(last)], chance.uniform(0.05, 0.6))
        store = SqliteStore(options)
        await store.open()
        there = await uids(store, folder_id)
        assert [uid for uid in there if uid <= last] == sorted(digests)
        for uid, digest in digests.items():
            assert await is_whole(store, folder_id, uid, digest)
        assert findings(tmp_path, store) == []
        vanished = list((await store.touched(folder_id, ANYONE, 1)).vanished)
        head = await store.snapshot(folder_id, ANYONE)
        assert sorted({*vanished, *there}) == list(range(1, head.uid_next))
        await store.close()
