"""NOTIFY (RFC 5465): of what, and of which mailboxes, a client wants to hear unasked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .commands_search import MailboxFilter, Source
from .fetchitems import FetchItem


class Occasion(Enum):
    """The events of RFC 5465 section 5 that are told here, spelled as there."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


ABOUT_MESSAGES = frozenset({Occasion.MESSAGE_NEW, Occasion.MESSAGE_EXPUNGE, Occasion.FLAG_CHANGE})
"""The events that the selected mailbox has."""

NOTHING: frozenset[Occasion] = frozenset()
"""What NONE asks for."""


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Some mailboxes and what is told of them; no occasion at all is NONE.

    `delayed` is SELECTED-DELAYED: expunges wait for a command that allows EXPUNGE. `items` are sent of each new
    message of the selected mailbox.
    """

    filter: MailboxFilter
    occasions: frozenset[Occasion] = NOTHING
    items: tuple[FetchItem, ...] = ()
    delayed: bool = False

    @property
    def selected(self) -> bool:
        """Is it about the selected mailbox?"""
        return self.filter.source is Source.SELECTED


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY SET with its groups in order, or NOTIFY NONE without any; `status` asks for STATUS at once."""

    groups: tuple[EventGroup, ...] = ()
    status: bool = False
