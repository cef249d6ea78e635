"""The tree of a SEARCH command (RFC 9051 section 6.4.4, RFC 3501 section 6.4.4, RFC 7162 section 3.1.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    """A header field (lower-case `field`) contains `text`; an empty text asks whether the field is there.

    With `accents` texts are compared by i;unicode-casemap, else folded (`comparators`); so in the next two.
    """

    field: str
    text: str
    accents: bool = False


@dataclass(frozen=True, slots=True)
class BodyHas:
    """The body contains `text`."""

    text: str
    accents: bool = False


@dataclass(frozen=True, slots=True)
class TextHas:
    """The header or the body contains `text`."""

    text: str
    accents: bool = False


TEXTS = (HeaderHas, BodyHas, TextHas)
"""Keys that look for a text."""


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


@dataclass(frozen=True, slots=True)
class Younger:
    """INTERNALDATE is at most `seconds` ago (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Older:
    """INTERNALDATE is at least `seconds` ago (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class ArrivedFrom:
    """INTERNALDATE is `moment` or later, epoch seconds: what `Younger` means once the clock is known."""

    moment: float


@dataclass(frozen=True, slots=True)
class ArrivedUntil:
    """INTERNALDATE is `moment` or earlier, epoch seconds: what `Older` means once the clock is known."""

    moment: float


@dataclass(frozen=True, slots=True)
class SentBetween:
    """The Date header is from `low` to before `high`, epoch seconds, its zone counted."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SavedOn:
    """The date at which the message came into this mailbox compares with a day (RFC 8514)."""

    test: DateTest
    day: date


@dataclass(frozen=True, slots=True)
class HasEmailId:
    """EMAILID is `identifier` (RFC 8474)."""

    identifier: str


@dataclass(frozen=True, slots=True)
class HasThreadId:
    """THREADID is `identifier` (RFC 8474)."""

    identifier: str


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """The key holds in the way that serves a human best (RFC 6203)."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class AmongUids:
    """The UID is one of these: what an index has answered for a key, never read from the wire."""

    uids: frozenset[int]


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
    | Younger
    | Older
    | ArrivedFrom
    | ArrivedUntil
    | SentBetween
    | SavedOn
    | HasEmailId
    | HasThreadId
    | Fuzzy
    | AmongUids
)
"""Any node of the tree."""


def rewrite(key: SearchKey, leaf: Callable[[SearchKey], SearchKey]) -> SearchKey:
    """The same tree with every leaf put through `leaf`; FUZZY counts as one when `leaf` changes it."""
    match key:
        case And(keys):
            return And(tuple([rewrite(inner, leaf) for inner in keys]))
        case Or(left, right):
            return Or(rewrite(left, leaf), rewrite(right, leaf))
        case Not(inner):
            return Not(rewrite(inner, leaf))
        case Fuzzy(inner):
            changed = leaf(key)
            return changed if changed is not key else Fuzzy(rewrite(inner, leaf))
        case _:
            return leaf(key)


def walk(key: SearchKey) -> Iterator[SearchKey]:
    """Every node of the tree, the root first."""
    pending = [key]
    while pending:
        node = pending.pop()
        yield node
        match node:
            case And(keys):
                pending.extend(keys)
            case Or(left, right):
                pending += (left, right)
            case Not(inner) | Fuzzy(inner):
                pending.append(inner)
            case _:
                pass
