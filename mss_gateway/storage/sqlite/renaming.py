"""RENAME: with inferiors, and INBOX in its own way (RFC 9051 section 6.3.6)."""

from __future__ import annotations

from mss_gateway.ports.mailboxes import FolderExists
from mss_gateway.ports.records import INBOX

from .engine import Writer
from .flags import move_all
from .folders import create_folder, find_folder, folder_of


def rename_folder(writer: Writer, folder_id: int, name: str) -> None:
    """Rename with inferiors; INBOX gives its messages to a new folder and stays (RFC 9051 section 6.3.6)."""
    db = writer.db
    folder = folder_of(db, folder_id)
    if find_folder(writer, folder.box_id, name) is not None or name == INBOX:
        raise FolderExists
    if folder.name == INBOX:
        target = create_folder(writer, folder.box_id, name, "")
        move_all(writer, folder_id, target.id)
        return
    parent, slash, _ = name.rpartition("/")
    if slash and find_folder(writer, folder.box_id, parent) is None:
        create_folder(writer, folder.box_id, parent, "")
    prefix = folder.name + "/"
    db.execute(
        "UPDATE folders SET name = ?1 || substr(name, ?2) WHERE box_id = ?3 AND (id = ?4 OR substr(name, 1, ?5) = ?6)",
        (name, len(folder.name) + 1, folder.box_id, folder_id, len(prefix), prefix),
    )
    writer.folders.clear()
