"""SEARCH evaluated on one message at a time, without reading anything that the keys do not ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from typing import Protocol

from mss_gateway.mail.searchtext import SEPARATOR, fold, fold_header, header_text

from .casemapped import Mapped, contains
from .headeronly import field_values
from .searchkeys import (
    AmongUids,
    And,
    Arrived,
    ArrivedFrom,
    ArrivedUntil,
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
    Or,
    SavedOn,
    SearchKey,
    SentOn,
    Smaller,
    TextHas,
    rewrite,
    walk,
)
from .sequence import STAR, SequenceSet, merge

_REMEMBERED = 200  # octets of a header value whose folded text is kept for the next search


class Column(Enum):
    """What a search needs beyond UID, sequence number, flags, mod-sequence, date and size."""

    HEADER = "header"
    SENT = "sent"
    TEXT = "text"
    DIGEST = "digest"


class Candidate(Protocol):
    """One message as a search sees it. Methods are called only when their `Column` is among `columns(key)`."""

    uid: int
    number: int
    flags: frozenset[str]
    modseq: int
    internal_date: float
    save_date: float
    size: int

    def header(self) -> bytes:
        """The header block."""

    def sent_at(self) -> float | None:
        """The Date header with its time as written, whatever its zone, read as UTC; None when it cannot be read."""

    def texts(self) -> str:
        """The text parts of the body and the names of attachments, folded (`mail.searchtext`)."""

    def unfolded(self) -> Iterator[str]:
        """What `texts` has, as it is written; only asked for by keys with `accents`."""

    def email_id(self) -> str:
        """EMAILID (RFC 8474)."""

    def thread_id(self) -> str:
        """THREADID (RFC 8474)."""


Match = Callable[[Candidate], bool]
"""A search made ready to run."""


def fold_needle(text: str) -> str:
    """Return what is looked for, folded; white space at its ends stays, as one space."""
    folded = fold(text)
    if not folded:
        return " " if text else ""
    return (" " if text[0].isspace() else "") + folded + (" " if text[-1].isspace() else "")


_COLUMNS: dict[type, frozenset[Column]] = {
    HeaderHas: frozenset({Column.HEADER}),
    BodyHas: frozenset({Column.TEXT}),
    TextHas: frozenset({Column.HEADER, Column.TEXT}),
    SentOn: frozenset({Column.SENT}),
    HasEmailId: frozenset({Column.DIGEST}),
}


def columns(key: SearchKey) -> frozenset[Column]:
    """Which columns the search reads."""
    return frozenset().union(*[_COLUMNS.get(type(node), frozenset()) for node in walk(key)])


def uses_modseq(key: SearchKey) -> bool:
    """Does the search name MODSEQ, so that its answer carries one (RFC 7162 section 3.1.5)?"""
    return any(isinstance(node, ModSeqFrom) for node in walk(key))


_HEADER_KEYS = (And, Or, Not, Fuzzy, HeaderHas, SentOn)


def reads_headers_alone(key: SearchKey) -> bool:
    """Does every key ask for nothing but the header block? Then a `HeaderOnly` is candidate enough."""
    return all(isinstance(node, _HEADER_KEYS) for node in walk(key))


_COST = {HeaderHas: 2, SentOn: 1, BodyHas: 3, TextHas: 3}


def _cost(key: SearchKey) -> int:
    match key:
        case And(keys):
            return max(map(_cost, keys), default=0)
        case Or(left, right):
            return max(_cost(left), _cost(right))
        case Not(inner) | Fuzzy(inner):
            return _cost(inner)
        case _:
            return _COST.get(type(key), 0)


def _in_set(numbers: SequenceSet, last: int, saved: frozenset[int]) -> Callable[[int], bool]:
    if numbers.saved:
        return saved.__contains__
    if not numbers.ranges:
        return lambda number: False
    ranges = merge([(min(low, last), last) if high == STAR else (low, high) for low, high in numbers.ranges])
    if len(ranges) == 1:
        low, high = ranges[0]
        return lambda number: low <= number <= high

    def within(number: int) -> bool:
        first, after = 0, len(ranges)
        while first < after:
            middle = (first + after) // 2
            if ranges[middle][1] < number:
                first = middle + 1
            else:
                after = middle
        return first < len(ranges) and ranges[first][0] <= number

    return within


def _day_test(test: DateTest, wanted: date) -> Callable[[float], bool]:
    start = datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC).timestamp()
    match test:
        case DateTest.BEFORE:
            return lambda moment: moment < start
        case DateTest.SINCE:
            return lambda moment: moment >= start
        case DateTest.ON:
            return lambda moment: start <= moment < start + 86400


def _sent(key: SentOn) -> Match:
    holds = _day_test(key.test, key.day)

    def match(message: Candidate) -> bool:
        moment = message.sent_at()
        return moment is not None and holds(moment)

    return match


def _flag(name: str) -> Match:
    lowered = name.lower()
    if name[:1] == "\\":
        return lambda message: name in message.flags
    return lambda message: name in message.flags or any(flag.lower() == lowered for flag in message.flags)


def _decoded(value: bytes) -> str:
    return fold(header_text(value))


# The same senders stand in thousands of messages, and who types a word searches for each beginning of it.
_remembered = lru_cache(maxsize=16_384)(_decoded)


def _folded_value(value: bytes) -> str:
    return _remembered(value) if len(value) <= _REMEMBERED else _decoded(value)


def _header_has(key: HeaderHas, folded: _Folded) -> Match:
    needle, field = fold_needle(key.text), key.field
    if not needle:
        return lambda message: bool(folded.values(message, field))
    raw = needle.encode("utf-8")
    # An ASCII needle without spaces stands in the octets themselves wherever nothing is encoded.
    direct = needle.isascii() and " " not in needle

    def match(message: Candidate) -> bool:
        values = folded.values(message, field)
        if not direct:
            return needle in SEPARATOR.join([_folded_value(value) for value in values])
        for value in values:
            if b"=?" not in value and value.isascii():
                if raw in value.lower():
                    return True
            elif needle in _folded_value(value):
                return True
        return False

    return match


def _leaf(key: SearchKey, context: _Context) -> Match:
    saved = context.saved
    match key:
        case HasFlag(flag):
            return _flag(flag)
        case InSequence(numbers):
            if numbers.saved:
                return lambda message: message.uid in saved
            by_number = _in_set(numbers, context.last_number, saved)
            return lambda message: by_number(message.number)
        case InUids(numbers):
            by_uid = _in_set(numbers, context.last_uid, saved)
            return lambda message: by_uid(message.uid)
        case AmongUids(uids):
            return lambda message: message.uid in uids
        case Larger() | Smaller() | ModSeqFrom() | HasEmailId() | HasThreadId():
            return _valued(key)
        case Arrived() | ArrivedFrom() | ArrivedUntil() | SavedOn() | SentOn():
            return _dated(key)
        case HeaderHas(accents=True) | BodyHas(accents=True) | TextHas(accents=True):
            return contains(key, context.mapped)
        case HeaderHas():
            return _header_has(key, context.folded)
        case _:
            return _text_leaf(key, context.folded)


def _valued(key: Larger | Smaller | ModSeqFrom | HasEmailId | HasThreadId) -> Match:
    match key:
        case Larger(octets):
            return lambda message: message.size > octets
        case Smaller(octets):
            return lambda message: message.size < octets
        case ModSeqFrom(modseq):
            return lambda message: message.modseq >= modseq
        case HasEmailId(identifier):
            return lambda message: message.email_id() == identifier
        case HasThreadId(identifier):
            return lambda message: message.thread_id() == identifier


def _dated(key: Arrived | ArrivedFrom | ArrivedUntil | SavedOn | SentOn) -> Match:
    match key:
        case ArrivedFrom(moment):
            return lambda message: message.internal_date >= moment
        case ArrivedUntil(moment):
            return lambda message: message.internal_date <= moment
        case SentOn():
            return _sent(key)
    holds = _day_test(key.test, key.day)
    if isinstance(key, SavedOn):
        return lambda message: holds(message.save_date)
    return lambda message: holds(message.internal_date)


class _Folded:
    """The folded texts of the message in hand, so that many keys fold them once."""

    __slots__ = ("_body", "_header", "_lowered", "_message", "_raw")

    def __init__(self) -> None:
        self._message: Candidate | None = None
        self._raw: bytes | None = None
        self._lowered = b""
        self._header: str | None = None
        self._body: str | None = None

    def _turn_to(self, message: Candidate) -> None:
        if self._message is not message:
            self._message = message
            self._raw = self._header = self._body = None

    def _read(self, message: Candidate) -> bytes:
        self._turn_to(message)
        raw = self._raw
        if raw is None:
            raw = self._raw = message.header()
            self._lowered = raw.lower()
        return raw

    def values(self, message: Candidate, field: str) -> list[bytes]:
        """The raw values of the fields of that name."""
        return field_values(self._read(message), self._lowered, field)

    def header(self, message: Candidate) -> str:
        """The whole header, decoded and folded."""
        raw = self._read(message)
        if self._header is None:
            self._header = fold_header(raw)
        return self._header

    def body(self, message: Candidate) -> str:
        """The text parts, folded."""
        self._turn_to(message)
        if self._body is None:
            self._body = message.texts()
        return self._body


def _text_leaf(key: SearchKey, folded: _Folded) -> Match:
    match key:
        case BodyHas(text):
            needle = fold_needle(text)
            return lambda message: needle in folded.body(message)
        case TextHas(text):
            anywhere = fold_needle(text)
            return lambda message: anywhere in folded.header(message) or anywhere in folded.body(message)
        case _:
            raise TypeError(f"not a search key: {type(key).__name__}")


@dataclass(frozen=True, slots=True)
class _Context:
    """What `*` and `$` mean, and the texts shared by the keys."""

    last_number: int
    last_uid: int
    saved: frozenset[int]
    folded: _Folded
    mapped: Mapped


def compile_search(
    key: SearchKey, *, last_number: int, last_uid: int, saved: frozenset[int] = frozenset()
) -> Match:
    """Make a search ready: cheap keys first, the dear ones only when they still matter.

    `last_number` and `last_uid` are what `*` means, `saved` what `$` means (UIDs). Hold one message
    after another against it; nothing is kept but the folded texts of the last one.
    """
    return _compile(key, _Context(last_number, last_uid, saved, _Folded(), Mapped()))


def _compile(key: SearchKey, context: _Context) -> Match:
    match key:
        case And(keys):
            parts = [_compile(inner, context) for inner in sorted(keys, key=_cost)]
            return lambda message: all(part(message) for part in parts)
        case Or(left, right):
            first, second = (_compile(inner, context) for inner in sorted((left, right), key=_cost))
            return lambda message: first(message) or second(message)
        case Not(inner):
            inverse = _compile(inner, context)
            return lambda message: not inverse(message)
        case Fuzzy(inner):
            return _compile(loose(inner), context)
        case _:
            return _leaf(key, context)


def loose(key: SearchKey) -> SearchKey:
    """What a fuzzy key means where no index answers it: every word of its text, in any order (RFC 6203)."""

    def words(leaf: SearchKey) -> SearchKey:
        if isinstance(leaf, HeaderHas | BodyHas | TextHas):
            found = leaf.text.split()
            if len(found) > 1:
                return And(tuple([replace(leaf, text=word) for word in found]))
        return leaf

    return rewrite(key, words)
