"""Bodies that are there already: sealed, laid open, or their keys wrapped anew, a few in each commit (OPS-5)."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from typing import Any

import apsw

from mss_gateway.ports.encryption import Goal, Work, WorkRefused
from mss_gateway.ports.records import TEXT_PART, NewBody, SpoolFile, TraceLine
from mss_gateway.ports.store import DamagedBody

from .bodies import close_parts, keep_keys, keep_text
from .encryption import (
    BODYSTRUCTURE,
    ENVELOPE,
    HEADER,
    PREVIEW,
    STRUCTURE,
    SUBJECT,
    BodySeal,
    Cipher,
    cipher_of,
)
from .engine import Writer
from .texts import stored_size
from .trace import insert_trace

KEYS_AT_ONCE = 500
"""Keys that are wrapped anew in one commit."""

BODIES_AT_ONCE = 32
"""Bodies that are sealed or laid open in one commit, fewer where they are large."""

OCTETS_AT_ONCE = 2 * 1024 * 1024
"""Octets after which no further body comes into the same commit."""


def current(db: apsw.Connection) -> Work | None:
    """The work under way."""
    row = db.execute("SELECT goal, reached, until, changed, started_at FROM encryption_work").fetchone()
    return None if row is None else Work(Goal(row[0]), *row[1:])


def begin(writer: Writer, goal: Goal, trace: TraceLine) -> Work:
    """Write work down, or go on with the same; raises `WorkRefused`."""
    db = writer.db
    _check(cipher_of(db), goal)
    known = current(db)
    if known is not None and known.goal is goal:
        return known
    if known is not None:
        raise WorkRefused(
            "under-way", f"Another work is under way: {known.goal.value}; wait until it is done"
        )
    last = int(next(db.execute("SELECT coalesce(max(id), 0) FROM bodies"))[0])
    cipher = cipher_of(db)
    active = None if cipher is None else cipher.active
    now = time.time()
    db.execute("INSERT INTO encryption_work VALUES (1, ?, ?, 0, ?, 0, ?)", (goal.value, active, last, now))
    insert_trace(db, [trace])
    return Work(goal, 0, last, 0, now)


def _check(cipher: Cipher | None, goal: Goal) -> None:
    sealing = cipher is not None and cipher.active is not None
    if goal is Goal.DECRYPT and sealing:
        raise WorkRefused(
            "encrypting",
            'New messages are being encrypted: set encryption.mode = "off" first, and keep the keys',
        )
    if goal is Goal.DECRYPT and cipher is None:
        raise WorkRefused("not-encrypted", "Nothing in this store is encrypted")
    if goal is not Goal.DECRYPT and not sealing:
        raise WorkRefused(
            "not-encrypting", 'Nothing is to be encrypted here: set encryption.mode = "on" first'
        )


def step(writer: Writer) -> Work | None:
    """One commit's part of the work under way; None when there is none. At its end the work is forgotten."""
    db = writer.db
    cipher = cipher_of(db)
    if cipher is None:
        return None
    # Under another newest key than the one it was begun with, the work begins again.
    db.execute(
        "UPDATE encryption_work SET reached = 0, until = (SELECT coalesce(max(id), 0) FROM bodies), key_id = ?1"
        " WHERE key_id IS NOT ?1",
        (cipher.active,),
    )
    work = current(db)
    if work is None:
        return None
    try:
        _check(cipher, work.goal)
    except WorkRefused:  # the configuration says otherwise since: nothing is done against it
        db.execute("DELETE FROM encryption_work")
        return None
    if work.goal is Goal.ROTATE:
        reached, changed = _rewrap(db, cipher, work)
    else:
        reached, changed = _convert(writer, cipher, work)
    if reached >= work.until:
        _receipts(db, cipher, work.goal)
        db.execute("DELETE FROM encryption_work")
    else:
        db.execute("UPDATE encryption_work SET reached = ?, changed = changed + ?", (reached, changed))
    return Work(work.goal, reached, work.until, work.changed + changed, work.started_at)


def _rewrap(db: apsw.Connection, cipher: Cipher, work: Work) -> tuple[int, int]:
    rows = list(
        db.execute(
            "SELECT body_id, key_id, wrapped FROM body_keys WHERE body_id > ? AND body_id <= ?"
            " ORDER BY body_id LIMIT ?",
            (work.reached, work.until, KEYS_AT_ONCE),
        )
    )
    changed = []
    for body_id, key_id, wrapped in rows:
        if key_id == cipher.active:
            continue
        try:
            keys = cipher.unwrap(body_id, key_id, wrapped).keys
        except DamagedBody:
            continue  # its master key stays known, and `verify` names it
        changed.append((*cipher.wrap(body_id, keys), body_id))
    db.executemany("UPDATE body_keys SET key_id = ?, wrapped = ? WHERE body_id = ?", changed)
    return (rows[-1][0] if len(rows) == KEYS_AT_ONCE else work.until), len(changed)


