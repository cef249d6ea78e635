"""What the index reads of the store: what came into a folder and what went, and the octets of bodies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import apsw
import orjson

from mss_gateway.mail.plaintext import IndexText, index_text
from mss_gateway.ports.filetext import FileText
from mss_gateway.ports.records import TEXT_PART
from mss_gateway.ports.sealing import Seal, SealBroken
from mss_gateway.ports.store import DamagedBody

from .encryption import HEADER, STRUCTURE, cipher_of, key_join, opened
from .expunges import vanished_since
from .index_file import Known
from .segments import Segments


class FolderHead(NamedTuple):
    """One folder as the store has it."""

    id: int
    uid_next: int
    modseq: int
    forgotten: int = 0


class Step(NamedTuple):
    """What is new to the index in one folder, of one snapshot, and how far the folder is with it."""

    added: list[tuple[int, int]]  # UID, body id
    vanished: list[int]
    reached: Known

    def before(self, body_ids: set[int]) -> Step:
        """The same step as far as the first message with one of those bodies, which is not the first of all."""
        added = list(takewhile(lambda pair: pair[1] not in body_ids, self.added))
        return Step(added, self.vanished, Known(added[-1][0], self.reached.modseq))


class Octets(NamedTuple):
    """A body to be read: its header and part table, its text or where that lies."""

    body_id: int
    header: bytes
    structure: bytes
    text: bytes | None
    path: Path | None
    offset: int
    size: int
    seal: Seal | None = None  # of a text in a segment


def box_of(db: apsw.Connection, folder_id: int) -> int | None:
    """The box of a folder, None when the folder has gone."""
    row = db.execute("SELECT box_id FROM folders WHERE id = ?", (folder_id,)).fetchone()
    return None if row is None else int(row[0])


def heads(db: apsw.Connection, box_id: int) -> list[FolderHead]:
    """The folders of a box."""
    sql = "SELECT id, uid_next, highest_modseq, forgotten FROM folders WHERE box_id = ?"
    return [FolderHead(*row) for row in db.execute(sql, (box_id,))]


def is_of_another_past(head: FolderHead, known: Known | None) -> bool:
    """True when the index knows more than the store: the store was restored, and may give the same UIDs again; or when
    it is so far behind that what has vanished since is forgotten."""
    return known is not None and (
        known.decided >= head.uid_next or known.modseq > head.modseq or known.modseq < head.forgotten
    )


def step(db: apsw.Connection, folder_id: int, known: Known, limit: int) -> Step | None:
    """Up to `limit` messages that came, and all that went, since the index was there; None without the folder."""
    row = db.execute(
        "SELECT uid_next, highest_modseq, forgotten FROM folders WHERE id = ?", (folder_id,)
    ).fetchone()
    if row is None:
        return None
    added = list(
        db.execute(
            "SELECT uid, body_id FROM messages WHERE folder_id = ? AND uid > ? ORDER BY uid LIMIT ?",
            (folder_id, known.decided, limit),
        )
    )
    gone = vanished_since(db, folder_id, known.modseq, row[2]) if known.decided else ()
    decided = added[-1][0] if len(added) == limit else row[0] - 1
    return Step(added, [uid for uid in gone if uid <= known.decided], Known(decided, row[1]))


def octets(db: apsw.Connection, segments: Segments, body_ids: Sequence[int]) -> list[Octets]:
    """Bodies with their small texts; large ones as the place where they lie. What is damaged has no words."""
    if cipher_of(db) is None:
        return _octets(db, segments, body_ids)
    found: list[Octets] = []
    for body_id in body_ids:
        try:
            found += _octets(db, segments, [body_id])
        except DamagedBody:
            found.append(Octets(body_id, b"\r\n", b"", b"", None, 0, 0))
    return found


def _octets(db: apsw.Connection, segments: Segments, body_ids: Sequence[int]) -> list[Octets]:
    keys = key_join(db, "b.id")
    cipher = cipher_of(db)
    rows = db.execute(
        f"SELECT b.id, {opened(keys, HEADER, 'x.header')}, {opened(keys, STRUCTURE, 'b.structure')}, b.segment,"
        f" b.segment_offset, b.size - b.header_size, {opened(keys, TEXT_PART, 'x.text')},"
        f" {'k.key_id, k.wrapped' if keys else 'NULL, NULL'}"
        " FROM json_each(?1) AS j CROSS JOIN bodies AS b ON b.id = j.value JOIN body_bytes AS x ON x.id = b.id"
        f"{keys}",
        (orjson.dumps(list(body_ids)).decode(),),
    )
    found = []
    for body, header, structure, segment, start, size, text, key_id, wrapped in rows:
        if segment is None:
            found.append(Octets(body, header, structure, text, None, 0, size))
            continue
        seal = None if cipher is None or wrapped is None else cipher.unwrap(body, key_id, wrapped).text
        found.append(Octets(body, header, structure, None, segments.path(segment), start, size, seal))
    return found


def text_of(body: Octets, cap: int) -> IndexText:
    """The searched text of a body; one whose file has just gone has none but its header's."""
    if body.path is None:
        return index_text(body.header, body.structure, body.text or b"", cap)
    try:
        fd = os.open(body.path, os.O_RDONLY)
    except FileNotFoundError:
        return index_text(body.header, b"", b"", cap)
    try:
        return index_text(body.header, body.structure, FileText(fd, body.offset, body.size, body.seal), cap)
    except SealBroken:
        return index_text(body.header, b"", b"", cap)
    finally:
        os.close(fd)
