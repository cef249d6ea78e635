"""Killed at any instant, the outbox has every row that was queued and not ended, and knows which are due (QUE-1)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import Queued
from mss_gateway.ports.store import Store
from tests.contract.test_outbox import ended, everything, lease
from tests.support.store import NOW, BackEnd, trace_line

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 4
LINE = trace_line("queue-changed")


def _killed_at_work(name: str, folder: Path, seconds: float) -> dict[str, set[str]]:
    """Run the victim, kill it after that time, and return what it said of which addresses."""
    command = [sys.executable, "-m", "tests.support.queue_victim", name, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        victim.kill()
        said = victim.stdout.read().decode().splitlines()
    found: dict[str, set[str]] = defaultdict(set)
    for line in said:
        word, *addresses = line.split()
        found[word].update(addresses)
    return found


async def _all_rows(store: Store) -> list[Queued]:
    rows: list[Queued] = []
    while page := await store.queued(EVERYTHING, 500, rows[-1].id if rows else 0):
        rows += page
    return rows


@pytest.mark.req("QUE-1", "QUE-3", "QUE-4")
@pytest.mark.timeout(400)
async def test_the_queue_survives_kill_9(back_end: BackEnd, tmp_path: Path) -> None:
    """Each round: kill under load, open again; figures, rows and what is due agree, and all can be carried."""
    kept: set[str] = set()
    for turn in range(ROUNDS):
        said = _killed_at_work(back_end.name, tmp_path, random.uniform(0.05, 0.4))
        store = back_end.build(tmp_path / "store")
        await store.open()
        rows = await _all_rows(store)
        present = {row.recipient for row in rows}
        assert len(present) == len(rows)
        assert (kept | said["queued"]) - said["ending"] <= present
        assert not present & said["ended"]
        figures = await store.queue_by_domain()
        assert sum(domain.rows for domain in figures) == len(rows)
        assert await store.next_due() == min(
            (row.next_attempt for row in rows if row.state != "held"), default=None
        )
        under_way = {row.recipient for row in rows if row.state == "leased"}
        interrupted = [*await store.void_leases(NOW, "a"), *await store.void_leases(NOW, "b")]
        assert {one.recipient for one in interrupted} == under_way
        kept = present
        if turn == ROUNDS - 1:
            await store.release_rows(EVERYTHING, NOW, LINE, 1_000_000)
            await store.retry_rows(EVERYTHING, NOW, LINE, 1_000_000)
            letters = await store.claim(lease(), everything())
            while letters:
                kept -= {str(row.recipient.address) for one in letters for row in one.rows}
                await store.accept(ended(letters))
                letters = await store.claim(lease(), everything())
            assert kept == set()
            assert await store.queued(EVERYTHING) == []
        await store.close()
