"""Changing messages: STORE, EXPUNGE, COPY, MOVE; one mod-sequence for each command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mss_gateway.ports.mailboxes import Copied, FlagChange, FlagRow, Stored, Viewer

from .access import rights_in
from .activity import note_flags
from .engine import Writer
from .folders import advance, folder_of, sizes
from .marks import SEEN, from_flags, merge, to_flags
from .messages import MARKED_DELETED, flag_rows
from .quotas import check_room
from .receipts import note_opening
from .removed import set_aside
from .settable import carry_seen, limited, settable


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
    rights = rights_in(writer, folder_of(writer.db, folder_id), viewer)
    found: list[FlagRow] = []
    held: list[int] = []
    modified: list[FlagRow] = []
    before: dict[int, frozenset[str]] = {}
    outcomes: dict[frozenset[str], frozenset[str]] = {}  # many messages, few sets of flags
    modseq = 0
    for row in flag_rows(writer.db, folder_id, viewer, uids):
        if unchanged_since is not None and row.modseq > unchanged_since:
            held.append(row.uid)
            continue
        after = outcomes.get(row.flags)
        if after is None:
            after = outcomes[row.flags] = limited(row.flags, _after(row.flags, change, flags), rights)
        if after == row.flags:
            found.append(row)
        else:
            before[row.uid] = row.flags
            modified.append(FlagRow(row.uid, after, 0))
    if modified:
        _, modseq = advance(writer, folder_id)
        if viewer.shared:
            _write_shared(writer, folder_id, viewer.person_id, modified, before, modseq)
        else:
            _write_flags(writer, folder_id, modified, modseq)
        seen = [row.uid for row in modified if "\\Seen" in row.flags]
        if seen:
            note_opening(writer, folder_id, seen, at)
        note_flags(writer, folder_id, viewer, before, modified, at)
        found += [FlagRow(row.uid, row.flags, modseq) for row in modified]
    return Stored(tuple(sorted(found, key=lambda row: row.uid)), tuple(held), modseq)


def _after(before: frozenset[str], change: FlagChange, flags: frozenset[str]) -> frozenset[str]:
    """The flags after a change, spelled as they would be read back (what cannot be kept is no change)."""
    if change is FlagChange.ADD:
        flags = merge(before, flags, ())
    elif change is FlagChange.REMOVE:
        flags = merge(before, (), flags)
    return to_flags(*from_flags(flags))


_SET_FLAGS = "UPDATE messages SET flags = ?, keywords = ?, modseq = ? WHERE folder_id = ? AND uid = ?"


def _write_flags(writer: Writer, folder_id: int, rows: list[FlagRow], modseq: int) -> None:
    writer.db.executemany(
        _SET_FLAGS,
        [(*from_flags(row.flags), modseq, folder_id, row.uid) for row in rows],
    )


def _write_shared(
    writer: Writer,
    folder_id: int,
    person_id: int,
    rows: list[FlagRow],
    before: Mapping[int, frozenset[str]],
    modseq: int,
) -> None:
    """`\\Seen` belongs to the person; the rest to everybody, and only a change of the rest moves the message."""
    seen: list[tuple[int, int, int, int, int]] = []
    rest: list[tuple[int, str, int, int, int]] = []
    for row in rows:
        mask, words = from_flags(row.flags)
        changed = row.flags ^ before[row.uid]
        if "\\Seen" in changed:
            seen.append((folder_id, row.uid, person_id, mask & SEEN, modseq))
        if len(changed) > 1 or "\\Seen" not in changed:
            rest.append((mask & ~SEEN, words, modseq, folder_id, row.uid))
    writer.db.executemany("INSERT OR REPLACE INTO member_seen VALUES (?, ?, ?, ?, ?)", seen)
    writer.db.executemany(_SET_FLAGS, rest)


def expunge(writer: Writer, folder_id: int, uids: Iterable[int] | None, by: int = 0) -> list[int]:
    """Remove messages marked deleted, of these UIDs when given; `by` is the person who does it."""
    folder_of(writer.db, folder_id)
    marked = [row[0] for row in writer.db.execute(f"SELECT uid {MARKED_DELETED} ORDER BY uid", (folder_id,))]
    if uids is not None:
        wanted = set(uids)
        marked = [uid for uid in marked if uid in wanted]
    remove(writer, folder_id, marked, by=by)
    return marked


def remove(
    writer: Writer, folder_id: int, uids: Sequence[int], *, by: int = 0, keep_bodies: bool = False
) -> None:
    """Take messages out of a folder and remember that they vanished."""
    db = writer.db
    found = sizes(db, folder_id, uids)
    if not found:
        return
    octets = sum(size for _, _, size in found)
    _, modseq = advance(writer, folder_id, messages=-len(found), octets=-octets)
    keys = [(folder_id, uid) for uid, _, _ in found]
    if not keep_bodies:
        set_aside(writer, folder_id, [uid for _, uid in keys], by)
    for table in ("messages", "member_seen"):
        db.executemany(f"DELETE FROM {table} WHERE folder_id = ? AND uid = ?", keys)
    db.executemany("INSERT INTO expunged VALUES (?, ?, ?)", [(folder_id, modseq, uid) for uid, _, _ in found])


def copy(
    writer: Writer,
    folder_id: int,
    uids: Sequence[int],
    target_id: int,
    *,
    viewer: Viewer | None = None,
    take: bool = False,
) -> Copied:
    """COPY, and the first half of MOVE (`take`: the body keeps its one reference).

    Flags that the viewer may not set in the target stay behind. Raises `OverQuota` when the target's box is full.
    """
    db = writer.db
    source = folder_of(db, folder_id)
    target = folder_of(db, target_id)
    found = sizes(db, folder_id, uids)
    if not found:
        return Copied(target.uid_validity, (), ())
    octets = sum(size for _, _, size in found)
    if not (take and source.box_id == target.box_id):
        check_room(writer, target_id, len(found), octets)
    rights = rights_in(writer, target, viewer)
    mask, words = settable(rights)
    first, modseq = advance(writer, target_id, uids=len(found), messages=len(found), octets=octets)
    pairs = [(uid, first + index) for index, (uid, _, _) in enumerate(found)]
    db.executemany(
        "INSERT INTO messages SELECT ?, ?, body_id, flags & ?, iif(?, keywords, ''), ?, ?, internal_date,"
        " unixepoch('subsec'), thread FROM messages WHERE folder_id = ? AND uid = ?",
        [(target_id, new, mask, words, modseq, modseq, folder_id, old) for old, new in pairs],
    )
    carry_seen(writer, viewer, source, target, pairs, modseq, rights)
    if not take:
        db.executemany("UPDATE bodies SET refs = refs + 1 WHERE id = ?", [(body,) for _, body, _ in found])
    return Copied(target.uid_validity, tuple(old for old, _ in pairs), tuple(new for _, new in pairs))


def move(
    writer: Writer, folder_id: int, uids: Sequence[int], target_id: int, *, viewer: Viewer | None = None
) -> Copied:
    """MOVE: in one transaction."""
    copied = copy(writer, folder_id, uids, target_id, viewer=viewer, take=True)
    remove(writer, folder_id, copied.source_uids, keep_bodies=True)
    return copied


def move_all(writer: Writer, folder_id: int, target_id: int) -> None:
    """Move every message (RENAME of INBOX)."""
    uids = [row[0] for row in writer.db.execute("SELECT uid FROM messages WHERE folder_id = ?", (folder_id,))]
    move(writer, folder_id, uids, target_id)
