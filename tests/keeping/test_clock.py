"""Backups by the clock, and what the doctor says of them (OPS-5, OPS-2)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.ops import keeping_schedule
from mss_gateway.ops.doctor import Verdict
from mss_gateway.ops.health_keep import KeepHealth
from mss_gateway.ops.keeping_schedule import Schedule
from mss_gateway.ports.keeping import KeepProblem, Progress, Restored, Work

pytestmark = pytest.mark.req("OPS-5")

HOUR = 3600.0
MADE = {"backup": "b", "octets": 1, "written": 1}


@dataclass
class FakeKeeper:
    """Answers as it is told; `begun` are the works that were begun."""

    ages: list[float] = field(default_factory=list)
    problem: KeepProblem | None = None
    ends_with: str = ""
    left: Restored | None = None
    begun: list[Work] = field(default_factory=list)
    stopped: bool = False
    now: Progress | None = None

    async def start(self, work: Work, arguments: Mapping[str, Any]) -> None:
        """Begin, and have ended at once."""
        if self.problem is not None:
            raise self.problem
        self.begun.append(work)
        ended = Progress(work, time.time(), ended_at=time.time(), result=MADE)
        if self.ends_with:
            ended = replace(ended, result={}, problem=self.ends_with, reason="disk")
        else:
            self.ages.append(0.0)
        self.now = ended

    def progress(self) -> Progress | None:
        """The last one."""
        return self.now

    async def backups(self, target: str | None = None) -> list[dict[str, Any]]:
        """Of these ages, and one that cannot be read."""
        return [{"backup": "torn", "problem": "cut"}, *({"at": time.time() - age} for age in self.ages)]

    async def restored(self) -> Restored | None:
        """What was left behind."""
        return self.left

    async def release_receipts(self, actor: str) -> int:
        """None are held."""
        return 0

    def stop(self) -> None:
        """Note it."""
        self.stopped = True


def schedule(keeper: FakeKeeper, every: float | None = 24 * HOUR) -> Schedule:
    """A clock that says nothing to the log."""
    return Schedule(keeper, every, Log(LogOptions("console", "error"), Figures()))


async def turned(clock: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it run for a few turns."""
    for name in ("LOOK", "_POLL"):
        monkeypatch.setattr(keeping_schedule, name, 0.001)
    task = asyncio.create_task(clock.run())
    for _ in range(25):  # so many turns of the loop, however late each of them comes
        await asyncio.sleep(0.002)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("ages", "begun"),
    [([], 1), ([25 * HOUR], 1), ([30 * HOUR, 23 * HOUR], 0), ([-9000 * HOUR, 25 * HOUR], 1)],
    ids=["none", "old", "young", "of a clock that was ahead"],
)
async def test_a_backup_is_begun_when_the_newest_is_old_enough(
    ages: list[float], begun: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and not again until the next interval; the process ends with the gateway."""
    keeper = FakeKeeper(ages)
    await turned(schedule(keeper), monkeypatch)
    assert keeper.begun == [Work.BACKUP] * begun
    assert keeper.stopped


async def test_one_that_fails_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, and the doctor names the reason."""
    keeper = FakeKeeper([30 * HOUR], ends_with="The disk failed")
    clock = schedule(keeper)
    await turned(clock, monkeypatch)
    assert len(keeper.begun) == 1
    (check,) = await KeepHealth(keeper, clock).examine()
    assert check.verdict is Verdict.DOUBT
    assert "the last attempt failed: The disk failed" in check.evidence
    monkeypatch.setattr(keeping_schedule, "AGAIN", 0.0)
    keeper.ends_with = ""
    clock._not_before = 0.0
    await turned(clock, monkeypatch)
    assert clock.last_problem == ""
    (check,) = await KeepHealth(keeper, clock).examine()
    assert check.verdict is Verdict.GOOD


async def test_a_fault_ends_neither_the_clock_nor_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of files that somebody wrote strange things into; the doctor tells of it."""
    keeper = FakeKeeper(["heute"])  # type: ignore[list-item]
    clock = schedule(keeper)
    await turned(clock, monkeypatch)
    assert clock.last_problem == "TypeError"
    assert keeper.begun == []


async def test_another_work_under_way_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock waits for its turn."""
    keeper = FakeKeeper([30 * HOUR], problem=KeepProblem("A verify is running already", "keeper-busy"))
    clock = schedule(keeper)
    await turned(clock, monkeypatch)
    assert clock.last_problem == ""


@pytest.mark.parametrize(
    ("every", "ages", "verdict"),
    [
        (None, [], Verdict.DOUBT),
        (24 * HOUR, [], Verdict.DOUBT),
        (24 * HOUR, [HOUR], Verdict.GOOD),
        (24 * HOUR, [26 * HOUR], Verdict.DOUBT),
        (24 * HOUR, [49 * HOUR], Verdict.BAD),
    ],
)
@pytest.mark.req("OPS-2")
async def test_the_doctor_knows_the_age_of_the_last_good_backup(
    every: float | None, ages: list[float], verdict: Verdict
) -> None:
    """None by itself is a doubt, two intervals without one are bad; each but the good one has its next step."""
    keeper = FakeKeeper(ages)
    (check,) = await KeepHealth(keeper, schedule(keeper, every)).examine()
    assert check.verdict is verdict
    assert bool(check.next_step) == (verdict is not Verdict.GOOD)


async def test_the_doctor_reminds_of_what_a_restore_keeps_back() -> None:
    """Until queue and receipts are released."""
    keeper = FakeKeeper([HOUR], left=Restored(2.0, 1.0, 3, 4))
    checks = await KeepHealth(keeper, schedule(keeper)).examine()
    assert "3 rows of the queue and 4 read receipts" in checks[1].evidence
    keeper.left = Restored(2.0, 1.0, 0, 0)
    assert len(await KeepHealth(keeper, schedule(keeper)).examine()) == 1
