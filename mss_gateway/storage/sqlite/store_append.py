"""REPLACE (RFC 8508) of the store: a new message and the end of an old one in one transaction."""

from __future__ import annotations

import time

from mss_gateway.ports.mailboxes import NewAppend, Viewer

from .activity import note_replaced
from .deliveries import append
from .engine import Engine, Writer
from .flags import remove
from .folders import folder_of, sizes


def replace(
    writer: Writer, folder_id: int, uid: int, target_id: int, viewer: Viewer, message: NewAppend, at: float
) -> int | None:
    """Store the message in `target_id` and remove `uid` of `folder_id`; None, and nothing done, when it has gone."""
    folder_of(writer.db, target_id)
    if not sizes(writer.db, folder_id, [uid]):
        return None
    (new,) = append(writer, target_id, viewer, [message], at)
    note_replaced(writer, folder_id, viewer.person_id, uid, at)
    remove(writer, folder_id, [uid])
    return new


class AppendRows:
    """The part of `SqliteStore` that replaces messages."""

    _engine: Engine

    async def replace(
        self, folder_id: int, uid: int, target_id: int, viewer: Viewer, message: NewAppend
    ) -> int | None:
        """REPLACE."""
        return await self._engine.write(
            lambda w: replace(w, folder_id, uid, target_id, viewer, message, time.time())
        )
