"""Killed while mail is removed, brought back and sealed anew, and its trace purged: all is there and holds (RTE-7)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.keeping import Work
from mss_gateway.ports.removed import Wanted
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup_options import KeepOptions, KeptPlace, Task
from mss_gateway.storage.sqlite.verify import verify_store
from tests.support.keeping import quiet
from tests.support.store import (
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

ROOT = Path(__file__).resolve().parents[2]
RINGS = (
    b"k1 " + b"11" * 32 + b"\n",
    b"k1 " + b"11" * 32 + b"\nk2 " + b"22" * 32 + b"\n",
    b"k1 " + b"11" * 32 + b"\nk2 " + b"22" * 32 + b"\nk3 " + b"33" * 32 + b"\n",
)


def killed(folder: Path, box: int, folder_id: int, after: float) -> None:
    """Let the victim work for a moment."""
    command = [sys.executable, "-m", "tests.support.keeping_victim", str(folder), str(box), str(folder_id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"begun\n"
        time.sleep(after)
        assert victim.poll() is None
        victim.kill()


@pytest.mark.req("RTE-7", "OPS-5", "AUD-1")
async def test_kill_9_in_the_middle_of_everything(tmp_path: Path) -> None:
    """Each message is in the mailbox or among the removed ones, once and whole; rows, files and trace hold."""
    folder = tmp_path / "store"
    options = replace(sqlite_options(folder), keep_deleted=1e6)
    store = SqliteStore(options)
    await store.open()
    box = await add_box(store)
    inbox_id = await inbox(store, box.id)
    digests = []
    for number in range(30):
        new = body(bytes([number]) * (100, 5000, 9000)[number % 3])
        await store.accept(delivery(new, box.id))
        digests.append(new.digest)
    await store.close()
    chance = random.Random(9)
    for ring in RINGS:
        options = replace(options, encryption=sealing(folder, ring))
        killed(folder, box.id, inbox_id, chance.uniform(0.05, 0.4))
        store = SqliteStore(options)
        await store.open()
        place = KeptPlace(tmp_path, tmp_path / "gateway.toml", options)
        result = verify_store(Task(Work.VERIFY, place, KeepOptions(rate=10**9)), quiet)
        assert result["findings"] == []
        assert (await store.verify_trace()).damage == ()
        ids = [one.id for one in await store.removed(box.id, Wanted(folder="INBOX"))]
        await store.bring_back(box.id, ids, "", trace_line("undeleted"))
        there = await uids(store, inbox_id)
        assert len(there) == len(digests)
        for digest in digests:
            assert [await is_whole(store, inbox_id, uid, digest) for uid in there].count(True) == 1
        await store.close()
