"""Folders: names, UIDVALIDITY, and the counters that every change moves."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
import orjson

from mss_gateway.ports.mailboxes import Folder, FolderExists, NoSuchFolder
from mss_gateway.ports.records import INBOX
from mss_gateway.ports.tree import TreeAct, TreeEvent

from .engine import Writer, one

STANDARD = (
    (INBOX, ""),
    ("Sent", "\\Sent"),
    ("Drafts", "\\Drafts"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
    ("Archive", "\\Archive"),
)
"""Folders of a new box (IMP-3)."""

_COLUMNS = "id, box_id, name, uid_validity, special_use"


def list_folders(db: apsw.Connection, box_id: int) -> list[Folder]:
    """INBOX first, then by name."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM folders WHERE box_id = ? ORDER BY name <> 'INBOX', name", (box_id,)
    )
    return [Folder(*row) for row in rows]


def folder_of(db: apsw.Connection, folder_id: int) -> Folder:
    """The folder; raises `NoSuchFolder`."""
    row = db.execute(f"SELECT {_COLUMNS} FROM folders WHERE id = ?", (folder_id,)).fetchone()
    if row is None:
        raise NoSuchFolder
    return Folder(*row)


def _uid_validity(db: apsw.Connection) -> int:
    """A number above every one given before, for ever (RFC 9051 section 2.3.1.1).

    Not below the clock, so that a store made anew or restored from a backup gives no number of its past again.
    """
    row = db.execute(
        "INSERT INTO counters VALUES ('uid_validity', unixepoch()) ON CONFLICT (name)"
        " DO UPDATE SET value = max(value + 1, unixepoch()) RETURNING value"
    )
    return int(one(row))


def create_folder(writer: Writer, box_id: int, name: str, special_use: str) -> Folder:
    """Make a folder and its missing parents; raises `FolderExists`."""
    db = writer.db
    if find_folder(writer, box_id, name) is not None:
        raise FolderExists
    parent, slash, _ = name.rpartition("/")
    if slash and find_folder(writer, box_id, parent) is None:
        create_folder(writer, box_id, parent, "")
    if special_use:
        # One folder per use: the newest wins, as clients expect after CREATE (USE ...).
        db.execute(
            "UPDATE folders SET special_use = '' WHERE box_id = ? AND special_use = ?", (box_id, special_use)
        )
    db.execute(
        "INSERT INTO folders (box_id, name, special_use, uid_validity) VALUES (?, ?, ?, ?)",
        (box_id, name, special_use, _uid_validity(db)),
    )
    folder = folder_of(db, db.last_insert_rowid())
    writer.tree.append(TreeEvent(box_id, TreeAct.CREATED, folder.id, name))
    if slash:
        _inherit(writer, _there(find_folder(writer, box_id, parent)), folder.id)
    return folder


def _there(folder_id: int | None) -> int:
    if folder_id is None:
        raise NoSuchFolder
    return folder_id


def _inherit(writer: Writer, parent_id: int, folder_id: int) -> None:
    """A new folder has the rights of the one above it (RFC 4314 section 4)."""
    writer.db.execute(
        "INSERT INTO folder_rights SELECT ?2, person_id, rights FROM folder_rights WHERE folder_id = ?1",
        (parent_id, folder_id),
    )
    if writer.db.changes():
        writer.directory_changed = True  # what sessions remember of the box's rights is no longer all


def find_folder(writer: Writer, box_id: int, name: str) -> int | None:
    """The id of a folder by name, remembered from job to job."""
    known = writer.folders.get((box_id, name))
    if known is not None:
        return known
    row = writer.db.execute("SELECT id FROM folders WHERE box_id = ? AND name = ?", (box_id, name)).fetchone()
    if row is None:
        return None
    if len(writer.folders) > 50_000:
        writer.folders.clear()
    writer.folders[box_id, name] = row[0]
    return int(row[0])


def ensure_folder(writer: Writer, box_id: int, name: str) -> int:
    """The id of a folder, made when absent; raises `NoSuchFolder` for a box that is not there."""
    known = find_folder(writer, box_id, name)
    if known is not None:
        return known
    if writer.db.execute("SELECT 1 FROM boxes WHERE id = ?", (box_id,)).fetchone() is None:
        raise NoSuchFolder
    return create_folder(writer, box_id, name, "").id


def delete_folder(writer: Writer, folder_id: int) -> None:
    """Remove a folder with the rows of its messages; their bodies are the caller's business (`removed.set_aside`)."""
    db = writer.db
    folder = folder_of(db, folder_id)
    for table in ("messages", "member_seen", "expunged"):
        db.execute(f"DELETE FROM {table} WHERE folder_id = ?", (folder_id,))
    db.execute("DELETE FROM folders WHERE id = ?", (folder_id,))
    writer.folders.clear()
    writer.changed[folder_id] = 0
    writer.tree.append(TreeEvent(folder.box_id, TreeAct.DELETED, folder_id, folder.name))


def provision(writer: Writer, box_id: int) -> None:
    """Give a new box its folders (IMP-3)."""
    for name, special_use in STANDARD:
        create_folder(writer, box_id, name, special_use)


def advance(
    writer: Writer, folder_id: int, *, uids: int = 0, messages: int = 0, octets: int = 0
) -> tuple[int, int]:
    """Move the counters once for one change: return (first new UID, the change's mod-sequence)."""
    row = writer.db.execute(
        "UPDATE folders SET uid_next = uid_next + ?, highest_modseq = highest_modseq + 1,"
        " messages = messages + ?, octets = octets + ? WHERE id = ? RETURNING uid_next, highest_modseq",
        (uids, messages, octets, folder_id),
    ).fetchone()
    if row is None:
        raise NoSuchFolder
    writer.changed[folder_id] = row[1]
    return row[0] - uids, row[1]


def sizes(db: apsw.Connection, folder_id: int, uids: Iterable[int]) -> list[tuple[int, int, int]]:
    """(UID, body id, octets) of the messages that exist, ascending."""
    return list(
        db.execute(
            "SELECT m.uid, m.body_id, b.size FROM json_each(?1) AS j CROSS JOIN messages AS m"
            " ON m.folder_id = ?2 AND m.uid = j.value JOIN bodies AS b ON b.id = m.body_id ORDER BY m.uid",
            (orjson.dumps(sorted(set(uids))).decode(), folder_id),
        )
    )
