"""Channels: state, version, the guard that a commit checks (CHN-9), and the marks in the patient's mailbox (CHN-10)."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from mss_gateway.ports.records import Channel, ChannelChange, ChannelGuard, Exchange
from mss_gateway.ports.store import StaleChannel
from mss_gateway.rules.channel import CLOSED_KEYWORD
from mss_gateway.rules.facts import ChannelFacts, ChannelState

from .engine import Writer
from .receipts import copies, set_keyword

ACTIVITY = 3600.0
"""Seconds to which the last traffic of a channel is known: a finer clock would write a row for each message."""

_COLUMNS = "SELECT patient, bal, state, version, cause, changed_at, active_at, name FROM channels"


def check_guard(db: apsw.Connection, guard: ChannelGuard, at: float) -> None:
    """Raise `StaleChannel` when the channel is no longer at the version that the decision saw; note the traffic."""
    row = db.execute(
        "SELECT version, active_at FROM channels WHERE patient = ? AND bal = ?", (guard.patient, guard.bal)
    ).fetchone()
    if (row[0] if row else 0) != guard.version:
        raise StaleChannel("the channel has changed")
    if row and at - row[1] > ACTIVITY:
        db.execute(
            "UPDATE channels SET active_at = ? WHERE patient = ? AND bal = ?", (at, guard.patient, guard.bal)
        )


def apply_change(writer: Writer, change: ChannelChange, at: float) -> bool:
    """Set the state; the version grows only when the state really changes, so an open channel stays cheap.

    True when it did; an open channel that stays open only notes the traffic, to the hour.
    """
    row = writer.db.execute(
        "INSERT INTO channels (patient, bal, state, version, cause, changed_at, active_at, name)"
        " VALUES (?1, ?2, ?3, 1, ?4, ?5, ?5, ?6) ON CONFLICT (patient, bal) DO UPDATE SET"
        " version = version + (state <> ?3), changed_at = iif(state <> ?3, ?5, changed_at), state = ?3,"
        " cause = ?4, active_at = ?5, name = iif(?6 <> '', ?6, name) WHERE state <> ?3 OR active_at < ?5 - ?7"
        " RETURNING changed_at",
        (change.patient, change.bal, change.state.value, change.cause, at, change.name, ACTIVITY),
    ).fetchone()
    if row is None or row[0] != at:
        return False
    _mark(writer, change.patient, change.bal, on=change.state is ChannelState.CLOSED)
    return True


def note_exchanges(writer: Writer, body_id: int, exchanges: Iterable[Exchange]) -> None:
    """Remember to which exchanges a body belongs."""
    writer.db.executemany(
        "INSERT OR IGNORE INTO exchanges VALUES (?, ?, ?)",
        [(exchange.patient, exchange.bal, body_id) for exchange in exchanges],
    )


def _mark(writer: Writer, patient: str, bal: str, *, on: bool) -> None:
    """Set or clear the keyword on all messages of an exchange that lie in the patient's mailbox here."""
    db = writer.db
    row = db.execute("SELECT id FROM boxes WHERE address_key = ?", (patient,)).fetchone()
    if row is None:
        return
    box_id: int = row[0]
    rows = db.execute("SELECT body_id FROM exchanges WHERE patient = ? AND bal = ?", (patient, bal))
    for body_id in [row[0] for row in rows]:
        set_keyword(writer, *copies(db, box_id, body_id), keyword=CLOSED_KEYWORD, on=on)


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
    return _channels(db.execute(f"{_COLUMNS}{clause} ORDER BY changed_at DESC LIMIT ?", (*values, limit)))


def silent_channels(db: apsw.Connection, bal: str, since: float, limit: int) -> list[Channel]:
    """Open channels of a BAL without traffic since then, longest silent first (CHN-8)."""
    return _channels(
        db.execute(
            f"{_COLUMNS} WHERE state = 'open' AND active_at < ? AND bal = ? ORDER BY active_at LIMIT ?",
            (since, bal, limit),
        )
    )


def _channels(rows: Iterable[tuple[str, str, str, int, str, float, float, str]]) -> list[Channel]:
    return [
        Channel(patient, bal, ChannelState(state), version, cause, changed_at, active_at, name)
        for patient, bal, state, version, cause, changed_at, active_at, name in rows
    ]
