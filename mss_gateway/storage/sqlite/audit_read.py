"""Lines of the trace for an export: by mailbox and time, with their authors' names (AUD-1)."""

from __future__ import annotations

from collections.abc import Mapping

import apsw
import orjson

from mss_gateway.ports.audit import AuditLine, AuditQuery

LOOKED_AT = 20_000
"""Lines that one read looks at, however few of them are wanted: other readers wait for it."""

SPANNED = 50_000
"""Ids among which one read looks for the beginning of a period."""

_LINES = (
    "SELECT t.id, t.at, t.event, t.transaction_id, coalesce(t.message_id, ''), coalesce(b.address, ''), t.actor,"
    " coalesce(p.name, ''), coalesce(p.national_id, ''), t.detail, t.box_id"
    " FROM trace AS t LEFT JOIN boxes AS b ON b.id = t.box_id LEFT JOIN persons AS p ON p.login_key = lower(t.actor)"
)


def audit_lines(
    db: apsw.Connection, query: AuditQuery, after: int, limit: int
) -> tuple[list[AuditLine], int]:
    """Lines with an id above `after`, and up to which id the trace has been looked at (0: to its end)."""
    rows = db.execute(f"{_LINES} WHERE t.id > ?1 ORDER BY t.id LIMIT ?2", (after, min(LOOKED_AT, 4 * limit)))
    found: list[AuditLine] = []
    seen = 0
    for row in rows:
        seen = int(row[0])
        if not query.since <= float(row[1]) < query.until:
            continue
        detail = orjson.loads(row[9])
        if query.box_id is None or _concerns(query, row[6], row[10], detail):
            line_id, at, event, transaction, message, box, actor, name, national, *_ = row
            found.append(
                AuditLine(line_id, at, event, transaction, message, box, actor, name, national, detail)
            )
            if len(found) >= limit:
                break
    return found, seen


def _concerns(query: AuditQuery, actor: str, box_id: int | None, detail: Mapping[str, str | int]) -> bool:
    """Is it about the box: done in it, sent from it, or a login, good or not, of one of its people?"""
    if query.box_id in (box_id, detail.get("sender_box")):
        return True
    return box_id is None and (actor in query.logins or detail.get("login") in query.logins)


def ends(db: apsw.Connection) -> tuple[int, int]:
    """The ids of the oldest and of the newest line; 1 and 0 when there is none."""
    row = db.execute("SELECT min(id) FROM trace").fetchone()
    return int((row and row[0]) or 1), last_line(db)


def last_line(db: apsw.Connection) -> int:
    """The id of the newest line, 0 when there is none."""
    row = db.execute("SELECT max(id) FROM trace").fetchone()
    return int(row[0] or 0) if row is not None else 0


def first_since(db: apsw.Connection, since: float, after: int) -> tuple[int, bool]:
    """The id before the first of the next lines that is not older than that, and whether there is such a line.

    Every line is looked at: where a clock was set, ids and times do not go together.
    """
    until = after + SPANNED
    row = db.execute(
        "SELECT id FROM trace WHERE id > ? AND id <= ? AND at >= ? ORDER BY id LIMIT 1", (after, until, since)
    ).fetchone()
    return (until, False) if row is None else (int(row[0]) - 1, True)


def last_of(db: apsw.Connection, event: str) -> int:
    """The id of the newest line of an event among the latest ones, else where these begin."""
    newest = last_line(db)
    row = db.execute(
        "SELECT max(id) FROM trace WHERE id > ?1 AND event = ?2", (newest - LOOKED_AT, event)
    ).fetchone()
    return int(row[0]) if row is not None and row[0] is not None else max(newest - LOOKED_AT, 0)
