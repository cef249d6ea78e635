"""Bodies: metadata apart from octets, octets inline or in a segment, counted references."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import apsw
import orjson

from mss_gateway.ports.records import NewBody, SpoolFile

from .engine import Writer, one
from .segments import Segments


def insert_body(writer: Writer, body: NewBody, refs: int) -> int:
    """Keep a body with its number of references; return its id."""
    db = writer.db
    segment: int | None = None
    offset: int | None = None
    inline: bytes | None = None
    if isinstance(body.text, bytes) and len(body.text) <= writer.options.inline_limit:
        inline = body.text
    elif isinstance(body.text, SpoolFile) and body.text.size <= writer.options.inline_limit:
        inline = _read_spool(body.text)
    else:
        segment, offset = writer.segments.store(db, body.text)
    db.execute(
        "INSERT INTO bodies (refs, size, header_size, digest, envelope, bodystructure, structure, message_id,"
        " subject_base, sent_at, segment, segment_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            refs,
            body.size,
            len(body.header),
            body.digest,
            body.envelope,
            body.bodystructure,
            body.structure,
            body.message_id,
            body.subject_base,
            body.sent_at,
            segment,
            offset,
        ),
    )
    body_id = db.last_insert_rowid()
    db.execute("INSERT INTO body_bytes VALUES (?, ?, ?)", (body_id, body.header, inline))
    return body_id


def _read_spool(text: SpoolFile) -> bytes:
    with text.path.open("rb") as file:
        file.seek(text.offset)
        data = file.read(text.size)
    if len(data) != text.size:
        raise OSError("the spool file is shorter than announced")
    return data


def release(writer: Writer, body_id: int, count: int = 1) -> None:
    """Drop references; the last one takes the octets along."""
    db = writer.db
    row = db.execute(
        "UPDATE bodies SET refs = refs - ? WHERE id = ? RETURNING refs, segment, size - header_size",
        (count, body_id),
    ).fetchone()
    if row is None or row[0] > 0:
        return
    _, segment, octets = row
    db.execute("DELETE FROM bodies WHERE id = ?", (body_id,))
    db.execute("DELETE FROM body_bytes WHERE id = ?", (body_id,))
    db.execute("DELETE FROM exchanges WHERE body_id = ?", (body_id,))
    db.execute("DELETE FROM receipts WHERE body_id = ? AND state = 'due'", (body_id,))  # never opened
    if segment is None:
        return
    live = db.execute(
        "UPDATE segments SET live = live - ? WHERE id = ? RETURNING live", (octets, segment)
    ).fetchone()
    if live is not None and live[0] <= 0 and segment != writer.segments.current:
        db.execute("DELETE FROM segments WHERE id = ?", (segment,))
        writer.segments.doom(segment)


def keep_previews(writer: Writer, previews: Mapping[int, str]) -> None:
    """Write down the first words of bodies (RFC 8970); those that have gone are passed over."""
    writer.db.executemany(
        "UPDATE bodies SET preview = ? WHERE id = ?", [(text, body_id) for body_id, text in previews.items()]
    )


def read_text(db: apsw.Connection, segments: Segments, body_id: int, offset: int, size: int) -> bytes:
    """Octets of a text; shorter at its end, empty when the body has gone."""
    row = db.execute(
        "SELECT segment, segment_offset, size - header_size FROM bodies WHERE id = ?", (body_id,)
    ).fetchone()
    if row is None:
        return b""
    segment, start, whole = row
    size = max(0, min(size, whole - offset))
    if segment is not None:
        try:
            return segments.read(segment, start + offset, size)
        except FileNotFoundError:
            return b""  # expunged by a commit that came after this snapshot
    text = one(db.execute("SELECT text FROM body_bytes WHERE id = ?", (body_id,)))
    return bytes(text[offset : offset + size])


def read_texts(
    db: apsw.Connection, segments: Segments, body_ids: Sequence[int], limit: int
) -> dict[int, bytes]:
    """Whole texts of those bodies whose text is at most `limit` octets."""
    found: dict[int, bytes] = {}
    rows = db.execute(
        "SELECT b.id, b.segment, b.segment_offset, b.size - b.header_size, x.text FROM json_each(?1) AS j"
        " CROSS JOIN bodies AS b ON b.id = j.value JOIN body_bytes AS x ON x.id = b.id"
        " WHERE b.size - b.header_size <= ?2",
        (orjson.dumps(list(set(body_ids))).decode(), limit),
    )
    for body_id, segment, start, size, text in rows:
        with contextlib.suppress(FileNotFoundError):  # expunged by a commit that came after this snapshot
            found[body_id] = segments.read(segment, start, size) if segment is not None else text
    return found
