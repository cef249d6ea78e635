"""GETMETADATA, SETMETADATA (RFC 5464 section 5) and the entries of LIST RETURN (METADATA ...) (RFC 9590)."""

from __future__ import annotations

import re

from .commands_metadata import GetMetadata, SetMetadata
from .cursor import Cursor, Malformed
from .events import Ending

MAX_ENTRIES = 64
"""Entries of one command."""

_LONGEST = 300  # octets of an entry's name
_ENTRY = re.compile(r"/(?:private|shared)(?:/[^\x00-\x19/*%\x7f-\uffff]+)*")
_DEPTHS = {"0": 0, "1": 1, "INFINITY": None}
_LEVELS = 2
_VENDOR_LEVELS = 4


def entry(cursor: Cursor, *, top: bool = False) -> str:
    """The name of an entry in lower case (RFC 5464 section 3.2); with `top` one may also be the root of others."""
    raw = cursor.astring()
    name = raw.decode("ascii", "replace").lower()
    if len(raw) > _LONGEST:
        raise Malformed("Name of the entry too long", Ending.NO, b"LIMIT")
    if _ENTRY.fullmatch(name) is None:
        raise Malformed("Not the name of an entry")
    levels = name.split("/")[1:]
    least = _VENDOR_LEVELS if levels[1:2] == ["vendor"] else _LEVELS
    if len(levels) < least and not top:
        raise Malformed("The name of the entry has too few levels")
    return name


def _options(cursor: Cursor) -> tuple[int | None, int | None]:
    """`(MAXSIZE n DEPTH d)`, the parenthesis taken already."""
    depth: int | None = 0
    max_size: int | None = None
    while True:
        name = cursor.word()
        cursor.space()
        if name == "MAXSIZE":
            max_size = cursor.number()
        elif name == "DEPTH":
            word = cursor.word()
            if word not in _DEPTHS:
                raise Malformed("DEPTH is 0, 1 or infinity")
            depth = _DEPTHS[word]
        else:
            raise Malformed("Unknown GETMETADATA option")
        if not cursor.skip(b" "):
            break
    cursor.expect(b")", "a closing parenthesis")
    return depth, max_size


def _at_options(cursor: Cursor) -> bool:
    """Are these options and no entries? An entry begins with `/`, in quotes or a literal as it may come."""
    return cursor.peek() == b"(" and cursor.text[cursor.pos + 1 : cursor.pos + 2].isalpha()


def get_metadata(cursor: Cursor) -> GetMetadata:
    """GETMETADATA; the options stand before the mailbox, or after it as in the examples of the RFC (erratum 2785)."""
    depth: int | None = 0
    max_size: int | None = None
    cursor.space()
    before = _at_options(cursor)
    if before:
        cursor.skip(b"(")
        depth, max_size = _options(cursor)
        cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    if not before and _at_options(cursor):
        cursor.skip(b"(")
        depth, max_size = _options(cursor)
        cursor.space()

    def one() -> str:
        return entry(cursor, top=depth != 0)

    entries = cursor.items(one, MAX_ENTRIES) if cursor.peek() == b"(" else [one()]
    return GetMetadata(mailbox, tuple(dict.fromkeys(entries)), depth, max_size)


def set_metadata(cursor: Cursor) -> SetMetadata:
    """SETMETADATA; of an entry named twice the last value counts."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()

    def pair() -> tuple[str, bytes | None]:
        name = entry(cursor)
        cursor.space()
        return name, cursor.value()

    return SetMetadata(mailbox, tuple(dict(cursor.items(pair, MAX_ENTRIES)).items()))


def return_entries(cursor: Cursor) -> tuple[str, ...]:
    """What follows METADATA among the return options of LIST (RFC 9590 section 5)."""
    cursor.space()
    return tuple(dict.fromkeys(cursor.items(lambda: entry(cursor), MAX_ENTRIES)))
