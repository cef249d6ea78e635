"""What waits costs nothing: the work of a claim does not grow with the queue, counted in steps of SQLite (QUE-2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from mss_gateway.ports.outbox import Share
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.storage.sqlite import SqliteOptions, claims, outbox, queue
from mss_gateway.storage.sqlite.audit_chain import begin
from mss_gateway.storage.sqlite.deliveries import accept
from mss_gateway.storage.sqlite.engine import Writer, connect
from mss_gateway.storage.sqlite.migrate import migrate
from mss_gateway.storage.sqlite.segments import Segments
from tests.contract.test_outbox import lease
from tests.support.store import NOW, body, delivery, trace_line

LINE = trace_line("queue-changed")


def _steps(db: apsw.Connection, run: Callable[[], Any]) -> int:
    """Steps of SQLite's machine, in tens, that a call takes."""
    count = 0

    def step() -> bool:
        nonlocal count
        count += 1
        return False

    db.set_progress_handler(step, 10)
    run()
    db.set_progress_handler(None)
    return count


def _filled(folder: Path, rows: int, domains: int) -> Writer:
    """A store with rows that wait, three that are held, and one that is due."""
    folder.mkdir()
    options = SqliteOptions(folder)
    db = connect(folder / "store.db", options)
    migrate(db)
    writer = Writer(db, Segments(folder / "segments", 1 << 20, 1 << 20), options, begin(db, folder / "key"))
    db.execute("BEGIN")
    for number in range(rows):
        accept(writer, delivery(body(), outbox=[f"a{number}@d{number % domains}.example"]))
    db.execute("UPDATE outbox SET next_attempt = queued_at + 900")
    queue.change(writer, [1, 2, 3], queue.HOLD, {"reason": ""}, LINE)
    accept(writer, delivery(body(), outbox=["due@d1.example"]))
    db.execute("COMMIT")
    return writer


@pytest.mark.req("QUE-2")
def test_neither_rows_nor_domains_that_wait_make_a_claim_dearer(tmp_path: Path) -> None:
    """Twenty times as many rows, or domains, and the same steps for claim and next moment."""
    costs = []
    for rows, domains in ((100, 5), (2000, 5), (2000, 400)):
        writer = _filled(tmp_path / f"{rows}-{domains}", rows, domains)
        db = writer.db

        def claim(writer: Writer = writer) -> None:
            assert len(claims.claim(writer, lease(NOW), Share(5, 5))) == 1

        def look(db: apsw.Connection = db) -> None:
            assert outbox.next_due(db, {"d2.example"}) == NOW + 60

        costs.append((_steps(db, claim), _steps(db, look)))
        db.close()
    (claim_few, look_few), *many = costs
    for claim_many, look_many in many:
        assert claim_many <= claim_few + 10
        assert look_many <= look_few + 5


@pytest.mark.req("QUE-3")
def test_a_page_and_a_change_by_hand_cost_what_they_concern(tmp_path: Path) -> None:
    """A page is read from where the last one ended; a change works on its rows, not on the queue."""
    costs = []
    for rows in (200, 2000):
        writer = _filled(tmp_path / f"{rows}", rows, 5)
        db = writer.db

        def page(db: apsw.Connection = db) -> None:
            assert len(queue.queued(db, EVERYTHING, 20, 100)) == 20

        def change(writer: Writer = writer) -> None:
            assert queue.change(writer, range(50, 70), queue.HOLD, {"reason": ""}, LINE) == 20

        def one(db: apsw.Connection = db) -> None:
            assert len(queue.queued(db, Selection(ids=(60,)), 20, 0)) == 1

        costs.append([_steps(db, call) for call in (page, change, one)])
        db.close()
    for few, many in zip(*costs, strict=True):
        assert many <= few * 1.2 + 5
