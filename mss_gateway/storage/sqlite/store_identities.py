"""The jobs of the store about the registry of patient identities (INS-5)."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.records import Identity, TraceLine
from mss_gateway.rules.facts import IdentityStatus

from . import identities as registry
from .engine import Engine, Writer
from .trace import insert_trace


class IdentityRows:
    """The part of `SqliteStore` that keeps the registry; the store gives the engine."""

    _engine: Engine

    async def identity(self, ins: str) -> Identity | None:
        """What the registry knows of an INS."""
        return await self._engine.read(lambda db: registry.identity(db, ins))

    async def put_identities(self, rows: Sequence[Identity], trace: TraceLine) -> int:
        """Write rows of the registry in one commit."""

        def job(writer: Writer) -> int:
            written = registry.put_identities(writer.db, rows, trace.at)
            insert_trace(writer.db, [trace])
            return written

        return await self._engine.write(job)

    async def identities(self, limit: int = 1000, status: IdentityStatus | None = None) -> list[Identity]:
        """Identities by INS."""
        return await self._engine.read(lambda db: registry.identities(db, limit, status))

    async def count_identities(self) -> dict[IdentityStatus, int]:
        """How many there are of each status."""
        return await self._engine.read(registry.count_identities)
