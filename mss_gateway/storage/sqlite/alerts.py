"""Alerts to patients (PAT-3): a row for each box, made due by an arrival, settled when the patient is told."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from mss_gateway.ports.alerts import AlertState, DueAlert, SettledAlert

from .engine import Writer

_WAITING = AlertState.WAITING.value


def queue_alert(writer: Writer, box_id: int, at: float) -> None:
    """Something has arrived in a box; a row that waits already keeps its moment."""
    row = writer.db.execute(
        "UPDATE alerts SET last_at = ?2, arrivals = arrivals + 1 WHERE box_id = ?1 AND state = ?3 RETURNING 1",
        (box_id, at, _WAITING),
    ).fetchone()
    if row is not None:
        return
    writer.db.execute(
        "INSERT INTO alerts VALUES (?1, ?3, ?2, ?2, 1, 0, ?2, 0) ON CONFLICT DO UPDATE SET state = ?3,"
        " first_at = ?2, last_at = ?2, arrivals = arrivals + 1, attempts = 0, next_attempt = ?2",
        (box_id, at, _WAITING),
    )
    writer.alerts = True


def due_alerts(db: apsw.Connection, now: float, limit: int) -> list[DueAlert]:
    """Rows due by now, the longest due first."""
    rows = db.execute(
        "SELECT box_id, first_at, told_at, attempts, arrivals FROM alerts"
        " WHERE state = 'waiting' AND next_attempt <= ? ORDER BY next_attempt LIMIT ?",
        (now, limit),
    )
    return [DueAlert(*row) for row in rows]


def settle_alerts(writer: Writer, settled: Iterable[SettledAlert]) -> None:
    """Write what became of rows; what arrived while a mail was under way waits as a new alert."""
    for one in settled:
        if one.state is AlertState.WAITING:
            writer.db.execute(
                "UPDATE alerts SET attempts = ?, next_attempt = ? WHERE box_id = ? AND state = 'waiting'",
                (one.attempts, one.at, one.box_id),
            )
            continue
        told = one.at if one.state is AlertState.TOLD else 0.0
        writer.db.execute(
            "UPDATE alerts SET state = CASE WHEN arrivals = ?1 THEN ?2 ELSE state END, attempts = 0,"
            " first_at = last_at, next_attempt = last_at, told_at = max(told_at, ?3)"
            " WHERE box_id = ?4 AND state = 'waiting'",
            (one.arrivals, one.state.value, told, one.box_id),
        )


def next_alert(db: apsw.Connection) -> float | None:
    """When the next row is due."""
    row = db.execute(
        "SELECT next_attempt FROM alerts WHERE state = 'waiting' ORDER BY next_attempt LIMIT 1"
    ).fetchone()
    return None if row is None else float(str(row[0]))
