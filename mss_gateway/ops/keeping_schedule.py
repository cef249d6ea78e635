"""Backups by the clock: begun when the newest one is old enough, tried again after a failure (OPS-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.keeping import Keeper, KeepProblem, Progress, Work
from mss_gateway.ports.store import StoreError

LOOK = 60.0
"""Seconds between two looks at the clock at most."""

AGAIN = 900.0
"""Seconds until a backup that failed is tried again."""

AHEAD = 300.0
"""Seconds that a backup may seem to come from the future: so far may clocks differ."""

_POLL = 1.0


class Schedule:
    """Keeps the backups coming. `every` in seconds, None switches it off; `first` runs once before."""

    def __init__(
        self,
        keeper: Keeper,
        every: float | None,
        log: Log,
        first: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._keeper = keeper
        self._log = log
        self._first = first
        self.every = every
        self.last_good: float | None = None
        self.last_problem = ""
        self._not_before = 0.0

    async def run(self) -> None:
        """Until cancelled; then what runs is ended, too."""
        try:
            if self._first is not None:
                try:
                    await self._first()
                except StoreError as error:
                    self._log.fault(Event.STORE_FAULT, error)
            while True:
                wait = await self._turn()
                await asyncio.sleep(wait)
        finally:
            self._keeper.stop()

    async def _turn(self) -> float:
        """Make a backup when one is due; return how long to wait until the next look."""
        if self.every is None:
            return 3600.0
        try:
            now = time.time()
            if self.last_good is None or now >= self.last_good + self.every:
                await self.look()
            due = max((self.last_good or 0.0) + self.every, self._not_before)
            if due > now:
                return min(due - now, LOOK)
            await self._keeper.start(Work.BACKUP, {"by_clock": True})
        except KeepProblem as problem:
            if problem.reason != "keeper-busy":
                self._failed(problem.sentence, problem.reason)
            return LOOK
        except Exception as error:  # of the store, of the disk, or of ours: none of them ends the gateway
            self._failed(f"{type(error).__name__}", "store")
            return LOOK
        self._tell(await self._end())
        return _POLL

    async def look(self) -> None:
        """When the newest complete backup was made, by whomever; raises `KeepProblem`.

        One of a clock that was ahead keeps none from being made.
        """
        now = time.time()
        try:
            whole = [
                one["at"] for one in await self._keeper.backups() if "at" in one and one["at"] <= now + AHEAD
            ]
        except KeepProblem as problem:
            if problem.reason != "no-backup":
                raise
            whole = []
        self.last_good = max(whole, default=None)

    async def _end(self) -> Progress:
        while True:
            found = self._keeper.progress()
            if found is not None and found.ended_at is not None:
                return found
            await asyncio.sleep(_POLL)

    def _tell(self, ended: Progress) -> None:
        if ended.work is not Work.BACKUP:
            return
        if ended.problem:
            self._failed(ended.problem, ended.reason)
            return
        self.last_problem = ""
        result = ended.result
        self._log.info(
            Event.BACKUP_MADE, backup=result["backup"], octets=result["octets"], written=result["written"]
        )

    def _failed(self, sentence: str, reason: str) -> None:
        self.last_problem = sentence
        self._not_before = time.time() + AGAIN
        self._log.info(Event.BACKUP_FAILED, reason=reason, sentence=sentence)
