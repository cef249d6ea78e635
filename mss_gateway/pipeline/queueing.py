"""What operators do to the queue by hand: try now, hold, release, withdraw (QUE-3)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.queue import Queue, Selection
from mss_gateway.ports.records import Delivery, Settled, TraceLine
from mss_gateway.ports.store import Deliveries
from mss_gateway.rules.ins import mask_text

from .outbound import Outbound
from .outbound_reports import conclude, without_reports
from .outcomes import withdrawn

STEP = 1000
"""Rows changed in one commit, so that none keeps the mail waiting."""

CANCEL_STEP = 100
"""Rows withdrawn in one step: their reports are composed before they are written."""

BUDGET = 10.0
"""Seconds after which a change says how far it has come: whoever asks waits for a minute at most."""

UNTOLD = "by-operator"
"""The slug of a report that an operator did not want to be written."""


class QueueStore(Queue, Deliveries, Protocol):
    """What changes by hand need of the store."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows (recipients) that a change concerned, and those of the selection left alone because they are under way.

    `after` is where the change has to go on, None when it is complete.
    """

    rows: int
    under_way: int
    after: int | None = None


class Postmaster:
    """Changes the queue by hand. Without `line` nobody carries anything: the store is changed alone.

    A change goes from row to row by age, so that a row that comes back to the queue meanwhile is not met twice. After
    `budget` seconds it answers how far it has come, to be asked again from there.
    """

    def __init__(self, store: QueueStore, line: Outbound | None = None, budget: float = BUDGET) -> None:
        self._store = store
        self._line = line
        self._budget = budget

    async def retry(self, selection: Selection, actor: str, reason: str = "", after: int = 0) -> Changed:
        """Try now; a silent domain is asked with one letter first, whatever its silence said."""
        concerned, now = await self._silent_domains(selection), self._now()
        trace = _line(now, "retried", actor, reason)
        done = await self.each(selection, after, lambda rows: self._store.retry_rows(rows, now, trace, STEP))
        if self._line is not None:
            for domain in concerned:
                self._line.ask_again(domain)
            self._line.wake()
        return done

    async def hold(self, selection: Selection, actor: str, reason: str = "", after: int = 0) -> Changed:
        """Keep back until released; what is under way is held when its attempt has not succeeded."""
        trace = _line(self._now(), "held", actor, reason)
        return await self.each(selection, after, lambda rows: self._store.hold_rows(rows, trace, STEP))

    async def release(self, selection: Selection, actor: str, reason: str = "", after: int = 0) -> Changed:
        """Let held rows go, due now."""
        now = self._now()
        trace = _line(now, "released", actor, reason)
        done = await self.each(
            selection, after, lambda rows: self._store.release_rows(rows, now, trace, STEP)
        )
        if self._line is not None:
            self._line.wake()
        return done

    async def each(
        self,
        selection: Selection,
        after: int,
        change: Callable[[Selection], Awaitable[int]],
        step: int = STEP,
    ) -> Changed:
        """Change the rows of a selection above an id, so many in one step."""
        deadline = time.monotonic() + self._budget
        changed = under_way = 0
        while rows := await self._store.queued(selection, step, after):
            under_way += sum(row.state == "leased" for row in rows)
            changed += await change(replace(selection, ids=tuple(row.id for row in rows)))
            after = rows[-1].id
            if time.monotonic() > deadline:
                return Changed(changed, under_way, after)
        return Changed(changed, under_way)

    async def _silent_domains(self, selection: Selection) -> list[str]:
        """Domains that are silent and have rows of the selection."""
        if self._line is None:
            return []
        silent = [one for one in self._line.silences if selection.domain in (None, one)]
        return [one for one in silent if await self._store.queued(replace(selection, domain=one), 1)]

    def _now(self) -> float:
        return self._line.now() if self._line is not None else time.time()


class Withdrawal:
    """Takes rows out of the queue for good; the sender is told in the same commit (RCP-1)."""

    def __init__(self, store: QueueStore, line: Outbound, log: Log) -> None:
        self._store = store
        self._line = line
        self._log = log

    async def cancel(self, rows: Selection, actor: str, reason: str = "", *, tell: bool = True) -> int:
        """End at most `CANCEL_STEP` rows that nobody carries; return how many. Raises `StoreError`: the others go."""
        now = self._line.now()
        letters = await self._store.claim_rows(self._line.lease(now), rows, CANCEL_STEP)
        endings = [self._end(letter, actor, reason, tell, now) for letter in letters]
        failed = [one for one in await asyncio.gather(*endings, return_exceptions=True) if one]
        if failed:
            raise failed[0]
        return sum(len(letter.rows) for letter in letters)

    async def _end(self, letter: Claimed, actor: str, reason: str, tell: bool, now: float) -> None:
        try:
            await self._store.accept(await self._ending(letter, actor, reason, tell, now))
        except BaseException:
            await self._give_back(letter, now)
            raise

    async def _ending(self, letter: Claimed, actor: str, reason: str, tell: bool, now: float) -> Delivery:
        verdicts = [withdrawn(row, reason) for row in letter.rows]
        desk = self._line.desk
        if not tell:
            return without_reports(letter, verdicts, desk, now, actor, UNTOLD)
        try:
            return await conclude(letter, verdicts, desk, now, actor)
        except Exception as error:  # a report that cannot be written must not keep the message in the queue
            self._log.fault(Event.GATEWAY_FAULT, error)
            return without_reports(letter, verdicts, desk, now, actor)

    async def _give_back(self, letter: Claimed, now: float) -> None:
        """What could not be ended is due, unless it was held; when that fails too, its lease runs out."""
        rows = tuple(Settled(row.id, letter.lease, "waiting", row.last_error, now) for row in letter.rows)
        with contextlib.suppress(Exception):
            await self._store.accept(Delivery((), settled=rows))
            self._line.wake()


def _line(now: float, event: str, actor: str, reason: str) -> TraceLine:
    return TraceLine(now, event, "", actor=actor, detail={"reason": mask_text(reason)} if reason else {})
