"""A gateway that stops in order seals its trace: a tail that is cut while nobody serves is missed (AUD-1)."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline.auditing import Auditing, AuditOptions
from mss_gateway.ports.store import StoreError, StoreFull
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.doors import gateway_in_thread
from tests.support.letters import MEDECIN, SENDER, letter


def _head(database: Path) -> tuple[Any, ...]:
    with closing(apsw.Connection(str(database))) as db:
        db.set_busy_timeout(5000)
        row = db.execute("SELECT one, line_id, link, proof FROM audit_head").fetchone()
    assert row is not None
    return row


async def _found(store: SqliteStore) -> list[tuple[str, int, int]]:
    await store.open()
    try:
        return [(one.kind, one.first, one.last) for one in (await store.verify_trace()).damage]
    finally:
        await store.close()


@pytest.mark.req("AUD-1")
def test_a_tail_cut_while_the_gateway_is_stopped_is_missed(tmp_path: Path) -> None:
    """Even by somebody who has kept an older head of the chain: the seal of the shutdown knows how far it reached."""
    database = tmp_path / "store" / "store.db"
    with gateway_in_thread(tmp_path) as served:
        options = served.settings.store
        head = _head(database)
        wire = served.operator()
        assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
        wire.close()
    with closing(apsw.Connection(str(database))) as db:
        newest = db.execute("SELECT id, event FROM trace ORDER BY id DESC LIMIT 1").fetchone()
        assert newest is not None
        assert newest[1] == "audit-sealed"
        assert newest[0] > head[1] + 1
        db.execute("DELETE FROM trace WHERE id > ?", (head[1],))
        db.execute("INSERT OR REPLACE INTO audit_head (one, line_id, link, proof) VALUES (?, ?, ?, ?)", head)
    store = SqliteStore(options)
    assert asyncio.run(_found(store)) == [("deleted", head[1] + 1, newest[0])]


class _Broken:
    """A store that takes nothing."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.asked = 0

    async def seal_trace(self, now: float) -> None:
        """Fails."""
        self.asked += 1
        raise self.fault


@pytest.mark.parametrize("fault", [StoreFull("full"), StoreError("torn"), OSError(28, "full")])
async def test_a_full_disk_does_not_keep_the_gateway_from_stopping(fault: Exception) -> None:
    """It is a fault in the log; who has not served seals nothing."""
    figures = Figures()
    broken = _Broken(fault)
    auditing = Auditing(broken, AuditOptions(), Log(LogOptions("console", "error"), figures))  # type: ignore[arg-type]
    await auditing.finish()
    assert broken.asked == 0
    task = asyncio.ensure_future(auditing.run())
    await asyncio.sleep(0)
    task.cancel()
    await auditing.finish()
    assert broken.asked == 1
    assert 'mss_faults_total{event="store-fault"} 1.0' in figures.render([]).decode()
