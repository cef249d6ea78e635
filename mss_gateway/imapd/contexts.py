"""Live search results (RFC 5267): what UPDATE has asked for is told as it changes, until CANCELUPDATE or SELECT.

A context hears of expunges before the client does, while the numbers still hold, and of additions and flags after.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands_search import CancelUpdate
from mss_gateway.protocol.imap.esearch import changed
from mss_gateway.protocol.imap.fetchitems import FetchItem
from mss_gateway.protocol.imap.searchkeys import SearchKey
from mss_gateway.protocol.imap.settling import keep_saved, shifting

from .announcing import announce
from .finding import find_uids
from .session import CommandFailed, News, Session

CONTEXTS = 16  # live searches of one session
RESULTS = 500_000  # UIDs that they hold together

Ordering = Callable[[Sequence[int]], Awaitable[list[int]]]
"""Gives UIDs in the order of a sorted context (CONTEXT=SORT); plain searches keep mailbox order."""


@dataclass(slots=True)
class Context:
    """One search whose results are kept up to date; `results` are UIDs in the order last told."""

    tag: bytes
    uid: bool
    key: SearchKey
    results: array[int]
    ordering: Ordering | None = None
    items: tuple[FetchItem, ...] = ()

    async def forget(self, session: Session, gone: Sequence[int]) -> None:
        """Messages are about to be expunged."""
        self._tell(session, self._removed(session, set(gone)), [])

    async def update(self, session: Session, news: News) -> None:
        """Something has changed: look again at what may have."""
        selected = session.folder
        touched = sorted({*news.added, *news.changed})
        whole = shifting(self.key)
        if not touched and not whole:
            return
        now = await find_uids(session, selected, self.key, None if whole else touched)
        if whole:
            gone, fresh = set(self.results).difference(now), sorted(set(now).difference(self.results))
        else:
            known = set(touched).intersection(self.results)
            gone, fresh = known.difference(now), [uid for uid in now if uid not in known]
        removed = self._removed(session, gone)
        added = await self._added(session, fresh)
        self._tell(session, removed, added)
        if self.items:
            # Not of what has come to match by its flags (RFC 5465 section 7).
            new = set(news.added)
            session.owe([uid for uid in fresh if uid in new], self.items)

    def _tell(
        self, session: Session, removed: list[tuple[int, bytes]], added: list[tuple[int, bytes]]
    ) -> None:
        if removed or added:
            session.send(changed(self.tag, uid=self._by_uid(session), removed=removed, added=added))

    def _removed(self, session: Session, gone: set[int]) -> list[tuple[int, bytes]]:
        if not gone.intersection(self.results):
            return []
        if self.ordering is None:
            shown = self._set(session, [uid for uid in self.results if uid in gone])
            self.results = array("L", [uid for uid in self.results if uid not in gone])
            return [(0, shown)]
        pairs = []
        for at in range(len(self.results) - 1, -1, -1):
            if self.results[at] in gone:
                pairs.append((at + 1, self._set(session, [self.results.pop(at)])))
        return pairs

    async def _added(self, session: Session, fresh: list[int]) -> list[tuple[int, bytes]]:
        if not fresh:
            return []
        if self.ordering is None:
            for uid in fresh:
                self.results.insert(bisect_left(self.results, uid), uid)
            return [(0, self._set(session, fresh))]
        new = set(fresh)
        ordered = await self.ordering([*self.results, *fresh])
        self.results = array("L", ordered)
        return [(at, self._set(session, [uid])) for at, uid in enumerate(ordered, 1) if uid in new]

    def _by_uid(self, session: Session) -> bool:
        return (
            self.uid or session.uidonly
        )  # UIDONLY may come after the search: no number is sent from then on

    def _set(self, session: Session, uids: list[int]) -> bytes:
        if self._by_uid(session):
            return responses.number_set(uids)
        number = session.folder.view.number
        return responses.number_set([number(uid) or 0 for uid in uids])


def check_tag(session: Session, tag: bytes) -> None:
    """Raise `CommandFailed` BAD when a live search has this tag already (RFC 5267 section 4.3)."""
    if any(context.tag == tag for context in session.contexts):
        raise CommandFailed("This tag names a search that is being updated", ending=Ending.BAD)


def keep(
    session: Session,
    tag: bytes,
    key: SearchKey,
    uids: Sequence[int],
    *,
    uid: bool,
    ordering: Ordering | None = None,
    items: tuple[FetchItem, ...] = (),
) -> None:
    """Begin to update a search whose results have just been found, in their order; NO [NOUPDATE] without room."""
    held = sum(len(context.results) for context in session.contexts)
    if len(session.contexts) >= CONTEXTS or held + len(uids) > RESULTS or b'"' in tag or b"]" in tag:
        # A bracket or a quote in the tag could not stand in the response code.
        shown = b'NOUPDATE "%b"' % tag if b"]" not in tag and b'"' not in tag else b"NOUPDATE"
        session.send(responses.no("too many searches are being updated", shown))
        return
    if not session.contexts:
        _follow(session)
    key = keep_saved(key, session.folder.view)
    session.contexts.append(Context(tag, uid, key, array("L", uids), ordering, items))
    if items:
        session.announce = partial(announce, session)


def _follow(session: Session) -> None:
    async def before(news: News) -> None:
        for context in tuple(session.contexts):
            await context.forget(session, news.vanished)

    async def after(news: News) -> None:
        for context in tuple(session.contexts):
            await context.update(session, news)

    session.forerunners.append(before)
    session.followers.append(after)


async def cancel_update(session: Session, request: Request) -> None:
    """CANCELUPDATE: all tags must name live searches, else nothing is cancelled."""
    command = request.command
    assert isinstance(command, CancelUpdate)
    live = {context.tag for context in session.contexts}
    if not live.issuperset(command.tags):
        raise CommandFailed("No search of that tag is being updated", ending=Ending.BAD)
    session.contexts[:] = [context for context in session.contexts if context.tag not in command.tags]
    session.core.tagged(Ending.OK, "no further updates")
