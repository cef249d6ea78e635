"""RENAME: with inferiors, and INBOX in its own way (RFC 9051 section 6.3.6)."""

from __future__ import annotations

import apsw

from mss_gateway.ports.mailboxes import FolderExists
from mss_gateway.ports.records import INBOX
from mss_gateway.ports.tree import TreeAct, TreeEvent

from .annotations import copy_annotations
from .engine import Writer
from .flags import move_all
from .folders import create_folder, find_folder, folder_of, list_folders


def rename_folder(writer: Writer, folder_id: int, name: str) -> None:
    """Rename with inferiors; INBOX gives its messages to a new folder and stays (RFC 9051 section 6.3.6)."""
    db = writer.db
    folder = folder_of(db, folder_id)
    if find_folder(writer, folder.box_id, name) is not None or name == INBOX:
        raise FolderExists
    if folder.name == INBOX:
        target = create_folder(writer, folder.box_id, name, "")
        writer.tree[-1] = TreeEvent(folder.box_id, TreeAct.RENAMED, target.id, name, INBOX)
        move_all(writer, folder_id, target.id)
        copy_annotations(writer, folder_id, target.id)
        return
    prefix = folder.name + "/"
    moving = [
        (inferior.id, inferior.name)
        for inferior in list_folders(db, folder.box_id)
        if inferior.id == folder_id or inferior.name.startswith(prefix)
    ]
    try:
        # Deepest first: below itself, an inferior's new name may be one that a deeper one is leaving.
        for inferior, old in sorted(moving, key=lambda row: -len(row[1])):
            values = (name + old[len(folder.name) :], inferior)
            db.execute("UPDATE folders SET name = ? WHERE id = ?", values)
            # Who wants it out of sight wants so under its new name; a name subscribed to is kept as it is.
            db.execute(
                "UPDATE OR REPLACE subscriptions SET name = ?1 WHERE box_id = ?2 AND name = ?3 AND NOT wanted",
                (values[0], folder.box_id, old),
            )
    except apsw.ConstraintError:
        raise FolderExists from None
    writer.folders.clear()
    writer.tree.append(TreeEvent(folder.box_id, TreeAct.RENAMED, folder_id, name, folder.name))
    # Afterwards, for a folder that goes below itself needs a new one of its old name.
    parent, slash, _ = name.rpartition("/")
    if slash and find_folder(writer, folder.box_id, parent) is None:
        create_folder(writer, folder.box_id, parent, "")
