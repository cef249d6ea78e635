"""SORT and THREAD (RFC 5256 section 5), with the return options of ESORT (RFC 5267 section 3)."""

from __future__ import annotations

from .commands_sort import Algorithm, Criterion, Sort, SortKey, Thread
from .cursor import Cursor, Malformed
from .events import Ending
from .grammar_search import Returning, charset, check_relevancy, returning, search_keys
from .searchkeys import And, Fuzzy, SearchKey, walk

_MAX_CRITERIA = 20


def _criterion(cursor: Cursor) -> Criterion:
    word = cursor.word()
    reverse = word == "REVERSE"
    if reverse:
        cursor.space()
        word = cursor.word()
    try:
        return Criterion(SortKey(word), reverse)
    except ValueError:
        raise Malformed("Unknown sort key") from None


def _program(cursor: Cursor) -> tuple[SearchKey, tuple[str, bytes] | None]:
    """The charset, which is always there, and the keys; or the text and code of the NO that the command must get."""
    try:
        charset(cursor.astring())
        cursor.utf8 = True  # as after CHARSET of SEARCH: clients put 8-bit text in quoted strings
        cursor.space()
        return search_keys(cursor), None
    except Malformed as error:
        if error.ending is Ending.BAD:
            raise
        cursor.drop()
        return And(()), (error.text, error.code)


def sort(cursor: Cursor) -> Sort:
    """SORT, with RETURN."""
    cursor.space()
    found = returning(cursor)
    said = found or Returning(frozenset())
    criteria = tuple(cursor.items(lambda: _criterion(cursor), _MAX_CRITERIA))
    cursor.space()
    key, refusal = _program(cursor)
    if refusal is None:
        check_relevancy(said.options, key)
        by_relevancy = any(one.key is SortKey.RELEVANCY for one in criteria)
        if by_relevancy and not any(isinstance(node, Fuzzy) for node in walk(key)):
            raise Malformed("RELEVANCY without FUZZY")
    return Sort(criteria, key, False, said.options, found is not None, said.partial, refusal, said.items)


def thread(cursor: Cursor) -> Thread:
    """THREAD; an algorithm that is not announced is BAD."""
    cursor.space()
    word = cursor.word()
    try:
        algorithm = Algorithm(word)
    except ValueError:
        raise Malformed("Unknown threading algorithm") from None
    cursor.space()
    key, refusal = _program(cursor)
    return Thread(algorithm, key, False, refusal)
