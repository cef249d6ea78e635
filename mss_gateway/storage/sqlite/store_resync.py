"""What a client that comes back asks of a folder: which messages have changed or gone (RFC 7162)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import apsw

from mss_gateway.ports.mailboxes import FlagRow, Touched, Viewer

from .engine import Engine
from .expunges import vanished_since
from .folders import folder_of
from .marks import to_flags
from .messages import MARKED_DELETED, counters, flag_rows


def touched(db: apsw.Connection, folder_id: int, viewer: Viewer, since: int) -> Touched:
    """UIDs changed for this viewer and UIDs expunged after a mod-sequence; raises `NoSuchFolder`."""
    forgotten = counters(db, folder_id)[-1]
    if viewer.shared:
        changed = db.execute(
            "SELECT uid FROM messages WHERE folder_id = ?1 AND modseq > ?2 UNION"
            " SELECT uid FROM member_seen WHERE folder_id = ?1 AND person_id = ?3 AND modseq > ?2 ORDER BY 1",
            (folder_id, since, viewer.person_id),
        )
    else:
        changed = db.execute(
            "SELECT uid FROM messages WHERE folder_id = ? AND modseq > ? ORDER BY uid", (folder_id, since)
        )
    uids = array("L", [row[0] for row in changed])
    return Touched(uids, vanished_since(db, folder_id, since, forgotten))


def marked_deleted(db: apsw.Connection, folder_id: int) -> list[int]:
    """UIDs marked `\\Deleted`, ascending; raises `NoSuchFolder`."""
    folder_of(db, folder_id)
    return [row[0] for row in db.execute(f"SELECT uid {MARKED_DELETED} ORDER BY uid", (folder_id,))]


def flags_of(db: apsw.Connection, folder_id: int, viewer: Viewer, uids: Sequence[int]) -> list[FlagRow]:
    """Flags of the ascending UIDs that exist; UIDs without a hole are read as one range."""
    if viewer.shared or len(uids) < 2 or uids[-1] - uids[0] != len(uids) - 1:
        rows = flag_rows(db, folder_id, viewer, uids)
    else:
        found = db.execute(
            "SELECT uid, flags, keywords, modseq FROM messages"
            " WHERE folder_id = ? AND uid BETWEEN ? AND ? ORDER BY uid",
            (folder_id, uids[0], uids[-1]),
        )
        rows = [FlagRow(uid, to_flags(mask, words), modseq) for uid, mask, words, modseq in found]
    if not rows:
        folder_of(db, folder_id)
    return rows


class ResyncRows:
    """Implements this part of `ports.mailboxes.Mailboxes`; the store gives the engine."""

    _engine: Engine

    async def touched(self, folder_id: int, viewer: Viewer, since: int) -> Touched:
        """What has changed and what has gone."""
        return await self._engine.read(lambda db: touched(db, folder_id, viewer, since))

    async def flags_of(self, folder_id: int, viewer: Viewer, uids: Sequence[int]) -> list[FlagRow]:
        """Flags alone."""
        return await self._engine.read(lambda db: flags_of(db, folder_id, viewer, uids))

    async def marked_deleted(self, folder_id: int) -> list[int]:
        """UIDs that EXPUNGE would remove."""
        return await self._engine.read(lambda db: marked_deleted(db, folder_id))
