"""Lines of the trace are found at every moment, however far their entries have come (AUD-1, AUD-2)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mss_gateway.ports.audit import AuditQuery
from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.activity import box_activity
from mss_gateway.storage.sqlite.audit_chain import begin
from mss_gateway.storage.sqlite.audit_purge import _slice, plan
from mss_gateway.storage.sqlite.audit_read import audit_lines
from mss_gateway.storage.sqlite.engine import Engine, Writer, connect
from mss_gateway.storage.sqlite.migrate import migrate, migrations
from mss_gateway.storage.sqlite.people import box_history
from mss_gateway.storage.sqlite.segments import Segments
from mss_gateway.storage.sqlite.trace import insert_trace, read_trace
from mss_gateway.storage.sqlite.trace_index import BLOCK, MISSED_LINES, WRONG_ENTRIES, TraceIndex
from tests.support.store import NOW

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = ("<a@x>", "<b@x>", "<c@x>")
TRANSACTIONS = ("t1", "t2", "t3")
BOXES = (1, 2, 3)
EVENTS = ("member-read", "member-sent", "accepted", "box-added")
LISTS = ("trace_messages", "trace_boxes", "trace_transactions")

drawn = st.tuples(
    st.sampled_from(EVENTS),
    st.sampled_from(("", *TRANSACTIONS)),
    st.sampled_from((None, *MESSAGES)),
    st.sampled_from((None, *BOXES)),
)


@dataclass
class Known:
    """A line as it must be found: its id and what was written."""

    id: int
    line: TraceLine


class TraceMachine(RuleBasedStateMachine):
    """Appends, undone jobs, entries, failures in their middle, purges and new starts, against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.db = apsw.Connection(":memory:")
        migrate(self.db)
        self.known: list[Known] = []
        self.seconds = 0

    def teardown(self) -> None:
        """Nothing stays."""
        self.folder.cleanup()

    @initialize(before=st.sampled_from((0, (1 << BLOCK) - 4, (3 << BLOCK) - 7)), waiting=st.integers(1, 6))
    def start(self, before: int, waiting: int) -> None:
        """A trace that has lost `before` lines to purges, so that blocks end within the test."""
        self.db.execute("INSERT INTO sqlite_sequence VALUES ('trace', ?)", (before,))
        self.waiting = waiting
        self.reopen()

    @rule()
    def reopen(self) -> None:
        """Whatever a process knew is gone."""
        self.chain = begin(self.db, Path(self.folder.name) / "key")
        self.index = TraceIndex(self.db, self.waiting)

    @rule(lines=st.lists(drawn, min_size=1, max_size=8), undone=st.booleans())
    def append(self, lines: list[tuple[str, str, str | None, int | None]], undone: bool) -> None:
        """Lines in one commit, or in a job that fails: their ids are given again."""
        made = [
            TraceLine(NOW + self.seconds + number, event, transaction, message, box, "somebody")
            for number, (event, transaction, message, box) in enumerate(lines)
        ]
        self.db.execute("BEGIN IMMEDIATE")
        insert_trace(self.db, made)
        if undone:
            self.db.execute("ROLLBACK")
            self.chain.forget()
            return
        self.chain.prove()
        last, _ = self.chain.end
        self.db.execute("COMMIT")
        self.seconds += len(made)
        self.known += [Known(last - len(made) + 1 + number, line) for number, line in enumerate(made)]

    @rule()
    def entries(self) -> None:
        """A step when enough lines wait, as the writer makes it."""
        while self.index.is_due(self.chain.end[0]):
            self.index.step(self.chain.end[0])

    @rule(steps=st.integers(1, 400))
    def entries_in_vain(self, steps: int) -> None:
        """A step that is interrupted anywhere: all of it is there, or nothing."""
        calls = iter(range(steps))
        self.db.set_progress_handler(lambda: next(calls, None) is None, 1)
        try:
            with contextlib.suppress(apsw.InterruptError):
                self.index.step(self.chain.end[0])
        finally:
            self.db.set_progress_handler(None)
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    @rule(age=st.integers(0, 30), slices=st.integers(1, 3))
    def purge(self, age: int, slices: int) -> None:
        """Old lines go, slice by slice, with entries made in between."""
        planned = plan(self.db, NOW + self.seconds - age)
        writer = Writer(self.db, cast(Segments, None), SqliteOptions(Path()), self.chain)
        after = planned.first - 1
        while after < planned.boundary:
            until = min(after + slices, planned.boundary)
            self.db.execute("BEGIN IMMEDIATE")
            _slice(writer, after, until, None)
            self.db.execute("COMMIT")
            self.known = [one for one in self.known if not after < one.id <= until]
            after = until
            self.everything_is_found()
            self.entries()

    @invariant()
    def everything_is_found(self) -> None:
        """Every question has the answer of the list."""
        lines = [one.line for one in self.known]
        for message in MESSAGES:
            shared = {one.transaction for one in lines if one.message_id == message} - {""}
            wanted = [one for one in lines if one.message_id == message or one.transaction in shared]
            assert read_trace(self.db, message, 1000) == wanted
            assert read_trace(self.db, message, 2) == wanted[:2]
        for transaction in TRANSACTIONS:
            wanted = [one for one in lines if one.transaction == transaction]
            assert read_trace(self.db, None, 1000, transaction=transaction) == wanted
            assert read_trace(self.db, None, 2, transaction=transaction) == wanted[:2]
        assert read_trace(self.db, None, 1000, transaction="") == []
        for box in BOXES:
            wanted = [one for one in lines if one.box_id == box]
            assert read_trace(self.db, None, 1000, box_id=box) == wanted
            assert read_trace(self.db, None, 3, box_id=box) == wanted[-3:]
            self.a_box(box, wanted)
        for sql in (MISSED_LINES, WRONG_ENTRIES):
            assert self.db.execute(sql).fetchall() == []

    def a_box(self, box: int, lines: list[TraceLine]) -> None:
        """Its life, what its members did, and what an export has of it."""
        life = [one for one in lines if one.event == "box-added"]
        assert box_history(self.db, box, ["box-added", "box-closed"], 1000) == life
        assert box_history(self.db, box, ["box-added"], 1) == life[-1:]
        since = NOW + self.seconds - 10
        acts = [one for one in reversed(lines) if one.event.startswith("member-") and one.at >= since]
        found = box_activity(self.db, box, since, None, 1000)
        assert [(one.last_at, one.message_id) for one in found] == [(one.at, one.message_id) for one in acts]
        of_one = [one.at for one in acts if one.message_id == "<a@x>"]
        assert [one.last_at for one in box_activity(self.db, box, since, "<a@x>", 2)] == of_one[:2]
        exported, _ = audit_lines(self.db, AuditQuery(since, NOW + self.seconds - 2, box), 0, 1000)
        period = [one.at for one in lines if since <= one.at < NOW + self.seconds - 2]
        assert [one.at for one in exported] == period


