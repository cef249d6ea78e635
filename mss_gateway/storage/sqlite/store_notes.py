"""The store's methods for annotations and for who did what: each one job of one of the two threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mss_gateway.ports.annotations import Done

from . import activity
from . import annotations as notes
from .engine import Engine


class NotesStore:
    """Implements `ports.annotations` for `SqliteStore`."""

    _engine: Engine

    async def annotations(
        self, folder_id: int, person_id: int, names: Sequence[str], depth: int | None = 0
    ) -> dict[str, bytes]:
        """Values by name."""
        return await self._engine.read(lambda db: notes.annotated(db, folder_id, person_id, names, depth))

    async def annotate(
        self, folder_id: int, person_id: int, changes: Mapping[str, bytes | None], most: int
    ) -> frozenset[str]:
        """Set and remove annotations."""
        return await self._engine.write(lambda w: notes.annotate(w, folder_id, person_id, changes, most))

    async def folder_activity(
        self, folder_id: int, limit: int = 50, uids: Sequence[int] | None = None
    ) -> list[Done]:
        """The latest acts on what lies in a folder."""
        return await self._engine.read(lambda db: activity.folder_activity(db, folder_id, limit, uids))

    async def box_activity(
        self, box_id: int, *, since: float = 0.0, message_id: str | None = None, limit: int = 200
    ) -> list[Done]:
        """The latest acts in a box."""
        return await self._engine.read(lambda db: activity.box_activity(db, box_id, since, message_id, limit))
