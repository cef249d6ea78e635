"""Texts move out of segment files that are mostly dead: a few in each commit, octet for octet as they lie (OPS-5).

What is sealed is sealed with its body's key and bound to nothing of the place it lies in, so it stays as it is.
"""

from __future__ import annotations

import errno
import shutil

import apsw

from mss_gateway.ports.housekeeping import Tidied

from .engine import Writer
from .options import SqliteOptions
from .texts import stored_size

LEAST_WON = 1024 * 1024
"""Octets that a segment must free for it to be worth the work."""

OCTETS_AT_ONCE = 2 * 1024 * 1024
"""Octets after which no further text comes into the same commit."""

TEXTS_AT_ONCE = 64
"""Texts that move in one commit."""

SHORT = 256 * 1024 * 1024
"""Octets that must be free on the disk: the old file stays beside the new one for a while."""


def sparse(db: apsw.Connection, after: int, limit: int, below: float) -> tuple[list[int], int]:
    """Segments among the next ones of which less than this share is live, and where to go on, -1 at the end."""
    rows = list(
        db.execute("SELECT id, octets, live FROM segments WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    )
    found = [
        int(segment)
        for segment, octets, live in rows
        if 0 < live < octets * below and octets - live >= LEAST_WON
    ]
    return found, (rows[-1][0] if len(rows) == limit else -1)


def has_room(options: SqliteOptions) -> bool:
    """May files grow for a while? Mail goes first."""
    return shutil.disk_usage(options.path).free >= SHORT


def move_texts(writer: Writer, segment: int) -> Tidied:
    """Move the next texts of a segment to the end of the one that is being filled; none when none can be moved.

    The file stays: a reader may have looked where a text lies just before this commit.
    """
    db, segments = writer.db, writer.segments
    working = db.execute("SELECT 1 FROM encryption_work").fetchone()
    if segment == segments.current or working is not None:
        return Tidied()
    segments.drain(segment)
    moved = octets = 0
    for body_id, offset, size, sealed in list(
        db.execute(
            "SELECT b.id, b.segment_offset, b.size - b.header_size, k.body_id IS NOT NULL FROM bodies AS b"
            " LEFT JOIN body_keys AS k ON k.body_id = b.id WHERE b.segment = ? ORDER BY b.id LIMIT ?",
            (segment, TEXTS_AT_ONCE),
        )
    ):
        stored = stored_size(size, sealed=bool(sealed))
        try:
            place = segments.carry(db, segment, offset, stored)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            break  # `verify` names it; what lies behind it stays with it
        db.execute("UPDATE bodies SET segment = ?, segment_offset = ? WHERE id = ?", (*place, body_id))
        db.execute("UPDATE segments SET live = live - ? WHERE id = ?", (stored, segment))
        moved, octets = moved + 1, octets + stored
        if octets >= OCTETS_AT_ONCE:
            break
    return Tidied(moved, octets)
