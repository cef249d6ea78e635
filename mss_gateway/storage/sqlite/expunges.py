"""What vanished from a folder: each expunge by its mod-sequence, old ones as UIDs alone (RFC 7162 section 5).

An expunge is written down in `expunged`. Old ones move into `gone`, where UIDs that follow on each other are one row:
what is kept does not grow with what has gone. Who comes back from before `folders.forgotten` is told all of `gone`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import apsw

from mss_gateway.protocol.imap.sequence import ranges_of
from mss_gateway.protocol.imap.uidruns import MOST, Uids, fitting

from .engine import Writer

MARKS = 4
"""Marks that a folder gets in the time for which expunges are remembered."""

AT_ONCE = 200
"""Expunges that are forgotten in one commit."""


class Border(NamedTuple):
    """The youngest expunge of a folder that may be forgotten."""

    folder_id: int
    modseq: int
    uid: int


def vanished_since(db: apsw.Connection, folder_id: int, since: int, forgotten: int) -> Uids:
    """UIDs expunged after a mod-sequence, ascending; with those of which it is forgotten when they were."""
    rows = db.execute(
        "SELECT uid FROM expunged WHERE folder_id = ? AND modseq > ? ORDER BY uid", (folder_id, since)
    )
    remembered = array("L", [row[0] for row in rows])
    if since >= forgotten:
        return remembered
    gone = list(_gone(db, folder_id))
    if len(gone) <= MOST:
        return fitting(list(_joined(gone, ranges_of(remembered))))
    # Mostly holes of one message each: numbers cost less than runs of one.
    singles = [first for first, last in gone if first == last]
    singles += chain.from_iterable(range(first, last + 1) for first, last in gone if first != last)
    return array("L", sorted([*singles, *remembered]))


def holes(db: apsw.Connection, folder_id: int) -> list[range]:
    """The runs of UIDs that were expunged, ascending."""
    rows = db.execute("SELECT uid FROM expunged WHERE folder_id = ? ORDER BY uid", (folder_id,))
    return list(_joined(_gone(db, folder_id), ranges_of([row[0] for row in rows])))


def _gone(db: apsw.Connection, folder_id: int) -> Iterator[tuple[int, int]]:
    yield from db.execute("SELECT first, last FROM gone WHERE folder_id = ? ORDER BY first", (folder_id,))


def _joined(*ranges: Iterable[tuple[int, int]]) -> Iterator[range]:
    """Disjoint ranges, of which each kind ascends, in order, as runs that do not touch."""
    start = stop = 0
    for first, last in sorted(chain.from_iterable(ranges)):
        if first != stop or not start:
            if start:
                yield range(start, stop)
            start = first
        stop = last + 1
    if start:
        yield range(start, stop)


# --- forgetting


def crowded(db: apsw.Connection, after: int, limit: int, least: int) -> tuple[list[int], int]:
    """Those of the next folders in which more than `least` expunges are remembered; where to go on, -1 at the end."""
    rows = list(
        db.execute(
            "SELECT id, uid_next - 1 - messages FROM folders WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
    )
    found = [
        folder
        for folder, missing in rows
        if missing > least
        and db.execute(
            "SELECT 1 FROM expunged WHERE folder_id = ? LIMIT 1 OFFSET ?", (folder, least)
        ).fetchone()
    ]
    return found, (rows[-1][0] if len(rows) == limit else -1)


def mark(writer: Writer, folder_id: int, now: float, keep: float) -> None:
    """Write down how far a folder is, unless that was done a short while ago; marks of no more use go."""
    db = writer.db
    # Those of a clock that was ahead would stand in the way of younger ones.
    db.execute(
        "DELETE FROM expunge_marks WHERE folder_id = ?1 AND (at > ?2 OR at <"
        " (SELECT max(at) FROM expunge_marks WHERE folder_id = ?1 AND at <= ?3))",
        (folder_id, now, now - keep),
    )
    db.execute(
        "INSERT OR IGNORE INTO expunge_marks SELECT id, ?2, highest_modseq FROM folders WHERE id = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM expunge_marks WHERE folder_id = ?1 AND at > ?3)",
        (folder_id, now, now - keep / MARKS if keep else now),
    )


def border(db: apsw.Connection, folder_id: int, now: float, keep: float, least: int) -> Border | None:
    """Up to where expunges of a folder may be forgotten; None when that is none of them."""
    row = db.execute(
        "SELECT max(modseq) FROM expunge_marks WHERE folder_id = ? AND at <= ?", (folder_id, now - keep)
    ).fetchone()
    old = None if row is None else row[0]
    surplus = db.execute(
        "SELECT modseq, uid FROM expunged WHERE folder_id = ? ORDER BY modseq DESC, uid DESC LIMIT 1 OFFSET ?",
        (folder_id, least),
    ).fetchone()
    if old is None or surplus is None:
        return None
    last = db.execute(
        "SELECT modseq, uid FROM expunged WHERE folder_id = ? AND modseq <= ? AND (modseq, uid) <= (?, ?)"
        " ORDER BY modseq DESC, uid DESC LIMIT 1",
        (folder_id, old, *surplus),
    ).fetchone()
    return None if last is None else Border(folder_id, int(last[0]), int(last[1]))


def forget(writer: Writer, until: Border) -> int:
    """Forget the oldest expunges of a folder, up to a border and `AT_ONCE`; how many it were."""
    db = writer.db
    rows = list(
        db.execute(
            "SELECT modseq, uid FROM expunged WHERE folder_id = ? AND (modseq, uid) <= (?, ?)"
            " ORDER BY modseq, uid LIMIT ?",
            (*until, AT_ONCE),
        )
    )
    if not rows:
        return 0
    _let_go(db, until.folder_id, sorted([uid for _, uid in rows]))
    db.execute(
        "DELETE FROM expunged WHERE folder_id = ? AND (modseq, uid) <= (?, ?)", (until.folder_id, *rows[-1])
    )
    db.execute(
        "UPDATE folders SET forgotten = max(forgotten, ?) WHERE id = ?", (rows[-1][0], until.folder_id)
    )
    return len(rows)


def _let_go(db: apsw.Connection, folder_id: int, uids: Sequence[int]) -> None:
    """UIDs become runs of `gone`, one with those they touch."""
    for low, high in ranges_of(uids):
        first, last = low, high
        before = db.execute(
            "SELECT first, last FROM gone WHERE folder_id = ? AND first < ? ORDER BY first DESC LIMIT 1",
            (folder_id, low),
        ).fetchone()
        if before is not None and before[1] == low - 1:
            first = before[0]
        behind = db.execute(
            "DELETE FROM gone WHERE folder_id = ? AND first = ? RETURNING last", (folder_id, high + 1)
        ).fetchone()
        if behind is not None:
            last = behind[0]
        db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", (folder_id, first, last))
