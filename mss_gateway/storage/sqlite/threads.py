"""To which conversation a message belongs in its box, found once when it comes in (RFC 8474 section 5.2).

Message-IDs of conversations that have ended are forgotten: those without a message in the box, or among the removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import apsw

from mss_gateway.ports.records import NewBody

from .engine import Writer


def lone_thread(digest: bytes) -> int:
    """The conversation of a message that names no other and has no name itself."""
    return int.from_bytes(digest[:8], "big", signed=True)


def join_thread(writer: Writer, box_id: int, body: NewBody) -> int:
    """The conversation of a new message: that of the nearest message it answers that is known, else that of its root.

    Only answers are written down, so a message that answers nothing costs no query.
    """
    references = body.references
    if not references:
        return lone_thread(body.digest)
    if len(references) == 1:
        return references[0]
    marks = "?, " * (len(references) - 1) + "?"
    known = dict(
        writer.db.execute(
            f"SELECT reference, thread FROM threads WHERE box_id = ? AND reference IN ({marks})",
            (box_id, *references),
        )
    )
    thread = next((int(known[one]) for one in references if one in known), references[-1])
    if references[0] not in known:
        writer.db.execute("INSERT INTO threads VALUES (?, ?, ?)", (box_id, references[0], thread))
    return thread


# --- forgetting

FIRST = -(1 << 63)
"""The lowest number of a Message-ID."""

KNOWN_AT_ONCE = 50_000
"""Message-IDs whose conversations are looked for in one pass over a box."""

MESSAGES_AT_ONCE = 5000
"""Messages that are looked at in one hop."""

FORGOTTEN_AT_ONCE = 500
"""Message-IDs that are forgotten in one commit."""


class Horizon(NamedTuple):
    """Where a pass over a box began: what comes later has a higher UID in its folder, or number among the removed."""

    box_id: int
    folders: Mapping[int, int]  # the next UID of each
    removed: int


def next_box(db: apsw.Connection, after: int) -> int | None:
    """The next box that knows Message-IDs."""
    row = db.execute("SELECT min(box_id) FROM threads WHERE box_id > ?", (after,)).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def known(db: apsw.Connection, box_id: int, start: int) -> tuple[dict[int, int], int | None]:
    """Conversations by Message-ID, and where to go on, None at the end."""
    rows: Any = db.execute(
        "SELECT reference, thread FROM threads WHERE box_id = ? AND reference >= ? ORDER BY reference LIMIT ?",
        (box_id, start, KNOWN_AT_ONCE),
    )
    found: dict[int, int] = dict(rows)
    last = max(found, default=-FIRST)
    return found, (last + 1 if len(found) == KNOWN_AT_ONCE and last + 1 < -FIRST else None)


def horizon(db: apsw.Connection, box_id: int) -> Horizon:
    """As the box is now."""
    last = db.execute("SELECT coalesce(max(id), 0) FROM removed").get
    return Horizon(box_id, _heads(db, box_id), int(last))


def _heads(db: apsw.Connection, box_id: int) -> dict[int, int]:
    rows: Any = db.execute("SELECT id, uid_next FROM folders WHERE box_id = ?", (box_id,))
    return dict(rows)


def in_folder(db: apsw.Connection, folder_id: int, after: int) -> tuple[set[int], int | None]:
    """Conversations of the next messages of a folder, and where to go on, None at the end."""
    rows = list(
        db.execute(
            "SELECT thread, uid FROM messages WHERE folder_id = ? AND uid > ? ORDER BY uid LIMIT ?",
            (folder_id, after, MESSAGES_AT_ONCE),
        )
    )
    return {thread for thread, _ in rows}, (rows[-1][1] if len(rows) == MESSAGES_AT_ONCE else None)


def among_removed(
    db: apsw.Connection, box_id: int, after: tuple[float, int]
) -> tuple[set[int], tuple[float, int] | None]:
    """Conversations of the next messages that can be brought back, and where to go on, None at the end."""
    rows = list(
        db.execute(
            "SELECT thread, removed_at, id FROM removed WHERE box_id = ? AND (removed_at, id) > (?, ?)"
            " ORDER BY removed_at, id LIMIT ?",
            (box_id, *after, MESSAGES_AT_ONCE),
        )
    )
    return {row[0] for row in rows}, (rows[-1][1:] if len(rows) == MESSAGES_AT_ONCE else None)


def forget_threads(writer: Writer, begun: Horizon, conversations: Mapping[int, int]) -> int:
    """Forget Message-IDs whose conversations had no message, unless one has come since; how many it were."""
    db = writer.db
    alive: set[int] = set()
    for folder_id, uid_next in _heads(db, begun.box_id).items():
        first = begun.folders.get(folder_id, 1)
        if uid_next > first:
            sql = "SELECT thread FROM messages WHERE folder_id = ? AND uid >= ?"
            alive.update(row[0] for row in db.execute(sql, (folder_id, first)))
    # By number, not by box: only those that came since are read.
    sql = "SELECT thread FROM removed WHERE id > ? AND +box_id = ?"
    alive.update(row[0] for row in db.execute(sql, (begun.removed, begun.box_id)))
    dead = [(begun.box_id, one) for one, thread in conversations.items() if thread not in alive]
    db.executemany("DELETE FROM threads WHERE box_id = ? AND reference = ?", dead)
    return len(dead)
