"""Commands on messages: FETCH, STORE, COPY, MOVE, UID EXPUNGE (RFC 9051 sections 6.4.5 to 6.4.9)."""

from __future__ import annotations

import re
from dataclasses import replace

from .commands import Copy, Expunge, Fetch, Move, Store, StoreMode
from .cursor import Cursor, Malformed
from .fetchitems import Attribute, BinarySection, BinarySize, BodySection, FetchItem, Partial, SectionText
from .quoting import astring
from .sequence import MAX_NUMBER

MAX_ITEMS = 64
"""Items in one FETCH: each may repeat the message."""

_MAX_FIELDS = 200
_MAX_PART_DEPTH = 128  # deeper than the scanner follows
_ATT = re.compile(rb"[A-Za-z0-9.]+")
_PART = re.compile(rb"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*")
_FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,200}")
_PARTIAL = re.compile(rb"<([0-9]{1,10})\.([1-9][0-9]{0,9})>")

_FAST = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
_MACROS: dict[str, tuple[FetchItem, ...]] = {
    "FAST": _FAST,
    "ALL": (*_FAST, Attribute.ENVELOPE),
    "FULL": (*_FAST, Attribute.ENVELOPE, Attribute.BODY),
}
_SECTIONS = {member.value: member for member in SectionText if member.value}
_PLAIN: dict[str, FetchItem] = {item.value.decode("ascii"): item for item in Attribute}
_PLAIN["RFC822"] = BodySection(b"RFC822")
_PLAIN["RFC822.HEADER"] = BodySection(b"RFC822.HEADER", text=SectionText.HEADER, peek=True)
_PLAIN["RFC822.TEXT"] = BodySection(b"RFC822.TEXT", text=SectionText.TEXT)


def _part(cursor: Cursor) -> tuple[tuple[int, ...], bytes]:
    found = _PART.match(cursor.text, cursor.pos)
    if found is None:
        return (), b""
    cursor.pos = found.end()
    path = tuple(int(number) for number in found.group().split(b"."))
    if len(path) > _MAX_PART_DEPTH:
        raise Malformed("Part number too deep")
    return path, found.group()


def _field(cursor: Cursor) -> bytes:
    name = cursor.astring()
    if _FIELD.fullmatch(name) is None:
        raise Malformed("Not a header field name")
    return name


def _partial(cursor: Cursor) -> Partial | None:
    if cursor.peek() != b"<":
        return None
    found = _PARTIAL.match(cursor.text, cursor.pos)
    if found is None:
        raise Malformed("Expected <offset.length>")
    cursor.pos = found.end()
    return Partial(int(found.group(1)), int(found.group(2)))


def _origin(partial: Partial | None) -> bytes:
    return b"" if partial is None else b"<%d>" % partial.offset


def _body_section(cursor: Cursor, peek: bool) -> BodySection:
    path, shown = _part(cursor)
    text = SectionText.WHOLE
    if cursor.peek() != b"]":
        if path:
            cursor.expect(b".", "a dot")
        named = _SECTIONS.get(cursor.word())
        if named is None or (named is SectionText.MIME and not path):
            raise Malformed("Unknown section")
        text = named
    fields: tuple[str, ...] = ()
    if text.value:
        shown = (shown + b"." if shown else b"") + text.value.encode("ascii")
    if text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        cursor.space()
        names = cursor.items(lambda: _field(cursor), _MAX_FIELDS)
        fields = tuple(dict.fromkeys(name.decode("ascii").lower() for name in names))
        shown += b" (%b)" % b" ".join([astring(name) for name in names])
    cursor.expect(b"]", "a closing bracket")
    partial = _partial(cursor)
    return BodySection(b"BODY[%b]%b" % (shown, _origin(partial)), path, text, fields, partial, peek)


def _binary(cursor: Cursor, name: str) -> FetchItem:
    path, shown = _part(cursor)
    cursor.expect(b"]", "a closing bracket")
    if name == "BINARY.SIZE":
        return BinarySize(b"BINARY.SIZE[%b]" % shown, path)
    partial = _partial(cursor)
    label = b"BINARY[%b]%b" % (shown, _origin(partial))
    return BinarySection(label, path, partial, name == "BINARY.PEEK")


def _item(cursor: Cursor) -> FetchItem:
    found = _ATT.match(cursor.text, cursor.pos)
    if found is None:
        raise Malformed("Expected a FETCH item")
    cursor.pos = found.end()
    name = found.group().decode("ascii").upper()
    if cursor.skip(b"["):
        if name in ("BODY", "BODY.PEEK"):
            return _body_section(cursor, name == "BODY.PEEK")
        if name in ("BINARY", "BINARY.PEEK", "BINARY.SIZE"):
            return _binary(cursor, name)
        raise Malformed("Unknown FETCH item")
    plain = _PLAIN.get(name)
    if plain is None:
        raise Malformed("Unknown FETCH item")
    if plain is Attribute.PREVIEW and cursor.skip(b" ("):
        return _preview(cursor)
    return plain


