"""A short look at the store, and the tail of the trace alone (OPS-2, AUD-1)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.ops.doctor import Verdict
from mss_gateway.ops.health_glance import GlanceHealth
from mss_gateway.pipeline.auditing import Auditing, AuditOptions
from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite.backup_options import Task
from mss_gateway.storage.sqlite.glance import NOTE, glance, last_verified
from mss_gateway.storage.sqlite.verify import verify_store
from mss_gateway.storage.sqlite.verify_rows import CHECKS
from tests.support.keeping import SMALL, Kept, quiet
from tests.support.store import NOW


async def lines(kept: Kept, count: int, first: int = 0) -> None:
    """Lines of the trace."""
    await kept.store.write_trace(
        [TraceLine(NOW + first + one, "login", "", actor="x") for one in range(count)]
    )


def change(kept: Kept, *statements: str) -> None:
    """Behind the gateway's back."""
    with closing(apsw.Connection(str(kept.state / "store" / "store.db"))) as db:
        db.set_busy_timeout(5000)
        for statement in statements:
            db.execute(statement)


def checked(kept: Kept, *, quick: bool = False) -> Task:
    """A whole examination."""
    from mss_gateway.ports.keeping import Work

    return kept.task(Work.VERIFY, quick=quick)


@pytest.mark.req("OPS-2", "OPS-5")
async def test_a_look_finds_bad_rows_and_bodies_and_knows_the_last_whole_one(tmp_path: Path) -> None:
    """Nothing wrong first; then a wrong counter, a changed body, each in its words; the note says when."""
    kept = await Kept(tmp_path).open()
    await kept.deliver(*[SMALL] * 5)
    health = GlanceHealth(kept.store)
    [check] = await health.examine()
    assert check.verdict is Verdict.GOOD
    assert f"{len(CHECKS)} of {len(CHECKS)} questions and 5 messages" in check.evidence
    assert "has not gone through everything yet" in check.evidence
    assert verify_store(checked(kept), quiet)["whole"]
    assert "`verify` found nothing 0.0 days ago" in (await health.examine())[0].evidence
    change(kept, "UPDATE folders SET messages = messages + 1 WHERE messages > 0")
    change(kept, "UPDATE bodies SET digest = zeroblob(32) WHERE id = (SELECT max(id) FROM bodies)")
    [check] = await health.examine()
    assert check.verdict is Verdict.BAD
    assert "counters are not those of its messages" in check.evidence
    assert "not those that were accepted" in check.evidence
    assert not verify_store(checked(kept, quick=True), quiet)["whole"]
    change(kept, "UPDATE folders SET messages = messages - 1 WHERE messages > 0")
    change(
        kept,
        "DELETE FROM messages",
        "DELETE FROM bodies",
        "DELETE FROM body_bytes",
        "UPDATE folders SET messages = 0, octets = 0",
    )
    [check] = await health.examine()
    assert (check.verdict, "`verify --quick` found 1 faults" in check.evidence) == (Verdict.BAD, True)
    await kept.store.close()


@pytest.mark.req("OPS-2")
async def test_a_look_without_time_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Every question gets its turn."""
    kept = await Kept(tmp_path).open()
    first, asked = 0, set()
    for _ in range(2 * len(CHECKS)):
        seen, following = glance(kept.store._engine.options, None, first, 0.0)
        assert seen.checks <= 1
        asked.add(first)
        first = following
    assert asked == set(range(len(CHECKS)))
    await kept.store.close()


@pytest.mark.parametrize(
    "octets", [b"", b"[]", b"{}", b'{"at": "x", "findings": 0, "quick": false}', b"\xff"]
)
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, octets: bytes) -> None:
    """A crash, a disk, or somebody."""
    (tmp_path / NOTE).write_bytes(octets)
    assert last_verified(tmp_path) is None


@pytest.mark.req("AUD-1", "OPS-2")
async def test_the_tail_alone_is_verified_and_damage_before_it_is_not_forgotten(tmp_path: Path) -> None:
    """An old line that was changed is found by the whole walk only, one of the newest by both; each is logged once."""
    kept = await Kept(tmp_path).open()
    await lines(kept, 50)
    log = Log(LogOptions("console", "error"), Figures())
    auditing = Auditing(kept.store, AuditOptions(), log)
    assert (await auditing.verify()).findings == 0
    change(kept, "UPDATE trace SET actor = 'y' WHERE id = 5")
    assert (await auditing.verify(last=20)).findings == 0
    assert (await auditing.verify()).line == 5
    looked = await auditing.verify(last=20)
    assert (looked.findings, looked.line) == (1, 5)
    change(kept, "UPDATE trace SET actor = 'x' WHERE id = 5", "DELETE FROM trace WHERE id = 45")
    verdict = await kept.store.verify_trace(last=20)
    assert [(one.kind, one.first, one.last) for one in verdict.damage] == [("deleted", 45, 45)]
    assert verdict.lines == 19
    assert (await auditing.verify()).line == 45
    await kept.store.close()


@pytest.mark.req("AUD-1")
@pytest.mark.parametrize("last", [1, 19, 20, 21, 1000])
async def test_a_tail_of_any_length_holds(tmp_path: Path, last: int) -> None:
    """Longer than the chain as well, and behind a purge."""
    kept = await Kept(tmp_path).open()
    await lines(kept, 20)
    assert (await kept.store.verify_trace(last=last)).damage == ()
    plan = await kept.store.plan_purge(NOW + 10)
    await kept.store.purge_trace(plan, "x", NOW + 30)
    assert (await kept.store.verify_trace(last=last)).damage == ()
    await kept.store.close()


@pytest.mark.req("AUD-1")
async def test_the_newest_seal_is_read_from_the_end_of_its_file(tmp_path: Path) -> None:
    """A line that somebody has added, or that a crash has torn, is none."""
    kept = await Kept(tmp_path).open()
    assert await kept.store.newest_seal() is None
    await lines(kept, 3)
    sealed = await kept.store.seal_trace(NOW + 5)
    seals = kept.store.audit_seals
    good = seals.read_bytes()
    assert await kept.store.newest_seal() == sealed
    for more in (good.replace(b'"line":4', b'"line":9'), b'{"line":', b"\xff\n", b"x" * 3000):
        seals.write_bytes(good + more)
        assert await kept.store.newest_seal() == sealed
    seals.write_bytes(b"x" * 10_000)
    assert await kept.store.newest_seal() is None
    await kept.store.close()
