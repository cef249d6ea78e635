"""Keeps the functional trace in the background: seals, figures, purge of what is too old (AUD-1, AUD-3)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.observe.redact import Digest
from mss_gateway.ports.audit import Audit
from mss_gateway.ports.store import StoreError

LOOK = 20.0  # seconds between two looks
PURGE = 86_400.0  # seconds between two purges
FIRST_PURGE = 600.0  # seconds after the start: not while everybody comes back
FIGURES = 2000  # lines counted in one commit
VERIFY = 3600.0  # seconds between two looks at the newest lines
NEWEST = 20_000
"""The newest lines, which are verified far more often than all."""

Reads = Literal["all", "shared", "off"]


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Months that lines are kept (0: for ever); seconds and lines between two seals; which readings are traced."""

    keep_months: int = 6
    seal_seconds: float = 3600.0
    seal_lines: int = 10_000
    reads: Reads = "all"


def months_before(now: float, months: int) -> float:
    """The moment that many months before, in local time; the last day of a month that is shorter."""
    local = datetime.fromtimestamp(now, UTC).astimezone()
    year, month = divmod(local.year * 12 + local.month - 1 - months, 12)
    day = local.day
    while True:
        try:
            return local.replace(year=year, month=month + 1, day=day, tzinfo=None).timestamp()
        except ValueError:
            day -= 1


@dataclass(frozen=True, slots=True)
class Looked:
    """What the last looks at the chain saw: findings and the line of the first one, when (epoch seconds, 0: never)."""

    findings: int = 0
    line: int = 0
    at: float = 0.0
    whole_at: float = 0.0


class Auditing:
    """Seals the trace, counts its figures, verifies and purges it; a chain that is damaged is never purged."""

    def __init__(self, store: Audit, options: AuditOptions, log: Log) -> None:
        self._store = store
        self._options = options
        self._log = log
        self._sealed_at = -1e9
        self._verified_at = -1e9
        self._purge_at = time.monotonic() + FIRST_PURGE
        self._serves = False
        self.looked = Looked()

    async def run(self) -> None:
        """Work until cancelled; the first look sets a seal behind what an earlier run left."""
        self._serves = True
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self.look()
            except Exception as error:  # of the store, of the disk, or of ours: the next look does it
                self._log.fault(Event.STORE_FAULT, error)

    async def finish(self) -> None:
        """The last seal of a gateway that has served: lines that are taken away while nobody serves are missed."""
        if self._serves:
            try:
                await self.seal()
            except (StoreError, OSError) as error:  # a full disk must not keep the gateway from stopping
                self._log.fault(Event.STORE_FAULT, error)

    async def look(self) -> None:
        """Whatever is due now."""
        counted = FIGURES
        while counted == FIGURES:
            counted = await self._store.count_figures(FIGURES)
        now = time.monotonic()
        due = now - self._sealed_at >= self._options.seal_seconds
        if due or await self._store.unsealed() >= self._options.seal_lines:
            await self.seal()
        if now - self._verified_at >= VERIFY:
            self._verified_at = now
            await self.verify(last=NEWEST)
        if now >= self._purge_at:
            self._purge_at = now + PURGE
            await self.verify()
            if self._options.keep_months:
                await self.purge(months_before(time.time(), self._options.keep_months))

    async def verify(self, last: int = 0) -> Looked:
        """Go through the chain, or through its `last` lines; damage is told in the log when it is first seen.

        Lines that are good do not take back what a whole verification found before them.
        """
        verdict = await self._store.verify_trace(last=last)
        before, now = self.looked, time.time()
        findings, line = len(verdict.damage) + verdict.more, verdict.damage[0].first if verdict.damage else 0
        if last and before.findings > findings:
            findings, line = before.findings, before.line
        elif findings and (findings, line) != (before.findings, before.line):
            self._log.warning(Event.AUDIT_DAMAGED, findings=findings, line=line)
        self.looked = Looked(findings, line, now, before.whole_at if last else now)
        return self.looked

    async def seal(self) -> None:
        """Set a seal, told in the log as well: who changes the store cannot change what the log has already sent."""
        sealed = await self._store.seal_trace(time.time())
        self._sealed_at = time.monotonic()
        if sealed is not None:
            self._log.info(Event.AUDIT_SEALED, line=sealed.line_id, link=Digest(sealed.link))

    async def purge(self, before: float) -> int:
        """Remove lines older than that, unless the chain up to there is damaged; returns how many."""
        plan = await self._store.plan_purge(before)
        if plan.count == 0:
            return 0
        verdict = await self._store.verify_trace(plan.boundary)
        if verdict.damage:
            self._log.warning(
                Event.AUDIT_DAMAGED, findings=len(verdict.damage) + verdict.more, line=verdict.damage[0].first
            )
            return 0
        return await self._store.purge_trace(plan, "gateway", time.time())
