"""Whether there is a backup that is young enough, and whether a restore keeps something back (OPS-2, OPS-5)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from mss_gateway.observe.figures import Gauge
from mss_gateway.ports.keeping import Keeper, KeepProblem

from .doctor import Check, Verdict
from .keeping_schedule import Schedule

LATE = 2.0
"""So many intervals without a good backup are bad."""

HOUR = 3600.0


class KeepHealth:
    """Examines the backups."""

    def __init__(self, keeper: Keeper, schedule: Schedule) -> None:
        self._keeper = keeper
        self._schedule = schedule

    async def examine(self) -> Sequence[Check]:
        """The age of the last good backup; what waits after a restore."""
        return [await self._backup(), *await self._restored()]

    async def _backup(self) -> Check:
        every = self._schedule.every
        if every is None:
            step = "set keep.backup_to to a folder on another disk, or run `mss-gateway backup FOLDER` by a timer"
            return Check("backup", Verdict.DOUBT, "no backup is made by itself", step)
        try:
            await self._schedule.look()
        except KeepProblem as problem:
            return Check("backup", Verdict.BAD, problem.sentence, "mend the folder of keep.backup_to")
        error = (
            f"; the last attempt failed: {self._schedule.last_problem}" if self._schedule.last_problem else ""
        )
        good = self._schedule.last_good
        step = "run `mss-gateway backup` and read what it says"
        if good is None:
            verdict = Verdict.BAD if error else Verdict.DOUBT
            return Check("backup", verdict, f"there is no backup yet{error}", step)
        age = time.time() - good
        evidence = (
            f"the last good one is {age / HOUR:.1f} hours old, one is due every {every / HOUR:g}{error}"
        )
        if age > every * LATE:
            return Check("backup", Verdict.BAD, evidence, step)
        if error or age > every + HOUR:
            return Check("backup", Verdict.DOUBT, evidence, step)
        return Check("backup", Verdict.GOOD, evidence)

    async def gauges(self) -> Sequence[Gauge]:
        """The age of the last good backup in the folder of the configuration; infinite where there is none."""
        good = self._schedule.last_good
        age = max(0.0, time.time() - good) if good is not None else inf
        return [Gauge("mss_backup_age_seconds", "Age of the last good backup", age)]

    async def _restored(self) -> Sequence[Check]:
        found = await self._keeper.restored()
        if found is None or not (found.queue_held or found.receipts_held):
            return []
        stamp = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found.backup_at))
        evidence = (
            f"restored to {stamp}: {found.queue_held} rows of the queue and {found.receipts_held} read receipts are"
            " kept back, for they may have been sent since"
        )
        step = "see `queue list --state held`, then `queue release` or `queue cancel`; `restored --release-receipts`"
        return [Check("restored", Verdict.DOUBT, evidence, step)]
