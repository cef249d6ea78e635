"""Mailboxes taken over from another server: each message once, however often it is brought (IMP-4)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw

from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.ports.takeover import Origin, TakenOver

from .deliveries import append
from .engine import Engine, Writer
from .folders import folder_of
from .marks import SEEN, from_flags

_OF_ORIGIN = "FROM takeovers WHERE box_id = ? AND source = ? AND folder = ? AND uid_validity = ?"
_NOBODY = 0  # a viewer who is not asked for flags


def _key(origin: Origin) -> tuple[int, str, str, int]:
    return origin.box_id, origin.source, origin.folder, origin.uid_validity


def taken(db: apsw.Connection, origin: Origin) -> list[int]:
    """UIDs of the origin that are here."""
    return [row[0] for row in db.execute(f"SELECT uid {_OF_ORIGIN} ORDER BY uid", _key(origin))]


def take_over(
    writer: Writer, folder_id: int, origin: Origin, messages: Sequence[TakenOver], seen_by: Sequence[int]
) -> list[int]:
    """Store what is not here yet."""
    db = writer.db
    folder_of(db, folder_id)
    uids = []
    for one in messages:
        known = db.execute(f"SELECT own_uid {_OF_ORIGIN} AND uid = ?", (*_key(origin), one.uid)).fetchone()
        if known is not None:
            uids.append(int(known[0]))
            continue
        (uid,) = append(writer, folder_id, Viewer(_NOBODY, shared=False), [one.message], time.time())
        if seen_by:
            _share_seen(writer, folder_id, uid, one, seen_by)
        db.execute(
            "INSERT INTO takeovers VALUES (?, ?, ?, ?, ?, ?, ?)", (*_key(origin), one.uid, folder_id, uid)
        )
        uids.append(uid)
    return uids


def _share_seen(writer: Writer, folder_id: int, uid: int, one: TakenOver, seen_by: Sequence[int]) -> None:
    """In a shared mailbox `\\Seen` belongs to persons: what was read before counts as read by all of them."""
    mask, _ = from_flags(one.message.flags)
    if not mask & SEEN:
        return
    writer.db.execute(
        f"UPDATE messages SET flags = flags & ~{SEEN} WHERE folder_id = ? AND uid = ?", (folder_id, uid)
    )
    writer.db.executemany(
        "INSERT INTO member_seen SELECT ?1, ?2, ?3, 1, modseq FROM messages WHERE folder_id = ?1 AND uid = ?2",
        [(folder_id, uid, person) for person in seen_by],
    )


class TakeoverStore:
    """Implements `ports.takeover.Takeovers`; part of `SqliteStore`."""

    _engine: Engine

    async def taken(self, origin: Origin) -> list[int]:
        """UIDs that are here already."""
        return await self._engine.read(lambda db: taken(db, origin))

    async def take_over(
        self, folder_id: int, origin: Origin, messages: Sequence[TakenOver], seen_by: Sequence[int]
    ) -> list[int]:
        """Store messages once."""
        return await self._engine.write(lambda w: take_over(w, folder_id, origin, messages, seen_by))
