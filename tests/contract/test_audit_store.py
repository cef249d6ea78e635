"""The chain over years: seals, keys, purge, older stores, kill -9 (AUD-1)."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
import pytest_asyncio

from mss_gateway.ports.audit import AuditQuery
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.audit_chain import begin, read_keys
from mss_gateway.storage.sqlite.engine import Writer
from mss_gateway.storage.sqlite.migrate import migrations
from mss_gateway.storage.sqlite.trace import insert_trace
from tests.support.store import NOW, add_box, body, delivery

ROOT = Path(__file__).resolve().parents[2]


def line(number: int, event: str = "login") -> TraceLine:
    """A line of its own second."""
    return TraceLine(NOW + number, event, "", f"<{number}@x.example>", actor="somebody")


def built(folder: Path, key: str = "audit.key") -> SqliteStore:
    """A store whose key and seals lie beside its folder."""
    return SqliteStore(SqliteOptions(folder / "store", index=False, audit_key=folder / key))


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store with twenty lines."""
    store = built(tmp_path)
    await store.open()
    await store.write_trace([line(number) for number in range(20)])
    yield store
    await store.close()


async def kinds(store: SqliteStore) -> list[tuple[str, int, int]]:
    """What `verify` finds."""
    return [(one.kind, one.first, one.last) for one in (await store.verify_trace()).damage]


@pytest.mark.req("AUD-1")
async def test_a_line_of_a_job_that_failed_leaves_no_mark(kept: SqliteStore) -> None:
    """Undone lines are neither missed nor followed."""

    def fails(writer: Writer) -> None:
        insert_trace(writer.db, [line(99)])
        raise StoreError("on purpose")

    with pytest.raises(StoreError):
        await kept._engine.write(fails)
    await kept.write_trace([line(21)])
    assert await kinds(kept) == []
    assert await kept.last_line() == 21


@pytest.mark.req("AUD-1")
async def test_a_tail_cut_off_behind_a_seal_is_missed(kept: SqliteStore, tmp_path: Path) -> None:
    """Also when the head in the database is put back with it."""
    with closing(apsw.Connection(str(tmp_path / "store" / "store.db"))) as db:
        head = db.execute("SELECT * FROM audit_head").fetchone()
    sealed = await kept.seal_trace(NOW + 30)
    assert sealed is not None
    assert sealed.line_id == 21
    assert await kept.seal_trace(NOW + 31) is None  # nothing was written since
    assert (await kept.verify_trace()).seals == 1
    await kept.close()
    with closing(apsw.Connection(str(tmp_path / "store" / "store.db"))) as db:
        db.execute("DELETE FROM trace WHERE id > 20")
        db.execute("DELETE FROM audit_head")
        db.execute("INSERT INTO audit_head VALUES (?, ?, ?, ?)", head)
    await kept.open()
    assert await kinds(kept) == [("deleted", 21, 21)]


@pytest.mark.req("AUD-1")
async def test_seals_that_are_forged_replaced_or_taken_away_are_told(kept: SqliteStore) -> None:
    """Each line of the file carries its own proof; each seal in the trace is to be in the file."""
    for number in range(3):
        await kept.seal_trace(NOW + 30 + number)
        await kept.write_trace([line(40 + number)])
    path = kept.audit_seals
    whole = path.read_bytes()
    first, second, third = whole.splitlines(keepends=True)
    path.write_bytes(first + third)
    assert await kinds(kept) == [("seal-missing", 23, 23)]
    path.write_bytes(first.replace(b'"line":21', b'"line":20') + second + third)
    assert [kind for kind, _, _ in await kinds(kept)] == ["seal-forged", "seal-missing"]
    path.write_bytes(whole + b'{"line":2')  # killed in the middle of writing
    assert await kinds(kept) == []
    await kept.seal_trace(NOW + 50)
    assert await kinds(kept) == []
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.req("AUD-1")
async def test_the_chain_goes_on_over_a_tail_that_was_cut_while_nobody_served(
    kept: SqliteStore, tmp_path: Path
) -> None:
    """New lines do not hide what is missing before them."""
    await kept.close()
    with closing(apsw.Connection(str(tmp_path / "store" / "store.db"))) as db:
        db.execute("DELETE FROM trace WHERE id > 15")
    await kept.open()
    await kept.write_trace([line(50), line(51)])
    assert await kinds(kept) == [("deleted", 16, 20)]


@pytest.mark.req("AUD-1")
async def test_an_end_without_its_proof_is_told(kept: SqliteStore, tmp_path: Path) -> None:
    """Whoever cuts the tail must take the proof of its end along, and that is seen."""
    with closing(apsw.Connection(str(tmp_path / "store" / "store.db"))) as db:
        db.execute("DELETE FROM audit_head")
    assert await kinds(kept) == [("head-forged", 20, 20)]


