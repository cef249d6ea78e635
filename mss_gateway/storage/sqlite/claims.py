"""Claims on the outbox: what is due, for the outbound line (QUE-1), and what ops ask for by hand (QUE-3).

Whoever claims a row whose lease has run out takes it over from a node that is gone (QUE-4): its attempt may have
arrived, which counts as uncertain once, and what it settles later is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apsw
import orjson

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Notify, Recipient
from mss_gateway.ports.outbox import Claimed, ClaimedRow, Lease, Share
from mss_gateway.ports.store import DamagedBody

from .encryption import HEADER, key_join, opened
from .engine import Writer
from .ordering import put_behind, still_behind
from .outbox import LEASE_OVER

MAX_RECIPIENTS = 100
"""Recipients of one letter: what every peer must take in one transaction (RFC 5321 section 4.5.3.1.8)."""

NOBODY_CARRIES = "(lease = '' OR next_attempt <= :now)"
"""Neither under way nor being ended by hand, or in the hands of somebody who is gone."""

_COLUMNS = (
    "body_id, sender, ret, envid, domain, id, recipient, notify, orcpt, attempts, queued_at, warned,"
    " uncertain + (lease <> '' AND by_hand = 0), iif(lease <> '' AND by_hand = 0, 'interrupted', last_error)"
)


class _Group(NamedTuple):
    """What rows must share to go in one transaction."""

    body_id: int
    sender: str
    ret: str | None
    envid: str | None
    domain: str


_KEY = len(_Group._fields)
_QUEUED_AT = _KEY + 5


def claim(writer: Writer, lease: Lease, share: Share) -> list[Claimed]:
    """Lease what is due, the longest waiting domain first."""
    found: list[Claimed] = []
    seen: set[str] = set()
    # A domain whose due rows are all held back gives nothing: the next ones take its place.
    while len(found) < share.total and (domains := _due_domains(writer.db, lease.now, share, seen)):
        seen.update(domains)
        for domain in domains:
            room = min(share.rooms.get(domain, share.each), share.total - len(found))
            if room > 0:
                found += _claim_domain(writer, lease, domain, room)
    return found


def _due_domains(db: apsw.Connection, now: float, share: Share, seen: set[str]) -> list[str]:
    """Domains with something due and room for it, the longest waiting first, as many as letters may be taken."""
    found: list[str] = []
    for (domain,) in db.execute(
        "SELECT domain FROM destinations WHERE due <= ? ORDER BY due, domain", (now,)
    ):
        if domain not in seen and share.rooms.get(domain, share.each) > 0:
            found.append(domain)
            if len(found) >= share.total:
                break
    return found


def _claim_domain(writer: Writer, lease: Lease, domain: str, room: int) -> list[Claimed]:
    groups: dict[_Group, list[ClaimedRow]] = {}
    cursor = writer.db.execute(
        f"SELECT {_COLUMNS}, ordered, behind, lease <> '', held FROM outbox WHERE domain = ? AND next_attempt <= ?"
        " AND state <> 'held' ORDER BY next_attempt, id LIMIT ?",
        (domain, lease.now, room * MAX_RECIPIENTS),
    )
    back: list[tuple[int, int, float]] = []
    lapsed: list[int] = []
    for *row, ordered, behind, taken_over, held in cursor:
        number, address = row[_KEY : _KEY + 2]
        if held:  # marked while it was under way, and its lease ran out
            lapsed.append(number)
            continue
        wait = (
            still_behind(writer.db, address, number, row[_QUEUED_AT], behind, lease.now) if ordered else None
        )
        if wait is None:
            group = _Group(*row[:_KEY])
            if group not in groups and len(groups) >= room:
                break
            rows = groups.setdefault(group, [])
            if len(rows) >= MAX_RECIPIENTS:
                continue
            rows.append(_claimed_row(row[_KEY:], 1))
        else:
            back.append((number, *wait))
        if taken_over:
            lapsed.append(number)
    cursor.close()
    _end_leases(writer, lapsed)
    for number, before, until in back:
        put_behind(writer, number, before, until)
    _lease(writer, lease, groups.values())
    letters = (_letter_or_hold(writer, lease, group, rows) for group, rows in groups.items())
    return [letter for letter in letters if letter is not None]


def _end_leases(writer: Writer, ids: list[int]) -> None:
    if ids:
        writer.db.execute(
            f"UPDATE outbox SET {LEASE_OVER} WHERE id IN (SELECT value FROM json_each(?))",
            (orjson.dumps(ids).decode(),),
        )


def _lease(writer: Writer, lease: Lease, groups: Iterable[list[ClaimedRow]]) -> None:
    """An attempt begins: rows no longer stand behind others."""
    ids = [row.id for rows in groups for row in rows]
    if ids:
        writer.db.execute(
            "UPDATE outbox SET lease = ?1, node = ?2, state = 'leased', next_attempt = ?3, last_attempt = ?4,"
            " attempts = attempts + 1, behind = NULL WHERE id IN (SELECT value FROM json_each(?5))",
            (lease.token, lease.node, lease.until, lease.now, orjson.dumps(ids).decode()),
        )


def _claimed_row(row: Sequence[Any], beginning: int) -> ClaimedRow:
    number, recipient, notify, orcpt, attempts, queued_at, warned, uncertain, last_error = row
    wishes = frozenset(Notify(wish) for wish in notify.split(",") if wish)
    return ClaimedRow(
        number,
        Recipient(parse_address(recipient), wishes, orcpt),
        attempts + beginning,
        queued_at,
        bool(warned),
        uncertain,
        last_error,
    )


def _letter_or_hold(writer: Writer, lease: Lease, group: _Group, rows: list[ClaimedRow]) -> Claimed | None:
    """A letter; what is damaged is held with its reason, since time does not mend it."""
    try:
        return _letter(writer.db, lease, group, rows)
    except DamagedBody as damaged:
        writer.db.execute(
            "UPDATE outbox SET lease = '', node = '', state = 'held', held = 1, hold_reason = ?1"
            " WHERE id IN (SELECT value FROM json_each(?2))",
            (str(damaged), orjson.dumps([row.id for row in rows]).decode()),
        )
        return None


def _letter_to_end(db: apsw.Connection, lease: Lease, group: _Group, rows: list[ClaimedRow]) -> Claimed:
    """What cannot be sent, in a damaged store, can still be ended."""
    try:
        found = _letter(db, lease, group, rows)
    except DamagedBody:
        found = None
    return found or _claimed(lease, group, rows, 0, None, b"\r\n")


def _letter(db: apsw.Connection, lease: Lease, group: _Group, rows: list[ClaimedRow]) -> Claimed | None:
    keys = key_join(db, "b.id")
    body = db.execute(
        f"SELECT b.size - b.header_size, b.message_id, {opened(keys, HEADER, 'x.header')} FROM bodies AS b"
        f" JOIN body_bytes AS x ON x.id = b.id{keys} WHERE b.id = ?",
        (group.body_id,),
    ).fetchone()
    if body is None:  # a damaged store: the rows stay, leased time and again, and keep nobody else waiting
        return None
    return _claimed(lease, group, rows, *body)


def claim_rows(writer: Writer, lease: Lease, ids: Sequence[int]) -> list[Claimed]:
    """Lease those of these rows that nobody carries, due or not, held or not; nothing is sent under such a lease."""
    wanted = {"ids": orjson.dumps(list(ids)).decode(), "now": lease.now}
    found = list(
        writer.db.execute(
            f"SELECT {_COLUMNS}, lease <> '' FROM outbox WHERE id IN (SELECT value FROM json_each(:ids))"
            f" AND {NOBODY_CARRIES} ORDER BY id",
            wanted,
        )
    )
    groups: dict[tuple[_Group, int], list[ClaimedRow]] = {}
    for *row, _ in found:
        group, turn = _Group(*row[:_KEY]), 0
        while len(groups.get((group, turn), ())) >= MAX_RECIPIENTS:
            turn += 1
        groups.setdefault((group, turn), []).append(_claimed_row(row[_KEY:], 0))
    _end_leases(writer, [row[_KEY] for row in found if row[-1]])
    writer.db.execute(
        "UPDATE outbox SET lease = ?1, node = ?2, state = 'leased', by_hand = 1, next_attempt = ?3"
        " WHERE id IN (SELECT value FROM json_each(?4))",
        (lease.token, lease.node, lease.until, orjson.dumps([row[_KEY] for row in found]).decode()),
    )
    return [_letter_to_end(writer.db, lease, group, rows) for (group, _), rows in groups.items()]


def _claimed(
    lease: Lease,
    group: _Group,
    rows: list[ClaimedRow],
    size: int,
    message_id: str | None,
    header: bytes,
) -> Claimed:
    return Claimed(
        lease.token,
        group.body_id,
        group.domain,
        group.sender,
        group.ret,
        group.envid,
        message_id,
        bytes(header),
        size,
        tuple(rows),
    )
