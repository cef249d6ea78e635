"""SEARCH and its keys (RFC 9051 section 6.4.4), nested and counted within fixed bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .commands import Search
from .commands_search import Partial
from .cursor import Cursor, Malformed
from .dates import parse_date
from .events import Ending
from .fetchitems import FetchItem
from .grammar_fetch import fetch_attributes
from .searchkeys import (
    And,
    Arrived,
    BodyHas,
    DateTest,
    Fuzzy,
    HasEmailId,
    HasFlag,
    HasThreadId,
    HeaderHas,
    InSequence,
    InUids,
    Larger,
    ModSeqFrom,
    Not,
    Older,
    Or,
    SavedOn,
    SearchKey,
    SentOn,
    Smaller,
    TextHas,
    Younger,
    walk,
)
from .sequence import MAX_NUMBER, SequenceSet

MAX_DEPTH = 100
"""Parentheses, NOT and OR within each other."""

MAX_KEYS = 500
"""Keys in one SEARCH; each message is held against all of them."""

_RETURNS = frozenset({"ALL", "MIN", "MAX", "COUNT", "SAVE", "CONTEXT", "UPDATE", "RELEVANCY"})
_CHARSETS = (b"US-ASCII", b"UTF-8", b"ASCII", b"UTF8")
_RANGE = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})(?![0-9])")
_FLAG_KEYS: dict[str, SearchKey] = {
    "ALL": And(()),
    "SAVEDATESUPPORTED": And(()),
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


def _interval(cursor: Cursor) -> int:
    seconds = _number(cursor)
    if not 0 < seconds <= MAX_NUMBER:
        raise Malformed("An interval is a number of seconds above 0")
    return seconds


def _beyond(cursor: Cursor) -> int:
    uid = _number(cursor)
    if not 0 < uid <= MAX_NUMBER:
        raise Malformed("Not a UID")
    return uid


def _uid_after(cursor: Cursor) -> SearchKey:
    uid = _beyond(cursor)
    return InUids(SequenceSet(((uid + 1, MAX_NUMBER),))) if uid < MAX_NUMBER else InUids(SequenceSet())


def _uid_before(cursor: Cursor) -> SearchKey:
    uid = _beyond(cursor)
    return InUids(SequenceSet(((1, uid - 1),) if uid > 1 else ()))


def _identifier(cursor: Cursor) -> str:
    cursor.space()
    return cursor.astring().decode("latin-1")


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


def _day(kind: type[Arrived] | type[SentOn] | type[SavedOn], test: DateTest) -> Callable[[Cursor], SearchKey]:
    def read(cursor: Cursor) -> SearchKey:
        cursor.space()
        return kind(test, parse_date(cursor.astring()))

    return read


_ARGUMENT_KEYS: dict[str, Callable[[Cursor], SearchKey]] = {
    "BCC": _field("bcc"),
    "BEFORE": _day(Arrived, DateTest.BEFORE),
    "BODY": lambda cursor: BodyHas(_text(cursor)),
    "CC": _field("cc"),
    "EMAILID": lambda cursor: HasEmailId(_identifier(cursor)),
    "FROM": _field("from"),
    "HEADER": _header,
    "KEYWORD": _keyword,
    "LARGER": lambda cursor: Larger(_number(cursor)),
    "MODSEQ": _modseq,
    "OLDER": lambda cursor: Older(_interval(cursor)),
    "ON": _day(Arrived, DateTest.ON),
    "SAVEDBEFORE": _day(SavedOn, DateTest.BEFORE),
    "SAVEDON": _day(SavedOn, DateTest.ON),
    "SAVEDSINCE": _day(SavedOn, DateTest.SINCE),
    "SENTBEFORE": _day(SentOn, DateTest.BEFORE),
    "SENTON": _day(SentOn, DateTest.ON),
    "SENTSINCE": _day(SentOn, DateTest.SINCE),
    "SINCE": _day(Arrived, DateTest.SINCE),
    "SMALLER": lambda cursor: Smaller(_number(cursor)),
    "SUBJECT": _field("subject"),
    "TEXT": lambda cursor: TextHas(_text(cursor)),
    "THREADID": lambda cursor: HasThreadId(_identifier(cursor)),
    "TO": _field("to"),
    "UID": _uids,
    "UIDAFTER": _uid_after,
    "UIDBEFORE": _uid_before,
    "UNKEYWORD": lambda cursor: Not(_keyword(cursor)),
    "YOUNGER": lambda cursor: Younger(_interval(cursor)),
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
    if name == "FUZZY":
        return Fuzzy(_key(cursor, bounds, depth + 1))
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


def _partial(cursor: Cursor) -> Partial:
    cursor.space()
    found = _RANGE.match(cursor.text, cursor.pos)
    if found is None or found[1] != found[3]:
        raise Malformed("Not a range of results")
    cursor.pos = found.end()
    first, last = sorted((int(found[2]), int(found[4])))
    if last > MAX_NUMBER:
        raise Malformed("Not a range of results")
    return Partial(first, last, bool(found[1]), found.group())


@dataclass(frozen=True, slots=True)
class Returning:
    """The options of RETURN, with the window of PARTIAL and the FETCH items of UPDATE (RFC 5465 section 7)."""

    options: frozenset[str]
    partial: Partial | None = None
    items: tuple[FetchItem, ...] = ()


def return_options(cursor: Cursor) -> Returning:
    """`(MIN PARTIAL 1:50 …)` of SEARCH, ESEARCH and SORT; empty parentheses mean ALL (RFC 4731 section 3.1).

    ALL is also what remains when only CONTEXT and UPDATE are asked, which themselves show nothing.
    """
    windows: list[Partial] = []
    items: list[FetchItem] = []

    def option() -> str:
        word = cursor.word()
        if word == "PARTIAL":
            windows.append(_partial(cursor))
        elif word not in _RETURNS:
            raise Malformed("Unknown SEARCH return option")
        if word == "UPDATE" and cursor.skip(b" ("):
            cursor.pos -= 1
            items.extend(fetch_attributes(cursor))
        return word

    returns = frozenset(cursor.items(option, 16, empty=True))
    if len(windows) > 1 or (windows and "ALL" in returns):
        raise Malformed("One PARTIAL or ALL, not both")  # RFC 9394 section 3.1
    if returns <= {"CONTEXT", "UPDATE"}:
        returns |= {"ALL"}
    return Returning(returns - {"PARTIAL"}, windows[0] if windows else None, tuple(items))


def charset(name: bytes) -> None:
    """Raise `Malformed` NO [BADCHARSET] for a charset that is neither US-ASCII nor UTF-8."""
    if name.upper() not in _CHARSETS:
        raise Malformed("Charset not known", Ending.NO, b"BADCHARSET (US-ASCII UTF-8)")


def search_keys(cursor: Cursor) -> SearchKey:
    """The keys of one search, to the end."""
    return _keys(cursor, _Bounds(), 0)


def search_program(cursor: Cursor) -> SearchKey:
    """CHARSET, then the keys."""
    if _skip_word(cursor, b"CHARSET "):
        charset(cursor.astring())
        cursor.utf8 = True  # with a charset named, clients (imapfilter) put 8-bit text in quoted strings
        cursor.space()
    return search_keys(cursor)


def returning(cursor: Cursor) -> Returning | None:
    """RETURN and its options with the space after them; None when the word does not come."""
    if not _skip_word(cursor, b"RETURN "):
        return None
    found = return_options(cursor)
    cursor.space()
    return found


def check_relevancy(returns: frozenset[str], key: SearchKey) -> None:
    """Raise `Malformed`: RELEVANCY goes with FUZZY only (RFC 6203 section 4)."""
    if "RELEVANCY" in returns and not any(isinstance(node, Fuzzy) for node in walk(key)):
        raise Malformed("RELEVANCY without FUZZY")


def program_or_refusal(cursor: Cursor, returns: frozenset[str]) -> tuple[SearchKey, tuple[str, bytes] | None]:
    """The keys of a search to the end of the command, or the text and code of the NO that it must get."""
    try:
        key = search_program(cursor)
    except Malformed as error:
        if error.ending is Ending.BAD:
            raise
        cursor.drop()
        return And(()), (error.text, error.code)
    check_relevancy(returns, key)
    return key, None


def search(cursor: Cursor) -> Search:
    """SEARCH, with RETURN and CHARSET; charsets other than US-ASCII and UTF-8 get NO [BADCHARSET]."""
    cursor.space()
    found = returning(cursor)
    said = found or Returning(frozenset())
    key, refusal = program_or_refusal(cursor, said.options)
    return Search(key, False, said.options, found is not None, said.partial, refusal, said.items)