def _preview(cursor: Cursor) -> FetchItem:
    """The modifiers of PREVIEW: LAZY is the only one (RFC 8970 section 4)."""
    while True:
        if cursor.word() != "LAZY":
            raise Malformed("Unknown PREVIEW modifier")
        if not cursor.skip(b" "):
            break
    cursor.expect(b")", "a closing parenthesis")
    return Attribute.PREVIEW_LAZY


def _items(cursor: Cursor) -> tuple[FetchItem, ...]:
    if cursor.peek() == b"(":
        return tuple(dict.fromkeys(cursor.items(lambda: _item(cursor), MAX_ITEMS)))
    found = _ATT.match(cursor.text, cursor.pos)
    macro = _MACROS.get(found.group().decode("ascii").upper()) if found is not None else None
    if found is not None and macro is not None:
        cursor.pos = found.end()
        return macro
    return (_item(cursor),)


def fetch_attributes(cursor: Cursor) -> tuple[FetchItem, ...]:
    """Items between parentheses, without macros: what NOTIFY and UPDATE send of new messages (RFC 5465 section 8).

    What is told unasked has not been read: nothing becomes `\\Seen` by it.
    """

    def unmarking() -> FetchItem:
        item = _item(cursor)
        return replace(item, peek=True) if isinstance(item, BodySection | BinarySection) else item

    return tuple(dict.fromkeys(cursor.items(unmarking, MAX_ITEMS)))


_WINDOW = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})(?=[ )])")


def _window(cursor: Cursor) -> tuple[int, int]:
    """`1:100` or `-1:-100` (RFC 9394 section 4)."""
    found = _WINDOW.match(cursor.text, cursor.pos)
    if found is None or found.group(1) != found.group(3):
        raise Malformed("Expected a PARTIAL range such as 1:100 or -1:-100")
    cursor.pos = found.end()
    first, last = int(found.group(2)), int(found.group(4))
    if max(first, last) > MAX_NUMBER:
        raise Malformed("PARTIAL range above 32 bits")
    return (-first, -last) if found.group(1) else (first, last)


def _modifiers(cursor: Cursor) -> dict[str, int | tuple[int, int] | bool]:
    """CHANGEDSINCE, VANISHED and PARTIAL, each at most once."""
    found: dict[str, int | tuple[int, int] | bool] = {}
    while True:
        name = cursor.word()
        if name in found:
            raise Malformed("A FETCH modifier came twice")
        if name == "CHANGEDSINCE":
            cursor.space()
            found[name] = cursor.number()
        elif name == "PARTIAL":
            cursor.space()
            found[name] = _window(cursor)
        elif name == "VANISHED":
            found[name] = True
        else:
            raise Malformed("Unknown FETCH modifier")
        if not cursor.skip(b" "):
            return found


def fetch(cursor: Cursor) -> Fetch:
    """FETCH with its modifiers. Asking for MODSEQ or CHANGEDSINCE turns CONDSTORE on at the door."""
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    items = _items(cursor)
    found: dict[str, int | tuple[int, int] | bool] = {}
    if cursor.skip(b" "):
        cursor.expect(b"(", "the FETCH modifiers")
        found = _modifiers(cursor)
        cursor.expect(b")", "a closing parenthesis")
    since, places = found.get("CHANGEDSINCE"), found.get("PARTIAL")
    return Fetch(
        numbers,
        items,
        changed_since=since if isinstance(since, int) else None,
        vanished="VANISHED" in found,
        window=places if isinstance(places, tuple) else None,
    )


_MODES = {"FLAGS": StoreMode.REPLACE, "+FLAGS": StoreMode.ADD, "-FLAGS": StoreMode.REMOVE}


def store(cursor: Cursor) -> Store:
    """STORE, with UNCHANGEDSINCE and .SILENT; flags with or without parentheses."""
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    unchanged_since = None
    if cursor.skip(b"("):
        if cursor.word() != "UNCHANGEDSINCE":
            raise Malformed("Unknown STORE modifier")
        cursor.space()
        unchanged_since = cursor.number()
        cursor.expect(b")", "a closing parenthesis")
        cursor.space()
    name = cursor.atom().decode("ascii").upper()
    mode = _MODES.get(name.removesuffix(".SILENT"))
    if mode is None:
        raise Malformed("Expected FLAGS, +FLAGS or -FLAGS")
    cursor.space()
    flags = cursor.flags() if cursor.peek() == b"(" else frozenset(_bare_flags(cursor))
    return Store(numbers, mode, flags, False, name.endswith(".SILENT"), unchanged_since)


def _bare_flags(cursor: Cursor) -> list[str]:
    flags = [cursor.flag()]
    while cursor.skip(b" "):
        flags.append(cursor.flag())
        if len(flags) > MAX_ITEMS:
            raise Malformed("Too many flags")
    return flags


def copy(cursor: Cursor) -> Copy:
    """COPY."""
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    return Copy(numbers, cursor.mailbox())


def move(cursor: Cursor) -> Move:
    """MOVE."""
    copied = copy(cursor)
    return Move(copied.numbers, copied.mailbox)


def uid_expunge(cursor: Cursor) -> Expunge:
    """UID EXPUNGE."""
    cursor.space()
    return Expunge(cursor.sequence_set())
