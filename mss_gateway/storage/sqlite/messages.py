"""Reading messages: status, snapshot, changes, rows. Each function is one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import orjson

from mss_gateway.ports.mailboxes import (
    Changes,
    FlagRow,
    FolderStatus,
    MessageRow,
    NoSuchFolder,
    Viewer,
    Want,
)

from .encryption import BODYSTRUCTURE, ENVELOPE, HEADER, PREVIEW, STRUCTURE, key_join, opened
from .engine import one
from .expunges import vanished_since
from .marks import DELETED, SEEN, to_flags

# The planner takes the primary key for as good; the partial index names only what is marked.
MARKED_DELETED = f"FROM messages INDEXED BY messages_deleted WHERE folder_id = ? AND flags & {DELETED}"
"""Messages marked `\\Deleted` of one folder, as the end of a query."""


MARKED_UNSEEN = f"FROM messages INDEXED BY messages_unseen WHERE folder_id = ? AND flags & {SEEN} = 0"
"""Messages without `\\Seen` of one folder that is not shared, as the end of a query."""


def uid_list(uids: Sequence[int]) -> str:
    """UIDs as JSON for `json_each`, which keeps one prepared statement for any number of them."""
    return orjson.dumps(list(uids)).decode()


def counters(db: apsw.Connection, folder_id: int) -> tuple[int, int, int, int, int, int]:
    """Next UID, UIDVALIDITY, highest mod-sequence, messages, octets and the mod-sequence up to which expunges may be
    forgotten of a folder; raises `NoSuchFolder`."""
    row = db.execute(
        "SELECT uid_next, uid_validity, highest_modseq, messages, octets, forgotten FROM folders WHERE id = ?",
        (folder_id,),
    ).fetchone()
    if row is None:
        raise NoSuchFolder
    return row  # type: ignore[no-any-return]


def _unseen(db: apsw.Connection, folder_id: int, viewer: Viewer) -> int:
    if not viewer.shared:
        return int(one(db.execute(f"SELECT count(*) {MARKED_UNSEEN}", (folder_id,))))
    rows = db.execute(
        "SELECT count(*) FROM messages AS m WHERE m.folder_id = ?1 AND NOT EXISTS (SELECT 1 FROM member_seen AS s"
        " WHERE s.folder_id = m.folder_id AND s.uid = m.uid AND s.person_id = ?2 AND s.seen)",
        (folder_id, viewer.person_id),
    )
    return int(one(rows))


def status(db: apsw.Connection, folder_id: int, viewer: Viewer) -> FolderStatus:
    """The counters of STATUS."""
    uid_next, uid_validity, modseq, messages, octets, _ = counters(db, folder_id)
    deleted = one(db.execute(f"SELECT count(*) {MARKED_DELETED}", (folder_id,)))
    unseen = _unseen(db, folder_id, viewer)
    return FolderStatus(messages, unseen, deleted, uid_next, uid_validity, modseq, octets)


# The viewer's own \Seen: in a shared box it comes from member_seen, and moves the message's mod-sequence
# for this person alone (BAL-3).
_OWN = "m.flags, m.keywords, m.modseq"
_SHARED_FLAGS = f"(m.flags & ~{SEEN}) | coalesce(s.seen, 0)"
_SHARED_MODSEQ = "max(m.modseq, coalesce(s.modseq, 0))"
_SHARED = f"{_SHARED_FLAGS}, m.keywords, {_SHARED_MODSEQ}"
_SHARED_JOIN = (
    " LEFT JOIN member_seen AS s ON s.folder_id = m.folder_id AND s.uid = m.uid AND s.person_id = ?3"
)


def flag_columns(*, shared: bool) -> tuple[str, str, str]:
    """Flags, mod-sequence and join of the messages `m`, for the viewer `:person` of a folder `:folder`."""
    if not shared:
        return "m.flags", "m.modseq", ""
    return _SHARED_FLAGS, _SHARED_MODSEQ, _SHARED_JOIN.replace("?3", ":person")


def changes(db: apsw.Connection, folder_id: int, viewer: Viewer, since: int) -> Changes:
    """What happened after a mod-sequence."""
    uid_next, _, modseq, _, _, forgotten = counters(db, folder_id)
    if viewer.shared:
        rows = db.execute(
            f"SELECT m.uid, m.created_modseq, {_SHARED} FROM messages AS m{_SHARED_JOIN}"
            " WHERE m.folder_id = ?1 AND m.uid IN ("
            "SELECT uid FROM messages WHERE folder_id = ?1 AND modseq > ?2"
            " UNION SELECT uid FROM member_seen WHERE folder_id = ?1 AND person_id = ?3 AND modseq > ?2)"
            " ORDER BY m.uid",
            (folder_id, since, viewer.person_id),
        )
    else:
        rows = db.execute(
            f"SELECT m.uid, m.created_modseq, {_OWN} FROM messages AS m"
            " WHERE m.folder_id = ?1 AND m.modseq > ?2 ORDER BY m.uid",
            (folder_id, since),
        )
    added, changed = [], []
    for uid, created, mask, keywords, at in rows:
        if created > since:
            added.append(uid)
        changed.append(FlagRow(uid, to_flags(mask, keywords), at))
    vanished = vanished_since(db, folder_id, since, forgotten)
    return Changes(modseq, uid_next, tuple(added), tuple(changed), tuple(vanished))


_COLUMNS = {
    Want.ENVELOPE: (ENVELOPE, "b.envelope"),
    Want.BODYSTRUCTURE: (BODYSTRUCTURE, "b.bodystructure"),
    Want.HEADER: (HEADER, "x.header"),
    Want.STRUCTURE: (STRUCTURE, "b.structure"),
    Want.DIGEST: (None, "b.digest"),
    Want.PREVIEW: (PREVIEW, "b.preview"),
}


def _column(item: Want, keys: str) -> str:
    part, column = _COLUMNS[item]
    if part is None:
        return column
    sql = opened(keys, part, column)
    return f"CAST({sql} AS TEXT)" if keys and item is Want.PREVIEW else sql


def rows(
    db: apsw.Connection, folder_id: int, viewer: Viewer, uids: Sequence[int], want: frozenset[Want]
) -> list[MessageRow]:
    """Rows of the UIDs that exist, ascending."""
    keys = key_join(db, "m.body_id")
    columns = ", ".join(_column(item, keys) if item in want else "NULL" for item in _COLUMNS)
    join = " JOIN body_bytes AS x ON x.id = m.body_id" if Want.HEADER in want else ""
    join += keys if want else ""
    flags, seen = (_SHARED, _SHARED_JOIN) if viewer.shared else (_OWN, "")
    values: tuple[object, ...] = (uid_list(sorted(set(uids))), folder_id)
    if viewer.shared:
        values = (*values, viewer.person_id)
    found = db.execute(
        f"SELECT m.uid, m.body_id, {flags}, m.internal_date, b.size, b.header_size, {columns}, m.save_date,"
        " coalesce(m.thread, b.id)"
        " FROM json_each(?1) AS j CROSS JOIN messages AS m ON m.folder_id = ?2 AND m.uid = j.value"
        f" JOIN bodies AS b ON b.id = m.body_id{join}{seen}",
        values,
    )
    result = [
        MessageRow(uid, body, to_flags(mask, words), modseq, date, size, header, *texts)
        for uid, body, mask, words, modseq, date, size, header, *texts in found
    ]
    if not result:
        counters(db, folder_id)
    return result


def flag_rows(db: apsw.Connection, folder_id: int, viewer: Viewer, uids: Sequence[int]) -> list[FlagRow]:
    """Flags of the UIDs that exist, ascending."""
    flags, seen = (_SHARED, _SHARED_JOIN) if viewer.shared else (_OWN, "")
    values: tuple[object, ...] = (uid_list(sorted(set(uids))), folder_id)
    if viewer.shared:
        values = (*values, viewer.person_id)
    found = db.execute(
        f"SELECT m.uid, {flags} FROM json_each(?1) AS j CROSS JOIN messages AS m"
        f" ON m.folder_id = ?2 AND m.uid = j.value{seen}",
        values,
    )
    return [FlagRow(uid, to_flags(mask, words), modseq) for uid, mask, words, modseq in found]
