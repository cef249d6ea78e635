"""Old bodies brought under encryption, their keys wrapped anew, and all laid open again, while mail goes on (OPS-5)."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mss_gateway.ports.encryption import EncryptionStatus, Goal, WorkRefused
from mss_gateway.ports.mailboxes import Viewer, Want
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite import store_encryption as rows_of_work
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
)

pytestmark = pytest.mark.req("OPS-5")
CANARY = b"Hydroxychloroquine"
ONE = b"k1 " + b"11" * 32 + b"\n"
TWO = ONE + b"k2 " + b"22" * 32 + b"\n"
SIZES = (1, 100, 400, 900)  # canaries: in the row, in shared segments, in one of its own


async def opened(tmp_path: Path, keys: bytes | None, *, seals: bool = True) -> SqliteStore:
    """The store of a test, without keys when None."""
    folder = tmp_path / "store"
    encryption = None if keys is None else sealing(folder, keys, seals=seals)
    store = SqliteStore(sqlite_options(folder, encryption=encryption))
    await store.open()
    return store


async def filled(tmp_path: Path, keys: bytes | None, count: int = 60) -> tuple[int, list[bytes]]:
    """A closed store with messages in one box; its id and their digests by UID."""
    store = await opened(tmp_path, keys)
    box = await add_box(store)
    new = [body(CANARY * SIZES[number % 4], CANARY.decode()) for number in range(count)]
    for one in new:
        await store.accept(delivery(one, box.id))
    rows = await store.rows(await inbox(store, box.id), *_all(count))
    await store.keep_previews({row.body_id: CANARY.decode() for row in rows})
    await store.close()
    return box.id, [one.digest for one in new]


def _all(count: int) -> tuple[Viewer, list[int], frozenset[Want]]:
    return ANYONE, list(range(1, count + 1)), EVERYTHING


async def check(store: SqliteStore, box_id: int, digests: list[bytes]) -> None:
    """Every message is whole, with what IMAP shows of it."""
    folder_id = await inbox(store, box_id)
    for uid, digest in enumerate(digests, 1):
        assert await is_whole(store, folder_id, uid, digest)
    rows = await store.rows(folder_id, *_all(len(digests)))
    assert {row.preview for row in rows[:60]} == {CANARY.decode()}
    sorted_rows = await store.sort_rows(folder_id, list(range(1, len(digests) + 1)), envelopes=True)
    assert {row.subject for row in sorted_rows} == {CANARY.decode()}
    assert all(row.envelope and b"@hopital.example" in row.envelope for row in rows)


async def work(store: SqliteStore, goal: Goal, *, steps: int = 1000) -> int:
    """Work for so many steps; return how many bodies were changed when it is done, else -1."""
    await store.begin_work(goal, trace_line("encryption"))
    for _ in range(steps):
        done = await store.work_step()
        assert done is not None
        if done.done:
            await store.end_work()
            return done.changed
    return -1


def used(status: EncryptionStatus) -> dict[str, int]:
    """Bodies by the name of their master key."""
    return {key.name: key.bodies for key in status.keys}


def holding(tmp_path: Path) -> list[str]:
    """Files that hold the canary."""
    return [one.name for one in tmp_path.rglob("*") if one.is_file() and CANARY in one.read_bytes()]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that hold nothing go without waiting, and steps are small."""
    monkeypatch.setattr(rows_of_work, "STILL_READ", 0.0)
    monkeypatch.setattr("mss_gateway.storage.sqlite.reencryption.BODIES_AT_ONCE", 7)
    monkeypatch.setattr("mss_gateway.storage.sqlite.reencryption.KEYS_AT_ONCE", 7)


async def test_what_was_in_the_clear_is_sealed_and_no_trace_of_it_stays(tmp_path: Path) -> None:
    """After the work, and while the store stays open, no file holds a word; old segments have gone."""
    box_id, digests = await filled(tmp_path, None)
    assert holding(tmp_path)
    store = await opened(tmp_path, ONE)
    assert (await store.encryption_status()).clear == 60
    before = set((tmp_path / "store" / "segments").iterdir())
    assert await work(store, Goal.ENCRYPT) == 60
    status = await store.encryption_status()
    assert (status.clear, used(status), status.work) == (0, {"k1": 60}, None)
    await check(store, box_id, digests)
    assert before.isdisjoint((tmp_path / "store" / "segments").iterdir())
    await store.wipe()
    assert holding(tmp_path) == []
    await store.close()
    store = await opened(tmp_path, ONE)
    await check(store, box_id, digests)
    await store.close()


