"""Killed at any instant, the store has every message that it had acknowledged, whole and once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.store import (
    ANYONE,
    EVERYTHING,
    BackEnd,
    add_box,
    body,
    delivery,
    digest,
    inbox,
    snapshot,
    uids,
)

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5


def _killed_while_accepting(
    name: str, folder: Path, box_id: int, seconds: float, *, begun: bool
) -> list[tuple[int, bytes]]:
    """Run the victim, kill it after that time, and return what it had acknowledged.

    With `begun` the time counts from its first word on, however slow the machine is.
    """
    command = [sys.executable, "-m", "tests.support.store_victim", name, str(folder), str(box_id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        first = victim.stdout.readline() if begun else b""
        time.sleep(seconds)
        victim.kill()
        said = (first + victim.stdout.read()).decode().splitlines()
    return [(int(uid), bytes.fromhex(found)) for uid, found in (line.split() for line in said)]


@pytest.mark.req("RTE-4", "QUE-1")
@pytest.mark.timeout(400)
async def test_what_was_acknowledged_survives_kill_9(back_end: BackEnd, tmp_path: Path) -> None:
    """Each round: kill under load, open again, find everything, and go on with higher UIDs."""
    store = back_end.build(tmp_path / "store")
    await store.open()
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await store.close()
    acknowledged: dict[int, bytes] = {}
    for turn in range(ROUNDS):
        after = random.uniform(0.02, 0.3)
        said = _killed_while_accepting(back_end.name, tmp_path, box.id, after, begun=turn % 2 == 1)
        for uid, found in said:
            assert uid not in acknowledged
            acknowledged[uid] = found
        store = back_end.build(tmp_path / "store")
        await store.open()
        present = await uids(store, folder_id)
        assert set(acknowledged) <= set(present)
        assert (await snapshot(store, folder_id)).uid_next == max(present, default=0) + 1
        assert present == list(range(1, len(present) + 1))
        named: Counter[bytes] = Counter()
        for row in await store.rows(folder_id, ANYONE, present, EVERYTHING):
            assert row.header is not None
            text = await store.read_text(row.body_id, 0, row.size)
            assert len(row.header) + len(text) == row.size
            assert digest(row.header, text) == acknowledged.get(row.uid, digest(row.header, text))
            named[row.header] += 1
        assert set(named.values()) <= {1}
        (place,) = await store.accept(delivery(new := body(), box.id))
        acknowledged[place.uid] = new.digest
        await store.close()
    assert len(acknowledged) > ROUNDS
