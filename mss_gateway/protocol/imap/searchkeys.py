"""The tree of a SEARCH command (RFC 9051 section 6.4.4, RFC 3501 section 6.4.4, RFC 7162 section 3.1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from .sequence import SequenceSet


class DateTest(Enum):
    """How a date key compares, by day without time or zone."""

    BEFORE = "before"
    ON = "on"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class And:
    """Every key holds; without keys it is ALL."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of two keys holds."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class Not:
    """The key does not hold."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class HasFlag:
    """The flag is set: system flags spelled as `\\Seen`, keywords as the client wrote them."""

    flag: str


@dataclass(frozen=True, slots=True)
class InSequence:
    """The message's sequence number is in the set."""

    numbers: SequenceSet


@dataclass(frozen=True, slots=True)
class InUids:
    """The message's UID is in the set."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class HeaderHas:
    """A header field (lower-case `field`) contains `text`; an empty text asks whether the field is there."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyHas:
    """The body contains `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class TextHas:
    """The header or the body contains `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """INTERNALDATE compares with a day."""

    test: DateTest
    day: date


@dataclass(frozen=True, slots=True)
class SentOn:
    """The Date header compares with a day."""

    test: DateTest
    day: date


@dataclass(frozen=True, slots=True)
class Larger:
    """RFC822.SIZE is above `octets`."""

    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """RFC822.SIZE is below `octets`."""

    octets: int


@dataclass(frozen=True, slots=True)
class ModSeqFrom:
    """The mod-sequence is at least `modseq`."""

    modseq: int


SearchKey = (
    And
    | Or
    | Not
    | HasFlag
    | InSequence
    | InUids
    | HeaderHas
    | BodyHas
    | TextHas
    | Arrived
    | SentOn
    | Larger
    | Smaller
    | ModSeqFrom
)
"""Any node of the tree."""