def _convert(writer: Writer, cipher: Cipher, work: Work) -> tuple[int, int]:
    wanted = "IS NULL" if work.goal is Goal.ENCRYPT else "IS NOT NULL"
    ids = [
        body_id
        for (body_id,) in writer.db.execute(
            "SELECT b.id FROM bodies AS b LEFT JOIN body_keys AS k ON k.body_id = b.id"
            f" WHERE b.id > ? AND b.id <= ? AND k.wrapped {wanted} ORDER BY b.id LIMIT ?",
            (work.reached, work.until, BODIES_AT_ONCE),
        )
    ]
    octets = changed = 0
    for body_id in ids:
        try:
            octets += _convert_one(writer, cipher, body_id)
            changed += 1
        except DamagedBody:
            continue  # it stays as it is, and `verify` names it
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
        if octets > OCTETS_AT_ONCE:
            return body_id, changed
    return (ids[-1] if len(ids) == BODIES_AT_ONCE else work.until), changed


_COLUMNS = (
    "SELECT b.size, b.header_size, b.segment, b.segment_offset, x.header, x.text, b.envelope, b.bodystructure,"
    " b.structure, b.subject_base, b.preview, k.key_id, k.wrapped FROM bodies AS b JOIN body_bytes AS x ON x.id = b.id"
    " LEFT JOIN body_keys AS k ON k.body_id = b.id WHERE b.id = ?"
)


def _convert_one(writer: Writer, cipher: Cipher, body_id: int) -> int:
    """Seal a body that lies in the clear, lay a sealed one open; return its octets."""
    db = writer.db
    row = db.execute(_COLUMNS, (body_id,)).fetchone()
    if row is None:
        return 0
    size, header_size, segment = row[:3]
    old = None if row[-1] is None else cipher.unwrap(body_id, row[-2], row[-1])
    body, preview = _opened(writer, cipher, body_id, row, old)
    fresh = BodySeal.fresh() if old is None else None
    text, new_segment, new_offset, fresh = keep_text(writer, body.text, fresh)
    if preview is not None and fresh is not None:
        preview = fresh.parts.close(PREVIEW, str(preview).encode())
    header, *derived = close_parts(fresh, body)
    db.execute(
        "UPDATE bodies SET envelope = ?, bodystructure = ?, structure = ?, subject_base = ?, preview = ?, segment = ?,"
        " segment_offset = ? WHERE id = ?",
        (*derived, preview, new_segment, new_offset, body_id),
    )
    db.execute("UPDATE body_bytes SET header = ?, text = ? WHERE id = ?", (header, text, body_id))
    db.execute("DELETE FROM body_keys WHERE body_id = ?", (body_id,))
    if fresh is not None:
        keep_keys(db, cipher, body_id, fresh)
    if segment is not None:
        # The file itself goes later: a reader may have looked where the text lies just before this commit.
        writer.segments.drain(segment)
        gone = stored_size(size - header_size, sealed=old is not None)
        db.execute("UPDATE segments SET live = live - ? WHERE id = ?", (gone, segment))
    return int(size)


def _opened(
    writer: Writer, cipher: Cipher, body_id: int, row: tuple[Any, ...], old: BodySeal | None
) -> tuple[NewBody, str | bytes | None]:
    """The body as it came, and its preview."""
    size, _, segment, _, header, text, envelope, bodystructure, structure, subject, preview = row[:11]

    def part(number: int, octets: Any) -> Any:
        return octets if old is None else cipher.open_part(number, body_id, row[-2], row[-1], octets)

    def words(number: int, value: Any) -> Any:
        return value if old is None or value is None else part(number, value).decode()

    whole: bytes | SpoolFile = part(TEXT_PART, text) if segment is None else _stretch(writer, row, old)
    body = NewBody(
        header=part(HEADER, header),
        text=whole,
        size=size,
        digest=b"",
        envelope=part(ENVELOPE, envelope),
        bodystructure=part(BODYSTRUCTURE, bodystructure),
        structure=part(STRUCTURE, structure),
        subject_base=words(SUBJECT, subject),
    )
    return body, words(PREVIEW, preview)


def _stretch(writer: Writer, row: tuple[Any, ...], old: BodySeal | None) -> SpoolFile:
    size, header_size, segment, offset = row[:4]
    key = None if old is None else old.text_key
    return SpoolFile(writer.segments.path(segment), offset, size - header_size, key)


def _receipts(db: apsw.Connection, cipher: Cipher, goal: Goal) -> None:
    """Headers that receipts will quote, those too that a restore keeps back: the same is done to them."""
    for number, body_id, header, key_id, wrapped in _quoted(db):
        try:
            opened = cipher.open_part(HEADER, body_id, key_id, wrapped, header)
        except DamagedBody:
            continue
        values: tuple[bytes | None, int | None, bytes | None] = (opened, None, None)
        if goal is not Goal.DECRYPT:
            seal = BodySeal.fresh()
            values = (seal.parts.close(HEADER, opened or b""), *cipher.wrap(body_id, seal.keys))
        db.execute("UPDATE receipts SET header = ?, key_id = ?, wrapped = ? WHERE id = ?", (*values, number))


def _quoted(db: apsw.Connection) -> Iterator[tuple[int, int, bytes, int | None, bytes | None]]:
    rows: Any = db.execute(
        "SELECT id, body_id, header, key_id, wrapped FROM receipts WHERE header IS NOT NULL"
    ).fetchall()
    yield from rows
