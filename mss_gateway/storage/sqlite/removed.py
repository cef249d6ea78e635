"""Messages that were taken away: set aside, listed, brought back, and forgotten when their time is over (OPS-5)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw
import orjson

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.removed import Removed, Returned, Wanted

from .bodies import release
from .engine import Engine, Writer
from .folders import advance, ensure_folder, find_folder
from .marks import DELETED, DRAFT
from .messages import uid_list
from .quotas import check_room
from .trace import insert_trace

_READERS = (
    "coalesce((SELECT json_group_array(s.person_id) FROM member_seen AS s"
    " WHERE s.folder_id = m.folder_id AND s.uid = m.uid AND s.seen), '[]')"
)
_RIGHTS = (
    "(SELECT json_group_array(json_array(r.person_id, r.rights)) FROM folder_rights AS r"
    " WHERE r.folder_id = m.folder_id)"
)


def set_aside(
    writer: Writer, folder_id: int, uids: Sequence[int] | None, by: int, how: str = "message"
) -> None:
    """Keep messages of a folder (all without `uids`) that are about to go, or release their bodies.

    A draft is released at once: mail clients save one every minute. To be called while the rows are still there.
    """
    db = writer.db
    which: str = "m.folder_id = ?"
    values: tuple[int | str, ...] = (folder_id,)
    if uids is not None:
        which, values = f"{which} AND m.uid IN (SELECT value FROM json_each(?))", (folder_id, uid_list(uids))
    released = ""
    if writer.options.keep_deleted:
        db.execute(
            "INSERT INTO removed (box_id, folder, body_id, flags, keywords, internal_date, thread, seen, removed_at,"
            " removed_by, how, rights) SELECT f.box_id, f.name, m.body_id, m.flags, m.keywords, m.internal_date,"
            f" m.thread, {_READERS}, ?, ?, ?, {_RIGHTS} FROM messages AS m JOIN folders AS f ON f.id = m.folder_id"
            f" WHERE {which} AND m.flags & {DRAFT} = 0 ORDER BY m.uid",
            (time.time(), by, how, *values),
        )
        released = f" AND m.flags & {DRAFT}"
    for (body_id,) in list(
        db.execute(f"SELECT m.body_id FROM messages AS m WHERE {which}{released}", values)
    ):
        release(writer, body_id)


def removed(db: apsw.Connection, box_id: int, wanted: Wanted, limit: int) -> list[Removed]:
    """What can be brought back, the latest first."""
    where = "r.box_id = ? AND r.removed_at >= ?"
    values: list[int | float | str] = [box_id, wanted.since]
    if wanted.ids:
        where += " AND r.id IN (SELECT value FROM json_each(?))"
        values.append(uid_list(wanted.ids))
    if wanted.folder:
        where += " AND r.folder = ?"
        values.append(wanted.folder)
    if wanted.message_id:
        where += " AND b.message_id = ?"
        values.append(wanted.message_id)
    rows = db.execute(
        "SELECT r.id, r.folder, b.size, r.internal_date, r.removed_at, r.removed_by, r.how, b.message_id"
        f" FROM removed AS r JOIN bodies AS b ON b.id = r.body_id WHERE {where} ORDER BY r.id DESC LIMIT ?",
        (*values, limit),
    )
    return [Removed(*row) for row in rows]


def bring_back(writer: Writer, box_id: int, ids: Sequence[int], folder: str) -> Returned:
    """Each message into its folder, or all into one, in the order in which they were removed."""
    db = writer.db
    found = list(
        db.execute(
            "SELECT r.id, r.folder, r.body_id, r.flags, r.keywords, r.internal_date, r.thread, r.seen, b.size, r.rights"
            " FROM removed AS r JOIN bodies AS b ON b.id = r.body_id"
            " WHERE r.box_id = ? AND r.id IN (SELECT value FROM json_each(?)) ORDER BY r.id",
            (box_id, uid_list(ids)),
        )
    )
    counts: dict[str, int] = {}
    last_rights = {row[1]: row[-1] for row in found}
    for number, name, body_id, flags, keywords, date, thread, seen, size, _ in found:
        target = folder or name
        anew = find_folder(writer, box_id, target) is None
        folder_id = ensure_folder(writer, box_id, target)
        if anew and not folder:
            _give_rights(writer, box_id, folder_id, last_rights[name])
        check_room(writer, folder_id, 1, size)
        uid, modseq = advance(writer, folder_id, uids=1, messages=1, octets=size)
        db.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, unixepoch('subsec'), ?)",
            (folder_id, uid, body_id, flags & ~DELETED, keywords, modseq, modseq, date, thread),
        )
        db.executemany(
            "INSERT INTO member_seen SELECT ?, ?, id, 1, ? FROM persons WHERE id = ?",
            [(folder_id, uid, modseq, person) for person in orjson.loads(seen)],
        )
        db.execute("DELETE FROM removed WHERE id = ?", (number,))
        counts[target] = counts.get(target, 0) + 1
    return Returned(counts)


def _give_rights(writer: Writer, box_id: int, folder_id: int, kept: str) -> None:
    """The rights that were set in the folder of that name before it went, for those who are members still (BAL-3)."""
    rights = orjson.loads(kept)
    if not rights:
        return
    writer.db.execute("DELETE FROM folder_rights WHERE folder_id = ?", (folder_id,))
    writer.db.executemany(
        "INSERT INTO folder_rights SELECT ?1, person_id, ?3 FROM members WHERE box_id = ?4 AND person_id = ?2",
        [(folder_id, person, letters, box_id) for person, letters in rights],
    )
    writer.directory_changed = True


def forget_removed(writer: Writer, before: float, box_id: int | None, limit: int) -> int:
    """End for good what was removed before then; the last reference takes the octets along."""
    which = "" if box_id is None else " AND box_id = ?"
    values = () if box_id is None else (box_id,)
    rows = list(
        writer.db.execute(
            f"SELECT id, body_id FROM removed WHERE removed_at < ?{which} ORDER BY removed_at LIMIT ?",
            (before, *values, limit),
        )
    )
    writer.db.executemany("DELETE FROM removed WHERE id = ?", [(number,) for number, _ in rows])
    for _, body_id in rows:
        release(writer, body_id)
    return len(rows)


class RemovedStore:
    """Implements `ports.removed.RemovedRows`; the store gives the engine."""

    _engine: Engine

    async def removed(self, box_id: int, wanted: Wanted, limit: int = 1000) -> list[Removed]:
        """What can be brought back."""
        return await self._engine.read(lambda db: removed(db, box_id, wanted, limit))

    async def bring_back(self, box_id: int, ids: Sequence[int], folder: str, trace: TraceLine) -> Returned:
        """Put messages back."""
        chosen = list(ids)

        def job(writer: Writer) -> Returned:
            done = bring_back(writer, box_id, chosen, folder)
            if done.messages:
                insert_trace(writer.db, [trace])
            return done

        return await self._engine.write(job)

    async def forget_removed(self, before: float, *, box_id: int | None = None, limit: int = 500) -> int:
        """End for good what was removed before then."""
        return await self._engine.write(lambda w: forget_removed(w, before, box_id, limit))