async def test_a_new_key_wraps_all_and_the_old_one_can_go(tmp_path: Path) -> None:
    """Mail that comes meanwhile is sealed with the newest; afterwards the store opens without the old key."""
    box_id, digests = await filled(tmp_path, ONE)
    store = await opened(tmp_path, TWO)
    assert used(await store.encryption_status()) == {"k1": 60, "k2": 0}
    assert await work(store, Goal.ROTATE, steps=2) == -1
    late = body(CANARY * 900, CANARY.decode())
    await store.accept(delivery(late, box_id))
    assert used(await store.encryption_status()) == {"k1": 46, "k2": 15}
    await store.close()
    store = await opened(tmp_path, TWO)
    assert await work(store, Goal.ROTATE) == 60
    assert used(await store.encryption_status()) == {"k2": 61}
    await store.close()
    store = await opened(tmp_path, b"k2 " + b"22" * 32)
    await check(store, box_id, [*digests, late.digest])
    await store.close()
    with pytest.raises(StoreError, match="the key 'k2' is not there"):
        await opened(tmp_path, ONE)


async def test_all_can_be_laid_open_again(tmp_path: Path) -> None:
    """Only once new mail is no longer sealed; afterwards the store needs no key at all."""
    box_id, digests = await filled(tmp_path, ONE)
    store = await opened(tmp_path, ONE)
    with pytest.raises(WorkRefused, match="off"):
        await work(store, Goal.DECRYPT)
    await store.close()
    store = await opened(tmp_path, ONE, seals=False)
    with pytest.raises(WorkRefused, match="on"):
        await work(store, Goal.ENCRYPT)
    assert await work(store, Goal.DECRYPT) == 60
    assert (await store.encryption_status()).clear == 60
    await store.close()
    store = await opened(tmp_path, None)
    await check(store, box_id, digests)
    assert await store.work_step() is None
    with pytest.raises(WorkRefused, match="Nothing in this store"):
        await work(store, Goal.DECRYPT)
    await store.close()


async def test_one_work_at_a_time_and_none_against_the_configuration(tmp_path: Path) -> None:
    """The same work goes on, another one is refused; what the configuration no longer wants is dropped."""
    await filled(tmp_path, ONE, 20)
    store = await opened(tmp_path, TWO)
    await work(store, Goal.ROTATE, steps=1)
    with pytest.raises(WorkRefused, match="under way"):
        await work(store, Goal.ENCRYPT)
    await store.close()
    store = await opened(tmp_path, TWO, seals=False)
    assert await store.work_step() is None
    assert (await store.encryption_status()).work is None
    await store.close()


async def test_a_newer_key_in_the_middle_begins_again(tmp_path: Path) -> None:
    """What was wrapped with the second key before the third one came is wrapped with the third one too."""
    box_id, digests = await filled(tmp_path, ONE, 20)
    store = await opened(tmp_path, TWO)
    await work(store, Goal.ROTATE, steps=1)
    await store.close()
    store = await opened(tmp_path, TWO + b"k3 " + b"33" * 32)
    assert used(await store.encryption_status()) == {"k1": 13, "k2": 7, "k3": 0}
    await work(store, Goal.ROTATE)
    assert used(await store.encryption_status()) == {"k3": 20}
    await check(store, box_id, digests)
    await store.close()


async def test_damage_does_not_stop_the_work(tmp_path: Path) -> None:
    """A body that cannot be opened stays as it is, with its master key; the others are done."""
    await filled(tmp_path, ONE, 20)
    store = await opened(tmp_path, TWO)
    await store._engine.write(
        lambda writer: writer.db.execute("UPDATE body_keys SET wrapped = zeroblob(60) WHERE body_id = 3")
    )
    assert await work(store, Goal.ROTATE) == 19
    assert used(await store.encryption_status()) == {"k1": 1, "k2": 19}
    await store.close()


async def test_readers_meanwhile_find_every_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While bodies move into new segments, reads never miss one."""
    monkeypatch.setattr(rows_of_work, "STILL_READ", 30.0)
    box_id, digests = await filled(tmp_path, None)
    store = await opened(tmp_path, ONE)
    job = asyncio.create_task(work(store, Goal.ENCRYPT))
    while not job.done():
        await check(store, box_id, digests)
    assert await job == 60
    await store.close()


def _worked_on(tmp_path: Path, goal: Goal, *, kills: int) -> None:
    """Work in a process that is killed so often, then let it come to its end."""
    for turn in range(kills + 1):
        victim = subprocess.Popen(
            [sys.executable, "-m", "tests.support.encryption_victim", str(tmp_path / "store"), goal.value],
            stdout=subprocess.PIPE,
        )
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"begun\n"
        if turn < kills:
            time.sleep(random.uniform(0.0, 0.03))
            victim.send_signal(signal.SIGKILL)
        assert (victim.wait() == 0) or turn < kills
        victim.stdout.close()


async def test_kill_9_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """Encrypting and rotating, killed again and again, go on where they were; every message stays whole."""
    box_id, digests = await filled(tmp_path, None, 120)
    for name, keys, goal in (("k1", ONE, Goal.ENCRYPT), ("k2", TWO, Goal.ROTATE)):
        sealing(tmp_path / "store", keys)
        _worked_on(tmp_path, goal, kills=2)
        store = await opened(tmp_path, keys)
        await check(store, box_id, digests)
        status = await store.encryption_status()
        assert (status.clear, used(status), status.work) == (0, {name: 120}, None)
        await store.wipe()
        await store.close()
    assert holding(tmp_path) == []
