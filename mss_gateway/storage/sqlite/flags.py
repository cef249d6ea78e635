"""Changing messages: STORE, EXPUNGE, COPY, MOVE; one mod-sequence for each command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mss_gateway.ports.mailboxes import Copied, FlagChange, FlagRow, Stored, Viewer

from .bodies import release
from .engine import Writer
from .folders import advance, folder_of, sizes
from .marks import SEEN, from_flags, merge, to_flags
from .messages import MARKED_DELETED, flag_rows
from .receipts import note_opening


def store_flags(
    writer: Writer,
    folder_id: int,
    viewer: Viewer,
    uids: Sequence[int],
    change: FlagChange,
    flags: frozenset[str],
    unchanged_since: int | None,
    at: float,
) -> Stored:
    """STORE at a time in epoch seconds; rows of what was named and not held back, with their flags as they are now."""
    folder_of(writer.db, folder_id)
    found: list[FlagRow] = []
    held: list[int] = []
    modified: list[FlagRow] = []
    for row in flag_rows(writer.db, folder_id, viewer, uids):
        if unchanged_since is not None and row.modseq > unchanged_since:
            held.append(row.uid)
            continue
        after = _after(row.flags, change, flags)
        if after == row.flags:
            found.append(row)
        else:
            modified.append(FlagRow(row.uid, after, 0))
    if modified:
        _, modseq = advance(writer, folder_id)
        _write_flags(writer, folder_id, viewer, modified, modseq)
        seen = [row.uid for row in modified if "\\Seen" in row.flags]
        if seen:
            note_opening(writer, folder_id, seen, at)
        found += [FlagRow(row.uid, row.flags, modseq) for row in modified]
    return Stored(tuple(sorted(found, key=lambda row: row.uid)), tuple(held))


def _after(before: frozenset[str], change: FlagChange, flags: frozenset[str]) -> frozenset[str]:
    """The flags after a change, spelled as they would be read back (what cannot be kept is no change)."""
    if change is FlagChange.ADD:
        flags = merge(before, flags, ())
    elif change is FlagChange.REMOVE:
        flags = merge(before, (), flags)
    return to_flags(*from_flags(flags))


def _write_flags(writer: Writer, folder_id: int, viewer: Viewer, rows: list[FlagRow], modseq: int) -> None:
    db = writer.db
    for row in rows:
        mask, words = from_flags(row.flags)
        if not viewer.shared:
            db.execute(
                "UPDATE messages SET flags = ?, keywords = ?, modseq = ? WHERE folder_id = ? AND uid = ?",
                (mask, words, modseq, folder_id, row.uid),
            )
            continue
        # Shared: \Seen belongs to the person; the rest to everybody, and only a change of the rest moves
        # the message's own mod-sequence.
        db.execute(
            "INSERT INTO member_seen VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET seen = ?4, modseq = ?5"
            " WHERE seen <> ?4",
            (folder_id, row.uid, viewer.person_id, mask & SEEN, modseq),
        )
        db.execute(
            "UPDATE messages SET flags = ?1, keywords = ?2, modseq = ?3 WHERE folder_id = ?4 AND uid = ?5"
            " AND (flags <> ?1 OR keywords <> ?2)",
            (mask & ~SEEN, words, modseq, folder_id, row.uid),
        )


def expunge(writer: Writer, folder_id: int, uids: Iterable[int] | None) -> list[int]:
    """Remove messages marked deleted, of these UIDs when given."""
    folder_of(writer.db, folder_id)
    marked = [row[0] for row in writer.db.execute(f"SELECT uid {MARKED_DELETED} ORDER BY uid", (folder_id,))]
    if uids is not None:
        wanted = set(uids)
        marked = [uid for uid in marked if uid in wanted]
    remove(writer, folder_id, marked)
    return marked


def remove(writer: Writer, folder_id: int, uids: Sequence[int], *, keep_bodies: bool = False) -> None:
    """Take messages out of a folder and remember that they vanished."""
    db = writer.db
    found = sizes(db, folder_id, uids)
    if not found:
        return
    octets = sum(size for _, _, size in found)
    _, modseq = advance(writer, folder_id, messages=-len(found), octets=-octets)
    keys = [(folder_id, uid) for uid, _, _ in found]
    for table in ("messages", "member_seen"):
        db.executemany(f"DELETE FROM {table} WHERE folder_id = ? AND uid = ?", keys)
    db.executemany("INSERT INTO expunged VALUES (?, ?, ?)", [(folder_id, modseq, uid) for uid, _, _ in found])
    if not keep_bodies:
        for _, body_id, _ in found:
            release(writer, body_id)


def copy(
    writer: Writer, folder_id: int, uids: Sequence[int], target_id: int, *, take: bool = False
) -> Copied:
    """COPY, and the first half of MOVE (`take`: the body keeps its one reference)."""
    db = writer.db
    folder_of(db, folder_id)
    target = folder_of(db, target_id)
    found = sizes(db, folder_id, uids)
    if not found:
        return Copied(target.uid_validity, (), ())
    octets = sum(size for _, _, size in found)
    first, modseq = advance(writer, target_id, uids=len(found), messages=len(found), octets=octets)
    pairs = [(uid, first + index) for index, (uid, _, _) in enumerate(found)]
    db.executemany(
        "INSERT INTO messages SELECT ?, ?, body_id, flags, keywords, ?, ?, internal_date FROM messages"
        " WHERE folder_id = ? AND uid = ?",
        [(target_id, new, modseq, modseq, folder_id, old) for old, new in pairs],
    )
    db.executemany(
        "INSERT INTO member_seen SELECT ?, ?, person_id, seen, ? FROM member_seen WHERE folder_id = ? AND uid = ?",
        [(target_id, new, modseq, folder_id, old) for old, new in pairs],
    )
    if not take:
        db.executemany("UPDATE bodies SET refs = refs + 1 WHERE id = ?", [(body,) for _, body, _ in found])
    return Copied(target.uid_validity, tuple(old for old, _ in pairs), tuple(new for _, new in pairs))


def move(writer: Writer, folder_id: int, uids: Sequence[int], target_id: int) -> Copied:
    """MOVE: in one transaction."""
    copied = copy(writer, folder_id, uids, target_id, take=True)
    remove(writer, folder_id, copied.source_uids, keep_bodies=True)
    return copied


def move_all(writer: Writer, folder_id: int, target_id: int) -> None:
    """Move every message (RENAME of INBOX)."""
    uids = [row[0] for row in writer.db.execute("SELECT uid FROM messages WHERE folder_id = ?", (folder_id,))]
    move(writer, folder_id, uids, target_id)
