"""SEARCH and its keys (RFC 9051 section 6.4.4), nested and counted within fixed bounds."""

from __future__ import annotations

from collections.abc import Callable

from .commands import Search
from .cursor import Cursor, Malformed
from .dates import parse_date
from .events import Ending
from .searchkeys import (
    And,
    Arrived,
    BodyHas,
    DateTest,
    HasFlag,
    HeaderHas,
    InSequence,
    InUids,
    Larger,
    ModSeqFrom,
    Not,
    Or,
    SearchKey,
    SentOn,
    Smaller,
    TextHas,
)

MAX_DEPTH = 100
"""Parentheses, NOT and OR within each other."""

MAX_KEYS = 500
"""Keys in one SEARCH; each message is held against all of them."""

_RETURNS = frozenset({"ALL", "MIN", "MAX", "COUNT", "SAVE"})
_FLAG_KEYS: dict[str, SearchKey] = {
    "ALL": And(()),
    "NEW": And((HasFlag("\\Recent"), Not(HasFlag("\\Seen")))),
    "OLD": Not(HasFlag("\\Recent")),
    "RECENT": HasFlag("\\Recent"),
}
for _name in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
    _FLAG_KEYS[_name.upper()] = HasFlag("\\" + _name)
    _FLAG_KEYS["UN" + _name.upper()] = Not(HasFlag("\\" + _name))


class _Bounds:
    """How many keys have been read."""

    __slots__ = ("keys",)

    def __init__(self) -> None:
        self.keys = 0


def _text(cursor: Cursor) -> str:
    cursor.space()
    return cursor.text_string()


def _number(cursor: Cursor) -> int:
    cursor.space()
    return cursor.number()


def _header(cursor: Cursor) -> SearchKey:
    name = _text(cursor).lower()
    return HeaderHas(name, _text(cursor))


def _keyword(cursor: Cursor) -> SearchKey:
    cursor.space()
    return HasFlag(cursor.atom().decode("ascii"))


def _uids(cursor: Cursor) -> SearchKey:
    cursor.space()
    return InUids(cursor.sequence_set())


def _modseq(cursor: Cursor) -> SearchKey:
    cursor.space()
    if cursor.peek() == b'"':
        cursor.string()
        cursor.space()
        if cursor.word() not in {"PRIV", "SHARED", "ALL"}:
            raise Malformed("Unknown MODSEQ entry type")
        cursor.space()
    return ModSeqFrom(cursor.number())


def _field(name: str) -> Callable[[Cursor], SearchKey]:
    return lambda cursor: HeaderHas(name, _text(cursor))


def _day(kind: type[Arrived] | type[SentOn], test: DateTest) -> Callable[[Cursor], SearchKey]:
    def read(cursor: Cursor) -> SearchKey:
        cursor.space()
        return kind(test, parse_date(cursor.astring()))

    return read


_ARGUMENT_KEYS: dict[str, Callable[[Cursor], SearchKey]] = {
    "BCC": _field("bcc"),
    "BEFORE": _day(Arrived, DateTest.BEFORE),
    "BODY": lambda cursor: BodyHas(_text(cursor)),
    "CC": _field("cc"),
    "FROM": _field("from"),
    "HEADER": _header,
    "KEYWORD": _keyword,
    "LARGER": lambda cursor: Larger(_number(cursor)),
    "MODSEQ": _modseq,
    "ON": _day(Arrived, DateTest.ON),
    "SENTBEFORE": _day(SentOn, DateTest.BEFORE),
    "SENTON": _day(SentOn, DateTest.ON),
    "SENTSINCE": _day(SentOn, DateTest.SINCE),
    "SINCE": _day(Arrived, DateTest.SINCE),
    "SMALLER": lambda cursor: Smaller(_number(cursor)),
    "SUBJECT": _field("subject"),
    "TEXT": lambda cursor: TextHas(_text(cursor)),
    "TO": _field("to"),
    "UID": _uids,
    "UNKEYWORD": lambda cursor: Not(_keyword(cursor)),
}


def _key(cursor: Cursor, bounds: _Bounds, depth: int) -> SearchKey:
    bounds.keys += 1
    if depth > MAX_DEPTH or bounds.keys > MAX_KEYS:
        raise Malformed("Search too complex", Ending.NO, b"LIMIT")
    if cursor.skip(b"("):
        keys = _keys(cursor, bounds, depth + 1)
        cursor.expect(b")", "a closing parenthesis")
        return keys
    if cursor.at_sequence_set():
        return InSequence(cursor.sequence_set())
    name = cursor.word()
    flag_key = _FLAG_KEYS.get(name)
    if flag_key is not None:
        return flag_key
    read = _ARGUMENT_KEYS.get(name)
    if read is not None:
        return read(cursor)
    cursor.space()
    if name == "NOT":
        return Not(_key(cursor, bounds, depth + 1))
    if name == "OR":
        left = _key(cursor, bounds, depth + 1)
        cursor.space()
        return Or(left, _key(cursor, bounds, depth + 1))
    raise Malformed("Unknown search key")


def _keys(cursor: Cursor, bounds: _Bounds, depth: int) -> SearchKey:
    keys = [_key(cursor, bounds, depth)]
    while cursor.skip(b" "):
        keys.append(_key(cursor, bounds, depth))
    return keys[0] if len(keys) == 1 else And(tuple(keys))


def _skip_word(cursor: Cursor, word: bytes) -> bool:
    if cursor.text[cursor.pos : cursor.pos + len(word)].upper() != word:
        return False
    cursor.pos += len(word)
    return True


def search(cursor: Cursor) -> Search:
    """SEARCH, with RETURN and CHARSET; charsets other than US-ASCII and UTF-8 get NO [BADCHARSET]."""
    cursor.space()
    returns: frozenset[str] = frozenset()
    extended = _skip_word(cursor, b"RETURN ")
    if extended:
        returns = frozenset(cursor.items(cursor.word, 8, empty=True)) or frozenset({"ALL"})
        if not returns <= _RETURNS:
            raise Malformed("Unknown SEARCH return option")
        cursor.space()
    if _skip_word(cursor, b"CHARSET "):
        if cursor.astring().upper() not in (b"US-ASCII", b"UTF-8", b"ASCII", b"UTF8"):
            raise Malformed("Charset not known", Ending.NO, b"BADCHARSET (US-ASCII UTF-8)")
        cursor.space()
    return Search(_keys(cursor, _Bounds(), 0), False, returns, extended)
