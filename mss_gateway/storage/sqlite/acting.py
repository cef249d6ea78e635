"""Commands that take messages of a shared mailbox away or elsewhere, noted in the same commit (BAL-3)."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.mailboxes import Copied, Viewer
from mss_gateway.rules.activity import Act

from . import flags, folders
from .activity import is_shared, note, note_leaving
from .engine import Writer
from .folders import folder_of
from .messages import MARKED_DELETED
from .removed import set_aside


def expunge(
    writer: Writer, folder_id: int, viewer: Viewer, uids: Sequence[int] | None, at: float
) -> list[int]:
    """EXPUNGE, noted before the messages are gone."""
    if viewer.shared:
        marked = [row[0] for row in writer.db.execute(f"SELECT uid {MARKED_DELETED}", (folder_id,))]
        if uids is not None:
            marked = sorted(set(marked).intersection(uids))
        if marked:
            note(writer, folder_id, viewer.person_id, {Act.REMOVED: marked}, at)
    return flags.expunge(writer, folder_id, uids, viewer.person_id)


def delete_folder(writer: Writer, folder_id: int, viewer: Viewer | None, at: float) -> None:
    """DELETE: all that lies in the folder is removed by whoever deletes it."""
    if viewer is not None and viewer.shared:
        there = [
            row[0] for row in writer.db.execute("SELECT uid FROM messages WHERE folder_id = ?", (folder_id,))
        ]
        if there:
            note(writer, folder_id, viewer.person_id, {Act.REMOVED: there}, at)
    set_aside(writer, folder_id, None, viewer.person_id if viewer is not None else 0, "folder")
    folders.delete_folder(writer, folder_id)


def copy(
    writer: Writer, folder_id: int, viewer: Viewer, uids: Sequence[int], target_id: int, at: float
) -> Copied:
    """COPY."""
    copied = flags.copy(writer, folder_id, uids, target_id, viewer=viewer)
    _note_filing(writer, folder_id, viewer, copied, target_id, at, moved=False)
    return copied


def move(
    writer: Writer, folder_id: int, viewer: Viewer, uids: Sequence[int], target_id: int, at: float
) -> Copied:
    """MOVE."""
    moved = flags.move(writer, folder_id, uids, target_id, viewer=viewer)
    _note_filing(writer, folder_id, viewer, moved, target_id, at, moved=True)
    return moved


def _note_filing(
    writer: Writer, folder_id: int, viewer: Viewer, copied: Copied, target_id: int, at: float, *, moved: bool
) -> None:
    """In the box it came from and in the box it went to, as far as they are shared."""
    if not copied.target_uids:
        return
    source, target = folder_of(writer.db, folder_id), folder_of(writer.db, target_id)
    person = viewer.person_id
    if source.box_id == target.box_id:
        if viewer.shared:
            trashed = moved and target.special_use == "\\Trash"
            note(writer, target_id, person, {Act.DELETED if trashed else Act.FILED: copied.target_uids}, at)
        return
    if is_shared(writer.db, target.box_id):
        note(writer, target_id, person, {Act.FILED: copied.target_uids}, at)
    if viewer.shared and moved:
        note_leaving(writer, source.box_id, person, target_id, copied.target_uids, at)
