"""The timeline (AUD-2)."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
import orjson

from mss_gateway.ports.records import TraceLine


def insert_trace(db: apsw.Connection, lines: Iterable[TraceLine]) -> None:
    """Append lines."""
    db.executemany(
        "INSERT INTO trace (at, event, transaction_id, message_id, box_id, actor, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                line.at,
                line.event,
                line.transaction,
                line.message_id,
                line.box_id,
                line.actor,
                orjson.dumps(dict(line.detail)).decode(),
            )
            for line in lines
        ],
    )


def read_trace(db: apsw.Connection, message_id: str | None, limit: int) -> list[TraceLine]:
    """Lines of one Message-ID, or the latest ones; oldest first."""
    columns = "SELECT id, at, event, transaction_id, message_id, box_id, actor, detail FROM trace"
    if message_id is None:
        rows = list(db.execute(f"{columns} ORDER BY id DESC LIMIT ?", (limit,)))[::-1]
    else:
        # The lines of its transactions that name no Message-ID (refusals of a recipient) belong to it.
        rows = list(
            db.execute(
                f"{columns} WHERE message_id = ? OR (transaction_id <> '' AND transaction_id IN"
                " (SELECT transaction_id FROM trace WHERE message_id = ?)) ORDER BY id LIMIT ?",
                (message_id, message_id, limit),
            )
        )
    return [
        TraceLine(at, event, transaction, message, box, actor, orjson.loads(detail))
        for _, at, event, transaction, message, box, actor, detail in rows
    ]
