"""Killed at any instant, the index opens again and answers as the messages do."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from mss_gateway.ports.textsearch import BODY, TEXT
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import add_box, inbox, sqlite_options, uids
from tests.support.textindex import indexed, scan

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 4


def _killed_while_indexing(folder: Path, folder_id: int, start: int, seconds: float) -> None:
    command = [sys.executable, "-m", "tests.support.index_victim", str(folder), str(folder_id), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        victim.kill()


@pytest.mark.req("IMP-1", "RTE-4")
@pytest.mark.timeout(400)
async def test_killed_in_the_middle_it_catches_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round: kill under load, open again, compare with a scan; no text of an expunged message stays."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._BUSY", -1.0)
    store = SqliteStore(sqlite_options(tmp_path))
    await store.open()
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await store.close()
    for turn in range(ROUNDS):
        _killed_while_indexing(tmp_path, folder_id, turn * 10_000 + 1, random.uniform(0.1, 0.5))
        path = tmp_path / "index" / f"{box.id}.db"
        if path.exists():
            assert next(apsw.Connection(str(path)).execute("PRAGMA integrity_check")) == ("ok",)
        store = SqliteStore(sqlite_options(tmp_path))
        await store.open()
        present = await uids(store, folder_id)
        assert len(present) > 1
        await indexed(store, folder_id)
        for field, needle in (
            (BODY, "commun"),
            (TEXT, f"tour{turn * 10_000 + 2}"),
            (BODY, "mot1"),
            (BODY, "te te"),
        ):
            hits = await indexed(store, folder_id, field, needle)
            assert hits.uids & set(present) == await scan(store, folder_id, field, needle)
        await store.close()
    db = apsw.Connection(str(path))
    assert next(db.execute("SELECT count(*) FROM texts_content"))[0] == len(present)
    kept = {uid for (uid,) in db.execute("SELECT uid FROM places")}
    assert kept == set(present)
    db.execute("INSERT INTO texts (texts) VALUES ('integrity-check')")
