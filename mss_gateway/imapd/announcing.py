"""FETCH that nobody has asked for by a command: of new messages for NOTIFY, of search results for UPDATE (RFC 5465)."""

from __future__ import annotations

from itertools import groupby

from mss_gateway.protocol.imap.fetchitems import FetchItem

from .fetch import send_unasked
from .session import News, Session


async def announce(session: Session, news: News) -> None:
    """One FETCH for each message, with what all who want it told have named (RFC 5465 section 5.2).

    A message that this client has just put in itself is known to it.
    """
    owed, session.owed = session.owed, {}
    notifier = session.notifier
    wanted: dict[int, tuple[FetchItem, ...]] = {}
    if notifier is not None and notifier.selected is not None and notifier.selected.items:
        wanted = {uid: notifier.selected.items for uid in news.added if uid not in notifier.own}
        notifier.own.clear()
    for uid, items in owed.items():
        wanted[uid] = tuple(dict.fromkeys((*wanted.get(uid, ()), *items)))
    for items, group in groupby(sorted(wanted), wanted.__getitem__):
        await send_unasked(session, list(group), items)
