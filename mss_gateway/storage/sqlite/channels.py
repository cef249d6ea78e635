"""Channels: state, version, and the guard that a commit checks (CHN-9)."""

from __future__ import annotations

import apsw

from mss_gateway.ports.records import Channel, ChannelChange, ChannelGuard
from mss_gateway.ports.store import StaleChannel
from mss_gateway.rules.facts import ChannelFacts, ChannelState


def check_guard(db: apsw.Connection, guard: ChannelGuard) -> None:
    """Raise `StaleChannel` when the channel is no longer at the version that the decision saw."""
    row = db.execute(
        "SELECT version FROM channels WHERE patient = ? AND bal = ?", (guard.patient, guard.bal)
    ).fetchone()
    if (row[0] if row else 0) != guard.version:
        raise StaleChannel("the channel has changed")


def apply_change(db: apsw.Connection, change: ChannelChange, at: float) -> None:
    """Set the state; the version grows only when the state really changes, so an open channel stays cheap."""
    db.execute(
        "INSERT INTO channels VALUES (?1, ?2, ?3, 1, ?4, ?5) ON CONFLICT (patient, bal) DO UPDATE SET"
        " version = version + 1, state = ?3, cause = ?4, changed_at = ?5 WHERE state <> ?3",
        (change.patient, change.bal, change.state.value, change.cause, at),
    )


def read_channel(db: apsw.Connection, patient: str, bal: str) -> ChannelFacts:
    """State and version; NEVER and 0 when there is none."""
    row = db.execute(
        "SELECT state, version FROM channels WHERE patient = ? AND bal = ?", (patient, bal)
    ).fetchone()
    return ChannelFacts(ChannelState(row[0]), row[1]) if row else ChannelFacts()


def list_channels(db: apsw.Connection, patient: str | None, bal: str | None, limit: int) -> list[Channel]:
    """Channels by patient, by BAL, by both, or all, latest change first."""
    where, values = [], []
    for column, value in (("patient", patient), ("bal", bal)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    rows = db.execute(
        f"SELECT patient, bal, state, version, cause, changed_at FROM channels{clause}"
        " ORDER BY changed_at DESC LIMIT ?",
        (*values, limit),
    )
    return [
        Channel(p, b, ChannelState(state), version, cause, at) for p, b, state, version, cause, at in rows
    ]
