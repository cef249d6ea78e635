"""SORT and THREAD, parsed (RFC 5256, with RFC 5267 and RFC 5957)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .commands_search import Partial
from .fetchitems import FetchItem
from .searchkeys import SearchKey


class SortKey(Enum):
    """What messages are ordered by (RFC 5256 section 3, RFC 5957 section 3, RFC 6203 section 4)."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    RELEVANCY = "RELEVANCY"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One sort key, in reverse when asked."""

    key: SortKey
    reverse: bool = False


class Algorithm(Enum):
    """How THREAD makes threads (RFC 5256 section 3)."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT or UID SORT; the fields after `criteria` are those of `commands.Search`."""

    criteria: tuple[Criterion, ...]
    key: SearchKey
    uid: bool = False
    returns: frozenset[str] = frozenset()
    extended: bool = False
    partial: Partial | None = None
    refusal: tuple[str, bytes] | None = None
    items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD or UID THREAD. `refusal` is the text and code of the NO that it must get."""

    algorithm: Algorithm
    key: SearchKey
    uid: bool = False
    refusal: tuple[str, bytes] | None = None