@pytest.mark.req("AUD-1")
async def test_a_new_key_goes_on_and_the_old_lines_stay_verifiable(kept: SqliteStore) -> None:
    """A line more in the key file changes the key; without the old one, its lines are told to be beyond proof."""
    path = kept.audit_key
    old = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    await kept.close()
    path.write_text(old + "ab" * 32 + "\n")
    await kept.open()
    await kept.write_trace([line(60), line(61)])
    assert await kinds(kept) == []
    path.write_text("ab" * 32 + "\n")
    assert await kinds(kept) == [("key-unknown", 1, 20)]


@pytest.mark.req("AUD-1")
@pytest.mark.parametrize("content", ["", "not hexadecimal", "abcd"])
async def test_a_key_file_that_is_none_is_refused_with_a_remedy(tmp_path: Path, content: str) -> None:
    """Never replaced by a new key: that would hide the loss."""
    (tmp_path / "audit.key").write_text(content)
    with pytest.raises(StoreError, match="backup"):
        await built(tmp_path).open()


@pytest.mark.req("AUD-1")
def test_lines_of_an_older_store_are_taken_in_once(tmp_path: Path) -> None:
    """Links removed later are not filled in again when the gateway starts."""
    db = apsw.Connection(str(tmp_path / "store.db"))
    for number, _, sql in migrations():
        if number == 17:
            db.execute(
                "INSERT INTO trace (at, event, transaction_id, actor, detail) VALUES (1.0, 'login', '', 'x', '{}'),"
                " (2.0, 'login', '', 'y', '{}')"
            )
        db.execute(sql)
    begin(db, tmp_path / "key")
    links = db.execute("SELECT link FROM trace").fetchall()
    assert len({link for (link,) in links}) == 2
    db.execute("UPDATE trace SET link = NULL")
    again = apsw.Connection(str(tmp_path / "store.db"))
    begin(again, tmp_path / "key")
    assert again.execute("SELECT count(link) FROM trace").fetchone() == (0,)
    assert not read_keys(tmp_path / "key").made


@pytest.mark.req("AUD-1")
async def test_a_purge_leaves_a_chain_that_holds_and_a_line_that_tells(kept: SqliteStore) -> None:
    """Twice, so that the first purge's own line is purged as well."""
    plan = await kept.plan_purge(NOW + 12)
    assert (plan.first, plan.boundary, plan.count, plan.kept) == (1, 12, 12, 0)
    assert await kept.purge_trace(plan, "cli:ops", NOW + 100) == 12
    assert await kinds(kept) == []
    (told,) = [one for one in await kept.trace() if one.event == "audit-purged"]
    assert told.actor == "cli:ops"
    assert dict(told.detail) == {"first": 1, "last": 12, "lines": 12, "kept": 0}
    await kept.write_trace([line(200)])
    assert await kept.purge_trace(await kept.plan_purge(NOW + 150), "gateway", NOW + 300) == 9
    assert await kinds(kept) == []
    assert [one.event for one in await kept.trace()] == ["login", "audit-purged"]


@pytest.mark.req("AUD-1")
async def test_what_is_taken_away_beside_a_purge_is_still_found(kept: SqliteStore, tmp_path: Path) -> None:
    """Nobody can pass a deletion off as a purge, nor make a purge's run longer."""
    await kept.purge_trace(await kept.plan_purge(NOW + 5), "gateway", NOW + 100)
    with closing(apsw.Connection(str(tmp_path / "store" / "store.db"))) as db:
        db.execute("DELETE FROM trace WHERE id IN (6, 7)")
        assert await kinds(kept) == [("deleted", 6, 7)]
        db.execute("UPDATE audit_gaps SET last_id = 7")
        assert await kinds(kept) == [("deleted", 1, 7)]


@pytest.mark.req("AUD-1")
async def test_lines_of_a_message_that_still_waits_outlive_the_purge(kept: SqliteStore) -> None:
    """An open matter keeps its history, and the chain holds around it."""
    box = await add_box(kept)
    waiting = body(message_id="<7@x.example>")
    await kept.accept(delivery(waiting, box.id, outbox=["a@ailleurs.example"]))
    plan = await kept.plan_purge(NOW + 15)
    assert (plan.count, plan.kept) == (14, 1)
    await kept.purge_trace(plan, "gateway", NOW + 100)
    assert await kinds(kept) == []
    assert "<7@x.example>" in {one.message_id for one in await kept.trace()}


