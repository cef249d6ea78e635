"""The outbox: rows for other operators, written with the acceptance, settled with what follows (QUE-1)."""

from __future__ import annotations

import apsw

from mss_gateway.mail.envelope import Notify
from mss_gateway.ports.records import OutboxEntry, Queued

from .engine import Writer


def queue(writer: Writer, body_id: int, entry: OutboxEntry, at: float) -> None:
    """One row, due at once; `at` is epoch seconds."""
    recipient = entry.recipient
    writer.db.execute(
        "INSERT INTO outbox (body_id, sender, recipient, domain, notify, orcpt, ret, envid, state, queued_at,"
        " next_attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)",
        (
            body_id,
            entry.sender,
            str(recipient.address),
            recipient.address.domain,
            ",".join(wish.value for wish in Notify if wish in recipient.notify),
            recipient.orcpt,
            entry.ret,
            entry.envid,
            at,
            at,
        ),
    )


def list_outbox(db: apsw.Connection, domain: str | None, limit: int) -> list[Queued]:
    """Rows waiting, oldest first."""
    clause, values = (" WHERE domain = ?", (domain, limit)) if domain else ("", (limit,))
    rows = db.execute(
        "SELECT id, body_id, sender, recipient, domain, state, attempts, queued_at, next_attempt, last_error"
        f" FROM outbox{clause} ORDER BY id LIMIT ?",
        values,
    )
    return [Queued(*row) for row in rows]
