"""The part table stored with a message: body parts are found again without parsing (RFC 9051 section 6.4.5)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from mss_gateway.base.errors import InvalidValue

from .mime import token
from .structure import LEAF, MESSAGE, MULTIPART, MimePart

_VERSION = 1
_HEAD = struct.Struct("<BII")  # version, octets of the header, octets of the text
_ROW = struct.Struct("<BBBIII")  # kind, encoding, depth, start, body, end


class Encoding(IntEnum):
    """How the content of a part is encoded (RFC 2045 section 6), for IMAP BINARY."""

    IDENTITY = 0  # 7bit, 8bit, binary or unsaid
    BASE64 = 1
    QUOTED_PRINTABLE = 2
    UNKNOWN = 3


_ENCODINGS = {
    **dict.fromkeys((b"7bit", b"8bit", b"binary"), Encoding.IDENTITY),
    b"base64": Encoding.BASE64,
    b"quoted-printable": Encoding.QUOTED_PRINTABLE,
}


class PartRow(NamedTuple):
    """One part in document order; offsets in the text as in `structure.MimePart`."""

    kind: int
    encoding: int
    depth: int
    start: int
    body: int
    end: int


class PartTable(NamedTuple):
    """All parts of a message, and how long its two halves are in octets."""

    header_size: int
    text_size: int
    rows: tuple[PartRow, ...]


class Span(NamedTuple):
    """Octets `start` up to `end` of the header block (`in_header`) or of the text."""

    in_header: bool
    start: int
    end: int


def dump_parts(root: MimePart, header_size: int, text_size: int) -> bytes:
    """Return the table as bytes: 9 octets and 15 for each part."""
    out = [_HEAD.pack(_VERSION, header_size, text_size)]
    pending = [root]
    while pending:
        part = pending.pop()
        named = part.header.first(b"content-transfer-encoding")
        encoding = Encoding.IDENTITY
        if named:
            encoding = _ENCODINGS.get(token(named) or b"7bit", Encoding.UNKNOWN)
        out.append(_ROW.pack(part.kind, encoding, part.depth, part.start, part.body, part.end))
        if part.children:
            pending.extend(reversed(part.children))
    return b"".join(out)


def load_parts(data: bytes) -> PartTable:
    """Return the table that `dump_parts` wrote; raise `InvalidValue` when it is not one."""
    if len(data) < _HEAD.size + _ROW.size or data[0] != _VERSION or (len(data) - _HEAD.size) % _ROW.size:
        raise InvalidValue("the part table is damaged", "part-table")
    _, header_size, text_size = _HEAD.unpack_from(data)
    rows = tuple(PartRow._make(row) for row in _ROW.iter_unpack(data[_HEAD.size :]))
    return PartTable(header_size, text_size, rows)


def _child(rows: tuple[PartRow, ...], index: int, number: int) -> int | None:
    """The child of that number; rows after it are not looked at, so a whole path looks at each row once."""
    depth = rows[index].depth + 1
    for at in range(index + 1, len(rows)):
        if rows[at].depth < depth:
            return None
        if rows[at].depth == depth:
            number -= 1
            if not number:
                return at
    return None


def _find(table: PartTable, path: Sequence[int]) -> int | None:
    """The row that a part number names; a message that is no multipart has the one part 1."""
    rows = table.rows
    index = 0
    scope = 0  # the root of the message the next number counts in, or a multipart
    for level, number in enumerate(path):
        if rows[scope].kind == MULTIPART:
            child = _child(rows, scope, number)
            if child is None:
                return None
            index = child
        elif number == 1 and (level == 0 or rows[index].kind == MESSAGE):
            index = scope
        else:
            return None
        if rows[index].kind == LEAF and level + 1 < len(path):
            return None
        scope = index + 1 if rows[index].kind == MESSAGE else index
    return index


def find_part(table: PartTable, path: Sequence[int]) -> PartRow | None:
    """Return the row of a part number such as (1, 2), or None when there is no such part."""
    index = _find(table, path)
    return None if index is None else table.rows[index]


def locate_path(table: PartTable, path: Sequence[int], what: str = "") -> tuple[Span, ...] | None:
    """Return the spans of a section: `what` is empty, HEADER, TEXT or MIME; None when there is none.

    HEADER and TEXT name the whole message when `path` is empty, a nested message otherwise.
    """
    whole = (Span(True, 0, table.header_size), Span(False, 0, table.text_size))
    if not path:
        return {"": whole, "HEADER": whole[:1], "TEXT": whole[1:]}.get(what)
    index = _find(table, path)
    if index is None:
        return None
    row = table.rows[index]
    if what == "":
        return (Span(False, row.body, row.end),)
    if what == "MIME":
        return whole[:1] if index == 0 else (Span(False, row.start, row.body),)
    if row.kind != MESSAGE:
        return None
    nested = table.rows[index + 1]
    if what == "HEADER":
        return (Span(False, nested.start, nested.body),)
    return (Span(False, nested.body, nested.end),) if what == "TEXT" else None
