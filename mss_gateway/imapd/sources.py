"""Which mailboxes the filters of NOTIFY and ESEARCH mean (RFC 5465 section 6, RFC 7377 section 2.2)."""

from __future__ import annotations

from collections.abc import Callable

from mss_gateway.ports.records import INBOX
from mss_gateway.protocol.imap.commands_search import MailboxFilter, Source
from mss_gateway.protocol.imap.mailboxtree import parents

from .listing import Visible
from .names import normal


def chooser(item: MailboxFilter, primary: int, here: int) -> Callable[[Visible], bool]:
    """Whether a mailbox is meant; `primary` is the box whose folders are at the root, `here` the folder in hand."""
    names = frozenset(map(normal, item.names))
    match item.source:
        case Source.SELECTED:
            return lambda place: place.folder.id == here
        case Source.INBOXES:
            # Where mail is delivered: into INBOX of each box (RFC 5465 section 6.3).
            return lambda place: place.folder.name == INBOX
        case Source.PERSONAL:
            return lambda place: place.box.id == primary
        case Source.SUBSCRIBED:
            return lambda place: place.subscribed
        case Source.MAILBOXES:
            return lambda place: place.name in names
        case Source.SUBTREE:
            everywhere = "" in names
            return lambda place: everywhere or not names.isdisjoint((place.name, *parents(place.name)))
        case Source.SUBTREE_ONE:
            return lambda place: place.name in names or place.name.rpartition("/")[0] in names
