"""Backups and examinations by hand: begun by one operation, asked after by another (OPS-5)."""

from __future__ import annotations

from typing import Any

from mss_gateway.ports.keeping import Keeper, KeepProblem, Progress, Work
from mss_gateway.ports.store import Trace

from .operation import (
    CONFLICT,
    NOT_FOUND,
    UNAVAILABLE,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    number,
    text,
)
from .tracing import traced

_EXITS = {
    "keeper-busy": CONFLICT,
    "backup-busy": CONFLICT,
    "no-target": USAGE,
    "bad-target": USAGE,
    "no-backup": NOT_FOUND,
}


def refused(problem: KeepProblem) -> OperationRefused:
    """The problem as a refusal with its exit code."""
    return OperationRefused(problem.sentence, problem.reason, _EXITS.get(problem.reason, UNAVAILABLE))


class KeepingOperations:
    """`backup`, `verify` and what a restore left behind."""

    def __init__(self, keeper: Keeper, trace: Trace) -> None:
        self._keeper = keeper
        self._trace = trace

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "backup.start": self.start_backup,
            "backup.prune": self.start_prune,
            "backup.verify": self.start_verify_backup,
            "backup.list": self.backups,
            "verify.start": self.start_verify,
            "keeping.progress": self.progress,
            "restored": self.restored,
        }

    async def start_backup(self, arguments: Arguments) -> Result:
        """Begin a backup into the folder `target`, or the one of the configuration."""
        given = _targeted(arguments)
        given |= {"full_read": flag(arguments, "full_read"), "rate": number(arguments, "rate", 0)}
        result = await self._start(Work.BACKUP, given)
        # Whoever takes a backup takes all the mail along: who and where to is kept.
        line = traced("backup-begun", arguments, None, target=given.get("target", "keep.backup_to"))
        await self._trace.write_trace([line])
        return result

    async def start_prune(self, arguments: Arguments) -> Result:
        """Begin to remove all but the newest `keep` backups, and the pieces that no other needs."""
        keep = number(arguments, "keep")
        if keep < 1:
            raise OperationRefused("At least one backup stays: give --keep 1 or more", "bad-argument", USAGE)
        return await self._start(Work.PRUNE, {**_targeted(arguments), "keep": keep})

    async def start_verify_backup(self, arguments: Arguments) -> Result:
        """Begin to read every piece of the backups."""
        return await self._start(
            Work.VERIFY_BACKUP, {**_targeted(arguments), "backup": text(arguments, "backup", "")}
        )

    async def start_verify(self, arguments: Arguments) -> Result:
        """Begin to examine the store."""
        given = {"quick": flag(arguments, "quick"), "rate": number(arguments, "rate", 0)}
        return await self._start(Work.VERIFY, given)

    async def _start(self, work: Work, arguments: dict[str, Any]) -> Result:
        try:
            await self._keeper.start(work, arguments)
        except KeepProblem as problem:
            raise refused(problem) from None
        return {"started": work.value}

    async def progress(self, arguments: Arguments) -> Result:
        """Where the work is that runs or ended last; a work that failed is told with its sentence."""
        found = self._keeper.progress()
        if found is None:
            raise OperationRefused("Nothing was begun since the gateway started", "nothing-begun", NOT_FOUND)
        return record(found)

    async def backups(self, arguments: Arguments) -> Result:
        """The backups there are, the newest first."""
        try:
            return {"backups": await self._keeper.backups(_targeted(arguments).get("target"))}
        except KeepProblem as problem:
            raise refused(problem) from None

    async def restored(self, arguments: Arguments) -> Result:
        """What a restore left behind; with `release_receipts` the receipts it keeps back are owed again."""
        released = 0
        if flag(arguments, "release_receipts"):
            released = await self._keeper.release_receipts(text(arguments, "actor", "ops"))
        found = await self._keeper.restored()
        if found is None:
            return {"restored": None, "receipts_released": released}
        return {
            "restored": {
                "restored_at": found.at,
                "backup_at": found.backup_at,
                "queue_held": found.queue_held,
                "receipts_held": found.receipts_held,
            },
            "receipts_released": released,
        }


def _targeted(arguments: Arguments) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in ("target", "key_file"):
        if arguments.get(name):
            given[name] = text(arguments, name)
    return given


def record(progress: Progress) -> Result:
    """As the control socket answers."""
    return {
        "work": progress.work.value,
        "running": progress.ended_at is None,
        "started_at": progress.started_at,
        "ended_at": progress.ended_at,
        "phase": progress.phase,
        "done": progress.done,
        "total": progress.total,
        "result": dict(progress.result),
        "problem": progress.problem,
        "reason": progress.reason,
    }
