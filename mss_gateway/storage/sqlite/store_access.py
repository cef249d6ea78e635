"""The jobs of the store about rights, subscriptions and room."""

from __future__ import annotations

from mss_gateway.ports.access import Access, Grantee, Room
from mss_gateway.ports.records import TraceLine

from . import access as rights
from . import quotas
from .engine import Engine
from .remembered import Remembered
from .store_traced import TracedRows


class AccessRows(TracedRows):
    """Implements `ports.access.Rights`; the store gives the engine."""

    _engine: Engine
    _remembered: Remembered

    async def access(self, box_id: int, person_id: int) -> Access | None:
        """What a person may do in a box."""
        members = self._engine.options.member_rights
        return await self._remembered.read(
            ("access", box_id, person_id), lambda db: rights.access(db, box_id, person_id, members)
        )

    async def grantees(self, folder_id: int) -> list[Grantee]:
        """The people of the folder's box."""
        members = self._engine.options.member_rights
        return await self._engine.read(lambda db: rights.grantees(db, folder_id, members))

    async def grant(self, folder_id: int, person_id: int, letters: frozenset[str], trace: TraceLine) -> None:
        """Set somebody's rights in a folder, traced."""
        await self._traced(trace, lambda w: rights.grant(w, folder_id, person_id, letters))

    async def subscriptions(self, box_id: int, person_id: int) -> dict[str, bool]:
        """What the person has said of folder names."""
        return await self._engine.read(lambda db: rights.subscriptions(db, box_id, person_id))

    async def set_subscription(self, box_id: int, person_id: int, name: str, on: bool) -> None:
        """Subscribe to a name or not."""
        await self._engine.write(lambda w: rights.set_subscription(w, box_id, person_id, name, on))

    async def room(self, box_id: int) -> Room:
        """What the box holds and may hold."""
        return await self._engine.read(lambda db: quotas.room(db, box_id, self._engine.options))

    async def deleted_octets(self, folder_id: int) -> int:
        """The octets that EXPUNGE would free."""
        return await self._engine.read(lambda db: quotas.deleted_octets(db, folder_id))
