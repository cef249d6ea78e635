"""Every body of the store read as a session reads it, and held against the digest it was accepted with (RTE-7)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import apsw

from mss_gateway.ports.store import DamagedBody

from .backup import Report
from .backup_pace import Pace
from .bodies import read_header, read_text
from .segments import Segments

BATCH = 64
"""Bodies of one read transaction: short ones, so that the WAL is not kept from being written back."""

PIECE = 4 * 1024 * 1024
"""Octets of a large text that are read at once."""

_REMEDY = (
    "the message cannot be read: restore a backup to another folder and bring it over with `mailbox export`"
)


class Finding(NamedTuple):
    """One thing that is wrong: which check, which row, what it means, what to do."""

    check: str
    row: str
    what: str
    next_step: str


class _Body(NamedTuple):
    id: int
    size: int
    header_size: int
    digest: bytes


_SELECT = "SELECT id, size, header_size, digest FROM bodies"


def verify_bodies(
    db: apsw.Connection, segments: Segments, pace: Pace, report: Report
) -> tuple[int, int, list[Finding]]:
    """How many bodies and octets were read, and what is wrong with them."""
    total = int(db.execute("SELECT coalesce(sum(size), 0) FROM bodies").get)
    after = count = octets = 0
    findings: list[Finding] = []
    while True:
        suspects: list[int] = []
        read = 0
        db.execute("BEGIN")
        try:
            batch = [
                _Body(*row)
                for row in db.execute(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT {BATCH}", (after,))
            ]
            for body in batch:
                if _fault(db, segments, body) is not None:
                    suspects.append(body.id)
                read += body.size
                after = body.id
                count += 1
                if read > PIECE:
                    break
        finally:
            db.execute("ROLLBACK")
        if not batch:
            return count, octets, findings
        findings += [
            found for number in suspects if (found := _second_look(db, segments, number)) is not None
        ]
        octets += read
        report("bodies", octets, total)
        pace.rest(read)


def verify_some(db: apsw.Connection, segments: Segments, ids: Iterable[int]) -> list[Finding]:
    """What is wrong with these bodies; those that are gone are passed over."""
    return [found for number in ids if (found := _second_look(db, segments, number)) is not None]


def _second_look(db: apsw.Connection, segments: Segments, body_id: int) -> Finding | None:
    """Once more in another snapshot: what was expunged meanwhile is no finding."""
    db.execute("BEGIN")
    try:
        row = db.execute(f"{_SELECT} WHERE id = ?", (body_id,)).fetchone()
        what = None if row is None else _fault(db, segments, _Body(*row))
        if what is None:
            return None
        places = db.execute(
            "SELECT f.box_id, f.id, m.uid FROM messages AS m JOIN folders AS f ON f.id = m.folder_id"
            " WHERE m.body_id = ? LIMIT 3",
            (body_id,),
        )
        where = "".join(f", BAL number {number} folder {folder} UID {uid}" for number, folder, uid in places)
    finally:
        db.execute("ROLLBACK")
    return Finding("body", f"body {body_id}{where}", what, _REMEDY)


def _fault(db: apsw.Connection, segments: Segments, body: _Body) -> str | None:
    """What is wrong with a body, None when nothing is."""
    try:
        header = read_header(db, body.id)
        if header is None:
            return "its octets are not there"
        if len(header) != body.header_size:
            return "its header has not the length it was accepted with"
        text, at, size = sha256(), 0, body.size - body.header_size
        while at < size:
            piece = read_text(db, segments, body.id, at, min(PIECE, size - at))
            if not piece:
                return "the file of its octets is missing or cut"
            text.update(piece)
            at += len(piece)
    except DamagedBody:
        return "it cannot be decrypted: it was changed, or its key is another one"
    except (OSError, TypeError) as error:
        return f"its octets cannot be read ({type(error).__name__})"
    if sha256(sha256(header).digest() + text.digest()).digest() != body.digest:
        return "its octets are not those that were accepted: they were changed"
    return None