def _killed(folder: Path, box_id: int) -> int:
    """Run the victim, kill it after a moment; how many lines it had said to be durable."""
    command = [sys.executable, "-m", "tests.support.audit_victim", str(folder), str(box_id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        said = victim.stdout.readline()  # it has begun, however slow the machine is
        time.sleep(random.uniform(0.02, 0.3))
        victim.kill()
        return (said + victim.stdout.read()).count(b"\n")


@pytest.mark.req("AUD-1")
@pytest.mark.timeout(400)
async def test_kill_9_leaves_a_chain_that_holds(tmp_path: Path) -> None:
    """Killed under load, opened and continued, round after round."""
    store = SqliteStore(SqliteOptions(tmp_path / "store"))
    await store.open()
    box = await add_box(store)
    await store.close()
    lines = 0
    for _ in range(4):
        said = _killed(tmp_path / "store", box.id)
        store = SqliteStore(SqliteOptions(tmp_path / "store"))
        await store.open()
        verdict = await store.verify_trace()
        assert verdict.damage == ()
        assert verdict.lines >= lines + said
        lines = verdict.lines
        await store.close()
    assert lines > 4


@pytest.mark.req("AUD-1")
async def test_an_export_reads_by_box_time_and_people(kept: SqliteStore) -> None:
    """Lines of the box, messages sent from it, and logins of its people; nothing else."""
    box = await add_box(kept)
    base = NOW + 1000
    await kept.write_trace(
        [
            TraceLine(base, "mailbox-read", "", box_id=box.id, actor="alix"),
            TraceLine(base + 1, "login", "", actor="alix"),
            TraceLine(base + 2, "login", "", actor="bo"),
            TraceLine(base + 3, "login-refused", "", actor="192.0.2.1", detail={"login": "alix"}),
            TraceLine(base + 4, "accepted", "t", box_id=99, actor="bo", detail={"sender_box": box.id}),
            TraceLine(base + 500, "mailbox-read", "", box_id=box.id, actor="alix"),
        ]
    )
    query = AuditQuery(base, base + 100, box.id, ("alix",))
    after = await kept.first_since(base)
    lines, _ = await kept.audit_lines(query, after, 100)
    assert [(one.event, one.actor) for one in lines] == [
        ("mailbox-read", "alix"),
        ("login", "alix"),
        ("login-refused", "192.0.2.1"),
        ("accepted", "bo"),
    ]
    assert {one.box for one in lines} == {box.address, ""}


@pytest.mark.req("AUD-3")
async def test_figures_are_counted_once_and_outlive_a_purge(kept: SqliteStore) -> None:
    """Messages by kind, connections, patients once each; the same after counting again and purging."""
    detail: dict[str, str | int] = {
        "placed": 1,
        "sender": "PER",
        "sender_box": 3,
        "recipients": "patient:2 ORG:1",
        "marks": "aa bb",
    }
    await kept.write_trace(
        [
            TraceLine(NOW, "accepted", "t1", actor="a", detail=detail),
            TraceLine(NOW, "accepted", "t2", actor="a", detail={**detail, "marks": "bb"}),
            TraceLine(NOW, "login", "", box_id=5, actor="a", detail={"mechanism": "plain", "door": "imaps"}),
        ]
    )
    while await kept.count_figures(7) == 7:
        pass
    month = time.strftime("%Y-%m", time.localtime(NOW))
    figures = await kept.figures_of(month)
    assert await kept.count_figures(7) == 0
    wanted = {
        "messages.accepted": 2,
        "received.PER": 2,
        "sent.patient": 2,
        "sent.ORG": 2,
        "connections.imaps.plain": 1,
        "connections.mail.password": 20,
        "active-boxes": 2,
        "patients.written-to": 2,
    }
    assert {name: figures[name] for name in wanted} == wanted
    await kept.purge_trace(await kept.plan_purge(NOW + 10_000), "ops", NOW + 10_000)
    assert await kept.figures_of(month) == figures
    (day,) = await kept.daily_figures(month)
    assert day.startswith(month)


@pytest.mark.req("AUD-1")
async def test_verify_beside_writes_seals_and_a_purge_finds_nothing(tmp_path: Path) -> None:
    """What happens meanwhile is no damage."""
    store = SqliteStore(SqliteOptions(tmp_path / "store", index=False))
    await store.open()
    await store.write_trace([line(number) for number in range(4000)])

    async def write() -> None:
        for number in range(60):
            await store.write_trace([line(5000 + number)])
            if number % 20 == 0:
                await store.seal_trace(NOW + 6000 + number)

    async def purge() -> None:
        await store.purge_trace(await store.plan_purge(NOW + 3500), "gateway", NOW + 9000)

    *found, _, _ = await asyncio.gather(*(kinds(store) for _ in range(3)), write(), purge())
    assert found == [[], [], []]
    assert await kinds(store) == []
    await store.close()