TestTrace = TraceMachine.TestCase
TestTrace.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestTrace.pytestmark = [pytest.mark.req("AUD-1", "AUD-2")]


@pytest.mark.req("AUD-2")
def test_a_box_is_read_newest_first_over_every_block(tmp_path: Path) -> None:
    """Its lines lie in several blocks and behind the mark."""
    db = apsw.Connection(":memory:")
    migrate(db)
    chain = begin(db, tmp_path / "key")
    index = TraceIndex(db, 4)
    made = [TraceLine(NOW + number, "login", "", "<a@x>", 1) for number in range(15)]
    for block in range(3):
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'trace'")
        db.execute("INSERT INTO sqlite_sequence VALUES ('trace', ?)", (((block + 1) << BLOCK) - 2,))
        insert_trace(db, made[5 * block : 5 * block + 5])
        index.step(chain.end[0])
    assert [block for (block,) in db.execute("SELECT DISTINCT block FROM trace_boxes")] == [0, 1, 2, 3]
    for limit in (1, 3, 4, 8, 100):
        assert read_trace(db, None, limit, box_id=1) == made[-limit:]
        assert read_trace(db, "<a@x>", limit) == made[:limit]


def count(db: apsw.Connection, table: str) -> int:
    """How many rows it has."""
    return int(db.execute(f"SELECT count(*) FROM {table}").get)


def an_older_store(folder: Path, lines: int) -> None:
    """A store as the release before left it, with lines that its indexes found."""
    folder.mkdir()
    options = SqliteOptions(folder)
    db = connect(folder / "store.db", options)
    known = migrations()
    older = [one for one in known if one[0] < 21]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mss_gateway.storage.sqlite.migrate.migrations", lambda: older)
        migrate(db)
    chain = begin(db, folder / "audit.key")
    db.execute("BEGIN")
    made = [TraceLine(NOW, "login", f"t{number}", f"<{number}@x>", 1 + number % 3) for number in range(lines)]
    insert_trace(db, made)
    chain.prove()
    db.execute("COMMIT")
    db.close()


async def until_indexed(store: SqliteStore, last: int) -> None:
    """Wait for the writer's steps, however busy the machine is; the test's own timeout is the end."""
    while True:
        mark = await store._engine.read(lambda db: int(db.execute("SELECT line_id FROM trace_indexed").get))
        if mark >= last:
            return
        await asyncio.sleep(0.01)


@pytest.mark.req("AUD-2")
async def test_an_older_trace_gets_its_entries_while_the_gateway_serves(tmp_path: Path) -> None:
    """The start does not wait for them; lines are found before, meanwhile and afterwards, and the chain holds."""
    an_older_store(tmp_path / "store", 400)
    store = SqliteStore(SqliteOptions(tmp_path / "store", index=False, trace_waiting=20))
    await store.open()
    for number in (0, 57, 399):
        assert len(await store.trace(f"<{number}@x>")) == 1
    await store.write_trace([TraceLine(NOW + 1, "relayed", "", "<57@x>", 1)])
    await until_indexed(store, 400)
    assert [one.event for one in await store.trace("<57@x>")] == ["login", "relayed"]
    assert len(await store.trace(box_id=1, limit=1000)) == 135
    assert (await store.verify_trace()).damage == ()
    for sql in (MISSED_LINES, WRONG_ENTRIES):
        assert await store._engine.read(lambda db, sql=sql: db.execute(sql).fetchall()) == []
    await store.close()


