"""The commands around SEARCH: ESEARCH over several mailboxes (RFC 7377), CANCELUPDATE (RFC 5267)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .fetchitems import FetchItem
from .searchkeys import SearchKey


@dataclass(frozen=True, slots=True)
class Partial:
    """PARTIAL (RFC 9394): results `first` to `last`, from 1; `backwards` counts from the end. `first` <= `last`.

    `shown` is the range as the client wrote it, which the answer repeats.
    """

    first: int
    last: int
    backwards: bool
    shown: bytes

    def cut(self, count: int) -> slice:
        """The part of a list of `count` results."""
        if self.backwards:
            return slice(max(0, count - self.last), max(0, count - self.first + 1))
        return slice(self.first - 1, self.last)


class Source(Enum):
    """The mailbox filters of RFC 5465 section 6 that RFC 7377 section 2.2 takes, and its `subtree-one`."""

    SELECTED = "SELECTED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    SUBTREE_ONE = "SUBTREE-ONE"
    MAILBOXES = "MAILBOXES"


@dataclass(frozen=True, slots=True)
class MailboxFilter:
    """One source of mailboxes; `names` belong to SUBTREE, SUBTREE-ONE and MAILBOXES."""

    source: Source
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """ESEARCH (RFC 7377); without IN, `filters` is the selected mailbox alone. `refusal` as in `commands.Search`."""

    filters: tuple[MailboxFilter, ...]
    key: SearchKey
    returns: frozenset[str] = frozenset()
    partial: Partial | None = None
    refusal: tuple[str, bytes] | None = None
    items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """CANCELUPDATE: the tags of the searches that are to be updated no more (RFC 5267 section 4.3.5)."""

    tags: tuple[bytes, ...]
