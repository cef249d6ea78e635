"""What one patient is sent leaves in the order of its commits (CHN-9): a row may stand `behind` an earlier one.

A row that is held, deferred or under way keeps those behind it waiting until their hour is over, whatever it is that
keeps it; then they pass it. One that is held keeps up nobody else: what is not behind it by then is an hour younger.
"""

from __future__ import annotations

import apsw

from .engine import Writer

ORDER_HOLD = 3600.0
"""Seconds that an ordered row waits at most for an earlier one: what never passes must not stop the others."""


def last_before(db: apsw.Connection, recipient: str, at: float) -> int | None:
    """The last row to this recipient that a new one waits for; those that have waited too long hold nobody up."""
    row = db.execute(
        "SELECT id FROM outbox WHERE ordered = 1 AND recipient = ? AND queued_at > ? ORDER BY id DESC LIMIT 1",
        (recipient, at - ORDER_HOLD),
    ).fetchone()
    return None if row is None else int(str(row[0]))


def still_behind(
    db: apsw.Connection, recipient: str, number: int, queued_at: float, behind: int | None, now: float
) -> tuple[int, float] | None:
    """What a row that is due waits for still, and until when: an earlier row that is under way or due as well.

    A row that was to be ended by hand and was not has lost its time, not its place: it goes back behind the same one.
    """
    if behind is not None and queued_at + ORDER_HOLD > now:
        return behind, queued_at + ORDER_HOLD
    row = db.execute(
        "SELECT id FROM outbox WHERE ordered = 1 AND recipient = ? AND id < ?"
        " AND (lease <> '' OR next_attempt <= ? AND state <> 'held') ORDER BY id DESC LIMIT 1",
        (recipient, number, now),
    ).fetchone()
    return None if row is None else (int(str(row[0])), now + ORDER_HOLD)


def put_behind(writer: Writer, number: int, behind: int, until: float) -> None:
    """Let a row wait for another one, until that moment at most."""
    writer.db.execute("UPDATE outbox SET behind = ?, next_attempt = ? WHERE id = ?", (behind, until, number))


def step_up(writer: Writer, ended: int, before: int | None) -> None:
    """What stood behind an ended row is due, or stands behind the one that the ended row stood behind itself."""
    if before is not None:
        writer.db.execute("UPDATE outbox SET behind = ? WHERE behind = ?", (before, ended))
        return
    writer.db.execute(
        "UPDATE outbox SET behind = NULL, next_attempt = iif(lease = '', queued_at, next_attempt) WHERE behind = ?",
        (ended,),
    )
    if writer.db.changes():
        writer.queued = True