@pytest.mark.req("AUD-2")
@pytest.mark.parametrize("fault", [apsw.FullError("database or disk is full"), KeyError("a fault of ours")])
async def test_a_step_that_fails_costs_no_line_and_is_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """A disk that has room for the mail alone, or a fault of ours: the mail goes on, its lines are found."""
    store = SqliteStore(SqliteOptions(tmp_path / "store", index=False, trace_waiting=5))
    await store.open()
    step, tried = TraceIndex.step, []

    def fails(self: TraceIndex, newest: int) -> None:
        tried.append(newest)
        self._due = newest + self._waiting
        raise fault

    monkeypatch.setattr(TraceIndex, "step", fails)
    for number in range(7):
        await store.write_trace([TraceLine(NOW, "login", "t1", f"<{number}@x>", 1)])
    assert tried
    assert len(await store.trace(transaction="t1")) == 7
    monkeypatch.setattr(TraceIndex, "step", step)
    for _ in range(12):
        await store.write_trace([TraceLine(NOW, "login", "t1", "<z@x>", 1)])
    await until_indexed(store, 15)
    assert len(await store.trace(transaction="t1")) == 19
    await store.close()


@pytest.mark.req("AUD-1", "AUD-2")
async def test_a_purge_takes_the_entries_along(tmp_path: Path) -> None:
    """Nothing of the lines that are gone stays in the lists."""
    store = SqliteStore(SqliteOptions(tmp_path / "store", index=False, trace_waiting=4))
    await store.open()
    made = [TraceLine(NOW + number, "login", f"t{number}", f"<{number}@x>", 7) for number in range(40)]
    await store.write_trace(made)
    await until_indexed(store, 40)
    assert await store.purge_trace(await store.plan_purge(NOW + 30), "gateway", NOW + 100) == 30
    assert await store.trace("<29@x>") == []
    assert [one.message_id for one in await store.trace(box_id=7)] == [f"<{n}@x>" for n in range(30, 40)]
    assert [await store._engine.read(lambda db, table=table: count(db, table)) for table in LISTS] == [10] * 3
    assert (await store.verify_trace()).damage == ()
    await store.close()


@pytest.mark.req("AUD-2")
def test_ids_that_somebody_had_given_again_are_found(tmp_path: Path) -> None:
    """Lines and the count of ids cut off by hand: what comes then lies under ids that had entries once."""
    db = apsw.Connection(":memory:")
    migrate(db)
    begin(db, tmp_path / "key")
    insert_trace(db, [TraceLine(NOW, "login", "t1", "<a@x>", 1) for _ in range(6)])
    TraceIndex(db, 2).step(6)
    index = TraceIndex(db, 6)
    index.step(6)
    db.execute("DELETE FROM trace WHERE id > 3")
    db.execute("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'trace'")
    index = TraceIndex(db, 2)
    begin(db, tmp_path / "key")
    insert_trace(db, [TraceLine(NOW, "login", "t2", "<b@x>", 2)])
    assert len(read_trace(db, "<b@x>", 10)) == 1
    assert len(read_trace(db, "<a@x>", 10)) == 3
    index.step(4)
    assert len(read_trace(db, "<b@x>", 10)) == 1
    assert len(read_trace(db, None, 10, box_id=1)) == 3


def _killed(folder: Path) -> int:
    """Write lines with entries after each few, and be killed; how many were said to be durable."""
    command = [sys.executable, "-m", "tests.support.trace_victim", str(folder), "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        said = victim.stdout.readline()
        time.sleep(random.uniform(0.0, 0.2))
        victim.kill()
        return (said + victim.stdout.read()).count(b"\n")


@pytest.mark.req("AUD-1", "AUD-2")
@pytest.mark.timeout(400)
async def test_kill_9_between_lines_and_entries(tmp_path: Path) -> None:
    """Round after round: every line is found by its box, entries and lines agree."""
    lines = 0
    for _ in range(3):
        said = _killed(tmp_path / "store")
        engine = Engine(SqliteOptions(tmp_path / "store", trace_waiting=3))
        await engine.open()
        found = await engine.read(lambda db: read_trace(db, None, 1_000_000, box_id=1))
        everything = await engine.read(lambda db: count(db, "trace WHERE box_id = 1"))
        assert len(found) == everything >= lines + said
        for sql in (MISSED_LINES, WRONG_ENTRIES):
            assert await engine.read(lambda db, sql=sql: db.execute(sql).fetchall()) == []
        assert await engine.read(lambda db: count(db, "trace_boxes")) > 0
        lines = everything
        await engine.close()
