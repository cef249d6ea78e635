"""SEARCH evaluated on one message at a time, without reading anything that the keys do not ask for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Protocol

from mss_gateway.mail.words import decode_words

from .mailboxtree import match_pattern
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
from .sequence import STAR, SequenceSet, merge


class Column(Enum):
    """What a search needs beyond UID, sequence number, flags, mod-sequence, date and size."""

    HEADER = "header"
    SENT = "sent"
    TEXT = "text"


class Candidate(Protocol):
    """One message as a search sees it. Methods are called only when their `Column` is among `columns(key)`."""

    uid: int
    number: int
    flags: frozenset[str]
    modseq: int
    internal_date: float
    size: int

    def header(self) -> bytes:
        """The header block."""

    def sent_at(self) -> float | None:
        """The Date header, epoch seconds; None when it cannot be read."""

    def texts(self) -> str:
        """The text parts of the body, decoded."""


Match = Callable[[Candidate], bool]
"""A search made ready to run."""


def fold(text: str) -> str:
    """Return text for comparison: no case, no accents, any white space as one space."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join([char for char in decomposed if not unicodedata.combining(char)])
    return " ".join(text.casefold().split())


def header_text(raw: bytes) -> str:
    """Return raw header octets as text: unfolded, encoded words decoded (RFC 2047)."""
    return decode_words(raw.replace(b"\r\n", b""))


def header_values(header: bytes, field: str) -> list[bytes]:
    """The raw values of every field of that name (lower case), folding kept. Linear in the header."""
    name = b"\n" + field.encode("utf-8")
    lowered = b"\n" + header.lower()
    found: list[bytes] = []
    at = lowered.find(name)
    while at >= 0:
        colon = at + len(name)
        while lowered[colon : colon + 1] in (b" ", b"\t"):
            colon += 1
        end = at + len(name)
        if lowered[colon : colon + 1] == b":":
            end = _value_end(lowered, colon)
            found.append(header[colon : end - 1])
        at = lowered.find(name, end)
    return found


def _value_end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    while end >= 0 and text[end + 1 : end + 2] in (b" ", b"\t"):
        end = text.find(b"\n", end + 1)
    return len(text) if end < 0 else end


def columns(key: SearchKey) -> frozenset[Column]:
    """Which columns the search reads."""
    found: set[Column] = set()
    pending = [key]
    while pending:
        node = pending.pop()
        match node:
            case And(keys):
                pending.extend(keys)
            case Or(left, right):
                pending += (left, right)
            case Not(inner):
                pending.append(inner)
            case HeaderHas():
                found.add(Column.HEADER)
            case BodyHas():
                found.add(Column.TEXT)
            case TextHas():
                found |= {Column.HEADER, Column.TEXT}
            case SentOn():
                found |= {Column.SENT}
            case _:
                pass
    return frozenset(found)


def uses_modseq(key: SearchKey) -> bool:
    """Does the search name MODSEQ, so that its answer carries one (RFC 7162 section 3.1.5)?"""
    match key:
        case And(keys):
            return any(uses_modseq(inner) for inner in keys)
        case Or(left, right):
            return uses_modseq(left) or uses_modseq(right)
        case Not(inner):
            return uses_modseq(inner)
        case _:
            return isinstance(key, ModSeqFrom)


_COST = {HeaderHas: 2, SentOn: 1, BodyHas: 3, TextHas: 3}


def _cost(key: SearchKey) -> int:
    match key:
        case And(keys):
            return max(map(_cost, keys), default=0)
        case Or(left, right):
            return max(_cost(left), _cost(right))
        case Not(inner):
            return _cost(inner)
        case _:
            return _COST.get(type(key), 0)


def _in_set(numbers: SequenceSet, last: int, saved: frozenset[int]) -> Callable[[int], bool]:
    if numbers.saved:
        return saved.__contains__
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


def _header_has(key: HeaderHas) -> Match:
    needle = fold(key.text)
    if not needle:
        return lambda message: bool(header_values(message.header(), key.field))
    return lambda message: any(
        needle in fold(header_text(value)) for value in header_values(message.header(), key.field)
    )


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
        case Larger(octets):
            return lambda message: message.size > octets
        case Smaller(octets):
            return lambda message: message.size < octets
        case ModSeqFrom(modseq):
            return lambda message: message.modseq >= modseq
        case Arrived(test, day):
            arrived = _day_test(test, day)
            return lambda message: arrived(message.internal_date)
        case SentOn():
            return _sent(key)
        case HeaderHas():
            return _header_has(key)
        case _:
            return _text_leaf(key, context.folded)


class _Folded:
    """The folded texts of the message in hand, so that many keys fold them once."""

    __slots__ = ("_body", "_header", "_message")

    def __init__(self) -> None:
        self._message: Candidate | None = None
        self._header: str | None = None
        self._body: str | None = None

    def _turn_to(self, message: Candidate) -> None:
        if self._message is not message:
            self._message = message
            self._header = self._body = None

    def header(self, message: Candidate) -> str:
        """The whole header, decoded and folded."""
        self._turn_to(message)
        if self._header is None:
            self._header = fold(header_text(message.header()))
        return self._header

    def body(self, message: Candidate) -> str:
        """The text parts, folded."""
        self._turn_to(message)
        if self._body is None:
            self._body = fold(message.texts())
        return self._body


def _text_leaf(key: SearchKey, folded: _Folded) -> Match:
    match key:
        case BodyHas(text):
            needle = fold(text)
            return lambda message: needle in folded.body(message)
        case TextHas(text):
            anywhere = fold(text)
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


def compile_search(
    key: SearchKey, *, last_number: int, last_uid: int, saved: frozenset[int] = frozenset()
) -> Match:
    """Make a search ready: cheap keys first, the dear ones only when they still matter.

    `last_number` and `last_uid` are what `*` means, `saved` what `$` means (UIDs). Hold one message
    after another against it; nothing is kept but the folded texts of the last one.
    """
    return _compile(key, _Context(last_number, last_uid, saved, _Folded()))


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
        case _:
            return _leaf(key, context)


__all__ = [
    "Candidate",
    "Column",
    "Match",
    "columns",
    "compile_search",
    "fold",
    "header_text",
    "header_values",
    "match_pattern",
    "uses_modseq",
]
