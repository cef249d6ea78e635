"""The outbox: rows for other operators, written with the acceptance, leased, settled with what follows (QUE-1).

A claimed row is due again when its lease runs out: `next_attempt` holds that moment meanwhile. When the first row of a
domain is due stands in `destinations`, kept by triggers, so rows that wait cost nothing, whatever their number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import apsw
import orjson

from mss_gateway.mail.envelope import Notify
from mss_gateway.ports.outbox import Interrupted
from mss_gateway.ports.records import OutboxEntry, Settled
from mss_gateway.ports.store import StaleLease
from mss_gateway.rules.ins import mask_text

from .bodies import release
from .engine import Writer
from .ordering import ORDER_HOLD, last_before, step_up

_ENDED = frozenset({"sent", "failed"})

LEASE_OVER = (
    "lease = '', node = '', by_hand = 0, uncertain = uncertain + (by_hand = 0),"
    " last_error = iif(by_hand, last_error, 'interrupted'), state = CASE WHEN held THEN 'held'"
    " WHEN uncertain + (by_hand = 0) THEN 'uncertain' ELSE 'waiting' END"
)
"""What becomes of a row whose holder is gone: it may have sent it, unless it held it for ending it by hand."""


def queue(writer: Writer, body_id: int, entry: OutboxEntry, at: float) -> None:
    """One row, due at once; `at` is epoch seconds."""
    recipient = entry.recipient
    address = str(recipient.address)
    behind = last_before(writer.db, address, at) if entry.ordered else None
    message_id, size, refs = next(
        writer.db.execute("SELECT message_id, size, refs FROM bodies WHERE id = ?", (body_id,))
    )
    writer.db.execute(
        "INSERT INTO outbox (body_id, sender, recipient, domain, notify, orcpt, ret, envid, state, queued_at,"
        " next_attempt, ordered, behind, message_id, size, shared)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?)",
        (
            body_id,
            entry.sender,
            address,
            recipient.address.domain,
            ",".join(wish.value for wish in Notify if wish in recipient.notify),
            recipient.orcpt,
            entry.ret,
            entry.envid,
            at,
            at if behind is None else at + ORDER_HOLD,
            entry.ordered,
            behind,
            None if message_id is None else mask_text(message_id),
            size,
            refs > 1,
        ),
    )
    writer.queued = True


def next_due(db: apsw.Connection, busy: Collection[str]) -> float | None:
    """When the next row of a domain that is not busy is due, epoch seconds; None when there is none."""
    rows = db.execute("SELECT domain, due FROM destinations WHERE due IS NOT NULL ORDER BY due")
    return next((due for domain, due in rows if domain not in busy), None)


def settle(writer: Writer, settled: Iterable[Settled]) -> None:
    """Write what became of rows; an ended one goes and lets its body go. Raise `StaleLease` when one is not held."""
    for one in settled:
        row = None
        if one.lease and one.state in _ENDED:
            row = writer.db.execute(
                "DELETE FROM outbox WHERE id = ? AND lease = ? RETURNING body_id, behind", (one.id, one.lease)
            ).fetchone()
        elif one.lease:
            row = writer.db.execute(
                "UPDATE outbox SET lease = '', node = '', by_hand = 0, next_attempt = ?1, last_error = ?2,"
                " warned = max(warned, ?3), uncertain = uncertain + ?4, state = CASE WHEN held THEN 'held'"
                " WHEN uncertain + ?4 THEN 'uncertain' ELSE 'waiting' END"
                " WHERE id = ?5 AND lease = ?6 RETURNING body_id, behind",
                (one.next_attempt, one.error, one.warned, one.uncertain, one.id, one.lease),
            ).fetchone()
        if row is None:
            raise StaleLease("this row of the outbox is not held under that lease")
        if one.state in _ENDED:
            release(writer, row[0])
            step_up(writer, one.id, row[1])


def extend(writer: Writer, lease: str, ids: Sequence[int], until: float) -> bool:
    """Hold leased rows longer; False when one of them is no longer held, and then nothing is changed."""
    held = "lease = ?1 AND id IN (SELECT value FROM json_each(?2))"
    values = (lease, orjson.dumps(list(ids)).decode())
    count = next(writer.db.execute(f"SELECT count(*) FROM outbox WHERE {held}", values))[0]
    if not lease or count != len(ids):
        return False
    writer.db.execute(f"UPDATE outbox SET next_attempt = ?3 WHERE {held}", (*values, until))
    return True


def void_leases(writer: Writer, now: float, node: str) -> list[Interrupted]:
    """End every lease of a node that is gone. What was under way may have arrived, which counts as uncertain."""
    rows = list(
        writer.db.execute(
            "SELECT b.message_id, o.domain, o.recipient FROM outbox AS o LEFT JOIN bodies AS b ON b.id = o.body_id"
            " WHERE o.lease <> '' AND o.node = ? AND o.by_hand = 0 ORDER BY o.id",
            (node,),
        )
    )
    writer.db.execute(
        f"UPDATE outbox SET {LEASE_OVER}, next_attempt = ? WHERE lease <> '' AND node = ?", (now, node)
    )
    return [Interrupted(*row) for row in rows]
