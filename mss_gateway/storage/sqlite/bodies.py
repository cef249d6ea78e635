"""Bodies: metadata apart from octets, octets inline or in a segment, counted references."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import apsw
import orjson

from mss_gateway.ports.records import TEXT_PART, NewBody, SpoolFile
from mss_gateway.ports.sealing import SealBroken
from mss_gateway.ports.store import DamagedBody

from .encryption import (
    BODYSTRUCTURE,
    ENVELOPE,
    HEADER,
    OPENED_OR_NULL,
    PREVIEW,
    STRUCTURE,
    SUBJECT,
    BodySeal,
    Cipher,
    cipher_of,
    key_join,
    opened,
    sealing_cipher,
)
from .engine import Writer, one
from .segments import Segments
from .texts import pieces_of, size_of, stored_size


def insert_body(writer: Writer, body: NewBody, refs: int) -> int:
    """Keep a body with its number of references, sealed when the store is told so; return its id."""
    db = writer.db
    cipher = sealing_cipher(db)
    text, segment, offset, seal = keep_text(writer, body.text, None if cipher is None else BodySeal.fresh())
    header, envelope, bodystructure, structure, subject = close_parts(seal, body)
    db.execute(
        "INSERT INTO bodies (refs, size, header_size, digest, envelope, bodystructure, structure, message_id,"
        " subject_base, sent_at, segment, segment_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            refs,
            body.size,
            len(body.header),
            body.digest,
            envelope,
            bodystructure,
            structure,
            body.message_id,
            subject,
            body.sent_at,
            segment,
            offset,
        ),
    )
    body_id = db.last_insert_rowid()
    db.execute("INSERT INTO body_bytes VALUES (?, ?, ?)", (body_id, header, text))
    if cipher is not None and seal is not None:
        keep_keys(db, cipher, body_id, seal)
    return body_id


def keep_keys(db: apsw.Connection, cipher: Cipher, body_id: int, seal: BodySeal) -> None:
    """Write the keys of a body down, wrapped."""
    db.execute("INSERT INTO body_keys VALUES (?, ?, ?)", (body_id, *cipher.wrap(body_id, seal.keys)))


def keep_text(
    writer: Writer, text: bytes | SpoolFile, seal: BodySeal | None
) -> tuple[bytes | None, int | None, int | None, BodySeal | None]:
    """Where a text lies from now on: its octets for the row, else segment and offset, and the seal it got."""
    size = size_of(text)
    if size <= writer.options.inline_limit:
        octets = text if isinstance(text, bytes) else b"".join(pieces_of(text))
        return (octets if seal is None else seal.parts.close(TEXT_PART, octets)), None, None, seal
    taken = seal is not None and writer.segments.takes_over(text, sealed=True)
    if seal is not None and taken and isinstance(text, SpoolFile) and text.key is not None:
        seal = seal.with_text(text.key)
    segment, offset = writer.segments.store(writer.db, text, None if seal is None else seal.text)
    return None, segment, offset, seal


def close_parts(seal: BodySeal | None, body: NewBody) -> tuple[bytes, bytes, bytes, bytes, bytes | str]:
    """Header, envelope, bodystructure, structure and subject as they are written down."""
    if seal is None:
        return body.header, body.envelope, body.bodystructure, body.structure, body.subject_base
    close = seal.parts.close
    return (
        close(HEADER, body.header),
        close(ENVELOPE, body.envelope),
        close(BODYSTRUCTURE, body.bodystructure),
        close(STRUCTURE, body.structure),
        close(SUBJECT, body.subject_base.encode()),
    )


def release(writer: Writer, body_id: int, count: int = 1) -> None:
    """Drop references; the last one takes the octets along, and the keys that could open them."""
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
    # Never opened, or answered; what a restore keeps back unopened neither.
    db.execute(
        "DELETE FROM receipts WHERE body_id = ? AND state IN ('due', 'restored-due', 'sent')", (body_id,)
    )
    sealed = False
    if cipher_of(db) is not None:
        sealed = bool(
            db.execute("DELETE FROM body_keys WHERE body_id = ? RETURNING 1", (body_id,)).fetchall()
        )
    if segment is None:
        return
    live = db.execute(
        "UPDATE segments SET live = live - ? WHERE id = ? RETURNING live",
        (stored_size(octets, sealed=sealed), segment),
    ).fetchone()
    if live is not None and live[0] <= 0 and not writer.segments.is_needed(segment):
        db.execute("DELETE FROM segments WHERE id = ?", (segment,))
        writer.segments.doom(segment)


def keep_previews(writer: Writer, previews: Mapping[int, str]) -> None:
    """Write down the first words of bodies (RFC 8970); those that have gone are passed over."""
    db = writer.db
    cipher = cipher_of(db)
    rows: list[tuple[str | bytes, int]] = []
    for body_id, text in previews.items():
        seal = None if cipher is None else _seal_of(db, cipher, body_id)
        rows.append((text if seal is None else seal.parts.close(PREVIEW, text.encode()), body_id))
    # Sealed once: two texts must not be sealed under one nonce.
    db.executemany("UPDATE bodies SET preview = ? WHERE id = ? AND preview IS NULL", rows)


def _seal_of(db: apsw.Connection, cipher: Cipher, body_id: int) -> BodySeal | None:
    row = db.execute("SELECT key_id, wrapped FROM body_keys WHERE body_id = ?", (body_id,)).fetchone()
    return None if row is None else cipher.unwrap(body_id, *row)


class Stored(NamedTuple):
    """Where the text of a body lies: in a segment from an offset on, else in the row; and how it is sealed."""

    body_id: int
    segment: int | None
    start: int
    size: int
    seal: BodySeal | None

    def read(self, segments: Segments, offset: int, size: int) -> bytes:
        """Octets of a text in a segment; raises `DamagedBody`, FileNotFoundError when the segment has gone."""
        segment, start = self.segment or 0, self.start
        if self.seal is None:
            return segments.read(segment, start + offset, size)
        try:
            return self.seal.text.open_range(
                TEXT_PART,
                self.size,
                offset,
                size,
                lambda at, octets: segments.read(segment, start + at, octets),
            )
        except SealBroken:
            raise DamagedBody(self.body_id) from None


def _stored(db: apsw.Connection, body_id: int) -> Stored | None:
    cipher = cipher_of(db)
    row = db.execute(
        "SELECT segment, segment_offset, size - header_size FROM bodies WHERE id = ?", (body_id,)
    ).fetchone()
    if row is None:
        return None
    segment, start, size = row
    return Stored(body_id, segment, start, size, None if cipher is None else _seal_of(db, cipher, body_id))


def read_text(db: apsw.Connection, segments: Segments, body_id: int, offset: int, size: int) -> bytes:
    """Octets of a text; shorter at its end, empty when the body has gone. Raises `DamagedBody`."""
    stored = _stored(db, body_id)
    if stored is None:
        return b""
    size = max(0, min(size, stored.size - offset))
    if stored.segment is not None:
        try:
            return stored.read(segments, offset, size)
        except FileNotFoundError:
            return b""  # expunged by a commit that came after this snapshot
    text = one(db.execute("SELECT text FROM body_bytes WHERE id = ?", (body_id,)))
    if stored.seal is not None:
        try:
            text = stored.seal.text.open(TEXT_PART, text)
        except SealBroken:
            raise DamagedBody(body_id) from None
    return bytes(text[offset : offset + size])


def read_texts(
    db: apsw.Connection, segments: Segments, body_ids: Sequence[int], limit: int
) -> dict[int, bytes]:
    """Whole texts of those bodies whose text is at most `limit` octets; what is damaged is left out."""
    found: dict[int, bytes] = {}
    cipher = cipher_of(db)
    join = key_join(db, "b.id")
    rows = db.execute(
        "SELECT b.id, b.segment, b.segment_offset, b.size - b.header_size,"
        f" {opened(join, TEXT_PART, 'x.text', OPENED_OR_NULL)}, {'k.key_id, k.wrapped' if join else 'NULL, NULL'}"
        " FROM json_each(?1) AS j"
        f" CROSS JOIN bodies AS b ON b.id = j.value JOIN body_bytes AS x ON x.id = b.id{join}"
        " WHERE b.size - b.header_size <= ?2",
        (orjson.dumps(list(set(body_ids))).decode(), limit),
    )
    for body_id, segment, start, size, text, key_id, wrapped in rows:
        if segment is None:
            if text is not None:
                found[body_id] = text
            continue
        # A file that is not there was expunged by a commit that came after this snapshot.
        with contextlib.suppress(FileNotFoundError, DamagedBody):
            seal = None if cipher is None or wrapped is None else cipher.unwrap(body_id, key_id, wrapped)
            found[body_id] = Stored(body_id, segment, start, size, seal).read(segments, 0, size)
    return found


def read_header(db: apsw.Connection, body_id: int) -> bytes | None:
    """The header block of a body, None when the body has gone; raises `DamagedBody`."""
    join = key_join(db, "x.id")
    row = db.execute(
        f"SELECT {opened(join, HEADER, 'x.header')} FROM body_bytes AS x{join} WHERE x.id = ?", (body_id,)
    ).fetchone()
    return None if row is None else bytes(row[0])
