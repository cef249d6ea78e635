"""The jobs of the store about the registry of patient identities (INS-5)."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.records import Identity, TraceLine
from mss_gateway.rules.facts import IdentityStatus

from . import identities as registry
from .store_traced import TracedRows


class IdentityRows(TracedRows):
    """The part of `SqliteStore` that keeps the registry."""

    async def identity(self, ins: str) -> Identity | None:
        """What the registry knows of an INS."""
        return await self._engine.read(lambda db: registry.identity(db, ins))

    async def put_identities(self, rows: Sequence[Identity], trace: TraceLine) -> int:
        """Write rows of the registry in one commit."""
        return await self._traced(trace, lambda w: registry.put_identities(w.db, rows, trace.at))

    async def identities(self, limit: int = 1000, status: IdentityStatus | None = None) -> list[Identity]:
        """Identities by INS."""
        return await self._engine.read(lambda db: registry.identities(db, limit, status))

    async def count_identities(self) -> dict[IdentityStatus, int]:
        """How many there are of each status."""
        return await self._engine.read(registry.count_identities)
