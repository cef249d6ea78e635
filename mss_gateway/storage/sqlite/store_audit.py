"""The store's methods for the functional trace as evidence: chain, seals, purge, export, figures (AUD-1, AUD-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import apsw

from mss_gateway.ports.audit import AuditLine, AuditQuery, PurgePlan, Sealed, Verdict
from mss_gateway.ports.records import TraceLine

from . import audit_figures, audit_purge, audit_read
from .audit_chain import read_keys
from .audit_seals import Seal, append_seal, newest_seal
from .audit_verify import verify
from .engine import Engine, Writer, translate
from .trace import insert_trace

SEALED = "audit-sealed"
PURGED = "audit-purged"


class AuditRows:
    """Implements `ports.audit.Audit` for `SqliteStore`."""

    _engine: Engine

    @property
    def audit_key(self) -> Path:
        """The key file of the chain."""
        options = self._engine.options
        return options.audit_key or options.path / "audit.key"

    @property
    def audit_seals(self) -> Path:
        """The file of the seals, beside the key."""
        return self.audit_key.with_suffix(".seals")

    async def seal_trace(self, now: float) -> Sealed | None:
        """Set a seal, then write it into its file."""
        before, seal = await self._engine.write(partial(_seal, now=now))
        if seal is None:
            return None
        if before is not None and await self.newest_seal() != _told(before):
            # It is in the trace, but its file was full, or the gateway was killed before it was written.
            await asyncio.to_thread(append_seal, self.audit_seals, before, self._engine.chain)
        await asyncio.to_thread(append_seal, self.audit_seals, seal, self._engine.chain)
        return _told(seal)

    async def unsealed(self) -> int:
        """Lines since the last seal."""
        return await self._engine.read(lambda db: audit_read.last_line(db) - audit_read.last_of(db, SEALED))

    async def newest_seal(self) -> Sealed | None:
        """The last seal of the file, None without one."""
        keys = await asyncio.to_thread(read_keys, self.audit_key)
        seal = await asyncio.to_thread(newest_seal, self.audit_seals, keys)
        return _told(seal) if seal is not None else None

    async def verify_trace(self, until: int | None = None, last: int = 0) -> Verdict:
        """Go through the chain beside all other work."""
        keys = await asyncio.to_thread(read_keys, self.audit_key)
        path = self._engine.options.path / "store.db"
        try:
            return await asyncio.to_thread(
                partial(verify, path, keys, self.audit_seals, until=until, last=last)
            )
        except apsw.Error as error:
            raise translate(error) from error

    async def plan_purge(self, before: float) -> PurgePlan:
        """What a purge would remove."""
        return await self._engine.read(lambda db: audit_purge.plan(db, before))

    async def purge_trace(self, plan: PurgePlan, actor: str, now: float) -> int:
        """Remove what was planned."""
        detail: dict[str, str | int] = {
            "first": plan.first,
            "last": plan.boundary,
            "lines": plan.count,
            "kept": plan.kept,
        }
        line = TraceLine(now, PURGED, "", actor=actor, detail=detail)
        return await audit_purge.purge(self._engine, plan, line) if plan.count else 0

    async def audit_lines(self, query: AuditQuery, after: int, limit: int) -> tuple[list[AuditLine], int]:
        """Lines of a query and how far they were looked for."""
        return await self._engine.read(lambda db: audit_read.audit_lines(db, query, after, limit))

    async def first_since(self, since: float) -> int:
        """Where lines of that time begin."""
        first, last = await self._engine.read(audit_read.ends)
        after, found = first - 1, False
        while after < last and not found:
            after, found = await self._engine.read(partial(audit_read.first_since, since=since, after=after))
        return min(after, last)

    async def last_line(self) -> int:
        """The id of the newest line."""
        return await self._engine.read(audit_read.last_line)

    async def count_figures(self, limit: int = 2000) -> int:
        """Count the next lines into the daily figures."""
        return await self._engine.write(lambda w: audit_figures.count(w.db, limit))

    async def figures_of(self, month: str) -> Mapping[str, int]:
        """The figures of a month."""
        return await self._engine.read(lambda db: audit_figures.of_month(db, month))

    async def daily_figures(self, month: str) -> Mapping[str, Mapping[str, int]]:
        """The figures of each day."""
        return await self._engine.read(lambda db: audit_figures.by_day(db, month))


def _told(seal: Seal) -> Sealed:
    return Sealed(seal.line_id, seal.link.hex(), seal.at)


def _seal(writer: Writer, now: float) -> tuple[Seal | None, Seal | None]:
    """The seal before, and a new one when there are lines behind it."""
    newest = writer.db.execute("SELECT event FROM trace ORDER BY id DESC LIMIT 1").fetchone()
    if newest is None or newest[0] == SEALED:
        return None, None
    place = audit_read.last_of(writer.db, SEALED)
    before = writer.db.execute(
        "SELECT id, link, at FROM trace WHERE id = ? AND event = ? AND link IS NOT NULL", (place, SEALED)
    ).fetchone()
    detail: dict[str, str | int] = {"key": writer.chain.key_id}
    insert_trace(writer.db, [TraceLine(now, SEALED, "", actor="gateway", detail=detail)])
    line_id, link = writer.chain.end
    return None if before is None else Seal(*before), Seal(line_id, link, now)
