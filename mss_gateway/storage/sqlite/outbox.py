"""The outbox: rows for other operators, written with the acceptance, leased, settled with what follows (QUE-1).

A claimed row is due again when its lease runs out: `next_attempt` holds that moment meanwhile. The index on
(domain, next_attempt) is read by leaping from domain to domain, so rows that wait cost nothing, whatever their number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import apsw
import orjson

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Notify, Recipient
from mss_gateway.ports.outbox import Claimed, ClaimedRow, Interrupted, Lease, Share
from mss_gateway.ports.records import OutboxEntry, Queued, Settled
from mss_gateway.ports.store import StaleLease

from .bodies import release
from .engine import Writer

MAX_RECIPIENTS = 100
"""Recipients of one letter: what every peer must take in one transaction (RFC 5321 section 4.5.3.1.8)."""

ORDER_HOLD = 3600.0
"""Seconds that an ordered row waits at most for an earlier one: what never passes must not stop the others."""

_ENDED = frozenset({"sent", "failed"})

_DOMAINS = """
WITH RECURSIVE waiting (domain) AS (
    SELECT min(domain) FROM outbox
    UNION ALL
    SELECT (SELECT min(domain) FROM outbox WHERE domain > waiting.domain) FROM waiting
    WHERE waiting.domain IS NOT NULL
)
SELECT domain, (SELECT min(next_attempt) FROM outbox WHERE domain = waiting.domain) FROM waiting
WHERE domain IS NOT NULL
"""


def queue(writer: Writer, body_id: int, entry: OutboxEntry, at: float) -> None:
    """One row, due at once; `at` is epoch seconds."""
    recipient = entry.recipient
    address = str(recipient.address)
    behind = _last_before(writer.db, address, at) if entry.ordered else None
    writer.db.execute(
        "INSERT INTO outbox (body_id, sender, recipient, domain, notify, orcpt, ret, envid, state, queued_at,"
        " next_attempt, ordered, behind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)",
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
        ),
    )
    writer.queued = True


def _last_before(db: apsw.Connection, recipient: str, at: float) -> int | None:
    """The last row to this recipient that a new one waits for; those that have waited too long hold nobody up."""
    row = db.execute(
        "SELECT id FROM outbox WHERE ordered = 1 AND recipient = ? AND queued_at > ? ORDER BY id DESC LIMIT 1",
        (recipient, at - ORDER_HOLD),
    ).fetchone()
    return None if row is None else int(str(row[0]))


def _still_before(db: apsw.Connection, recipient: str, number: int, now: float) -> int | None:
    """An earlier row to this recipient that is under way or due as well."""
    row = db.execute(
        "SELECT id FROM outbox WHERE ordered = 1 AND recipient = ? AND id < ? AND (lease <> '' OR next_attempt <= ?)"
        " ORDER BY id DESC LIMIT 1",
        (recipient, number, now),
    ).fetchone()
    return None if row is None else int(str(row[0]))


def _hold(writer: Writer, number: int, behind: int, until: float) -> None:
    writer.db.execute("UPDATE outbox SET behind = ?, next_attempt = ? WHERE id = ?", (behind, until, number))


def _free(writer: Writer, ended: int) -> None:
    """What stood behind an ended row is due."""
    writer.db.execute(
        "UPDATE outbox SET behind = NULL, next_attempt = queued_at WHERE behind = ? AND lease = ''", (ended,)
    )
    if writer.db.changes():
        writer.queued = True


def list_outbox(db: apsw.Connection, domain: str | None, limit: int) -> list[Queued]:
    """Rows waiting, oldest first."""
    clause, values = (" WHERE domain = ?", (domain, limit)) if domain else ("", (limit,))
    rows = db.execute(
        "SELECT id, body_id, sender, recipient, domain, state, attempts, queued_at, next_attempt, last_error,"
        f" uncertain FROM outbox{clause} ORDER BY id LIMIT ?",
        values,
    )
    return [Queued(*row) for row in rows]


def next_due(db: apsw.Connection, busy: Collection[str]) -> float | None:
    """When the next row of a domain that is not busy is due, epoch seconds; None when there is none."""
    return min((due for domain, due in db.execute(_DOMAINS) if domain not in busy), default=None)


class _Group(NamedTuple):
    """What rows must share to go in one transaction."""

    body_id: int
    sender: str
    ret: str | None
    envid: str | None


def claim(writer: Writer, lease: Lease, share: Share) -> list[Claimed]:
    """Lease what is due, the longest waiting domain first."""
    found: list[Claimed] = []
    due = sorted((due, domain) for domain, due in writer.db.execute(_DOMAINS) if due <= lease.now)
    for _, domain in due:
        room = min(share.rooms.get(domain, share.each), share.total - len(found))
        if room > 0:
            found += _claim_domain(writer, lease, domain, room)
    return found


def _claim_domain(writer: Writer, lease: Lease, domain: str, room: int) -> list[Claimed]:
    groups: dict[_Group, list[ClaimedRow]] = {}
    cursor = writer.db.execute(
        "SELECT body_id, sender, ret, envid, id, recipient, notify, orcpt, attempts, queued_at, warned, uncertain,"
        " last_error, ordered FROM outbox WHERE domain = ? AND next_attempt <= ? ORDER BY next_attempt, id LIMIT ?",
        (domain, lease.now, room * MAX_RECIPIENTS),
    )
    held: list[tuple[int, int]] = []
    for *row, ordered in cursor:
        before = _still_before(writer.db, row[5], row[4], lease.now) if ordered else None
        if before is not None:
            held.append((row[4], before))
            continue
        group = _Group(*row[:4])
        if group not in groups and len(groups) >= room:
            break
        rows = groups.setdefault(group, [])
        if len(rows) < MAX_RECIPIENTS:
            rows.append(_claimed_row(row[4:]))
    cursor.close()
    for number, before in held:
        _hold(writer, number, before, lease.now + ORDER_HOLD)
    ids = [row.id for rows in groups.values() for row in rows]
    if ids:
        writer.db.execute(
            "UPDATE outbox SET lease = ?1, state = 'leased', next_attempt = ?2, last_attempt = ?3,"
            " attempts = attempts + 1 WHERE id IN (SELECT value FROM json_each(?4))",
            (lease.token, lease.until, lease.now, orjson.dumps(ids).decode()),
        )
    letters = (_letter(writer.db, lease, domain, group, rows) for group, rows in groups.items())
    return [letter for letter in letters if letter is not None]


def _claimed_row(row: Sequence[Any]) -> ClaimedRow:
    number, recipient, notify, orcpt, attempts, queued_at, warned, uncertain, last_error = row
    wishes = frozenset(Notify(wish) for wish in notify.split(",") if wish)
    return ClaimedRow(
        number,
        Recipient(parse_address(recipient), wishes, orcpt),
        attempts + 1,
        queued_at,
        bool(warned),
        uncertain,
        last_error,
    )


def _letter(
    db: apsw.Connection, lease: Lease, domain: str, group: _Group, rows: list[ClaimedRow]
) -> Claimed | None:
    body = db.execute(
        "SELECT b.size - b.header_size, b.message_id, x.header FROM bodies AS b"
        " JOIN body_bytes AS x ON x.id = b.id WHERE b.id = ?",
        (group.body_id,),
    ).fetchone()
    if body is None:  # a damaged store: the rows stay, leased time and again, and keep nobody else waiting
        return None
    size, message_id, header = body
    return Claimed(
        lease.token,
        group.body_id,
        domain,
        group.sender,
        group.ret,
        group.envid,
        message_id,
        bytes(header),
        size,
        tuple(rows),
    )


def settle(writer: Writer, settled: Iterable[Settled]) -> None:
    """Write what became of rows; an ended one goes and lets its body go. Raise `StaleLease` when one is not held."""
    for one in settled:
        row = None
        if one.lease and one.state in _ENDED:
            row = writer.db.execute(
                "DELETE FROM outbox WHERE id = ? AND lease = ? RETURNING body_id", (one.id, one.lease)
            ).fetchone()
        elif one.lease:
            row = writer.db.execute(
                "UPDATE outbox SET lease = '', next_attempt = ?1, last_error = ?2, warned = max(warned, ?3),"
                " uncertain = uncertain + ?4, state = iif(uncertain + ?4, 'uncertain', 'waiting')"
                " WHERE id = ?5 AND lease = ?6 RETURNING body_id",
                (one.next_attempt, one.error, one.warned, one.uncertain, one.id, one.lease),
            ).fetchone()
        if row is None:
            raise StaleLease("this row of the outbox is not held under that lease")
        if one.state in _ENDED:
            release(writer, row[0])
            _free(writer, one.id)


def extend(writer: Writer, lease: str, ids: Sequence[int], until: float) -> bool:
    """Hold leased rows longer; False when one of them is no longer held, and then nothing is changed."""
    held = "lease = ?1 AND id IN (SELECT value FROM json_each(?2))"
    values = (lease, orjson.dumps(list(ids)).decode())
    count = next(writer.db.execute(f"SELECT count(*) FROM outbox WHERE {held}", values))[0]
    if not lease or count != len(ids):
        return False
    writer.db.execute(f"UPDATE outbox SET next_attempt = ?3 WHERE {held}", (*values, until))
    return True


def void_leases(writer: Writer, now: float) -> list[Interrupted]:
    """End every lease: its holder is gone. What was under way may have arrived, which counts as uncertain."""
    rows = list(
        writer.db.execute(
            "SELECT b.message_id, o.domain, o.recipient FROM outbox AS o LEFT JOIN bodies AS b ON b.id = o.body_id"
            " WHERE o.lease <> '' ORDER BY o.id"
        )
    )
    writer.db.execute(
        "UPDATE outbox SET lease = '', state = 'uncertain', uncertain = uncertain + 1, next_attempt = ?,"
        " last_error = 'interrupted' WHERE lease <> ''",
        (now,),
    )
    return [Interrupted(*row) for row in rows]
