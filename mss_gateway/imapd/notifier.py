"""What one session has asked to hear of (RFC 5465), and what waits to be told. It only takes note: `notify` tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mss_gateway.ports.mailboxes import Counters
from mss_gateway.ports.tree import TreeEvent
from mss_gateway.protocol.imap.commands_notify import EventGroup, Occasion
from mss_gateway.protocol.imap.commands_search import Source

from .listing import Catalogue, Visible, everything
from .sources import chooser

if TYPE_CHECKING:
    from .session import Session

MOST_FOLDERS = 2000
"""Mailboxes that one session may hear of."""

MOST_ACTS = 1000
"""Acts on names, subscriptions and rights that wait for one session; of more the client is told by an overflow."""

_NAMED = frozenset({Source.MAILBOXES, Source.SUBTREE, Source.SUBTREE_ONE})


class Overflow(Exception):
    """More than one session may hear of (RFC 5465 section 5.8)."""


@dataclass(slots=True)
class Watched:
    """A mailbox that the session hears of. `counters` are as last told, None when anything at all is news."""

    place: Visible
    occasions: frozenset[Occasion]
    counters: Counters | None = None


@dataclass(slots=True)
class Act:
    """Something that has happened to names, subscriptions or rights; `own` when this client has done it."""

    event: TreeEvent
    own: bool = False


class Notifier:
    """The groups of NOTIFY SET, none at all for NOTIFY NONE. A `hub.Watcher`."""

    __slots__ = (
        "_access",
        "_acts",
        "_pending",
        "_session",
        "_tests",
        "barred",
        "occasions",
        "overflown",
        "own",
        "selected",
        "watched",
    )

    def __init__(self, session: Session, groups: Iterable[EventGroup]) -> None:
        self._session = session
        primary = session.who.primary.id
        self.selected: EventGroup | None = None
        self._tests = []
        for group in groups:
            if group.selected:
                self.selected = group
            else:
                self._tests.append((group, chooser(group.filter, primary, 0)))
        self.occasions = frozenset().union(*(group.occasions for group, _ in self._tests))
        self.watched: dict[int, Watched] = {}
        self.barred: set[int] = set()  # folders that the client knows it may not hear of
        self.own: set[int] = set()  # UIDs that this client has just put into the folder in hand itself
        self.overflown = False
        self._pending: dict[int, None] = {}
        self._acts: list[Act] = []
        self._access = -1
        if self._tests:
            for box in session.who.boxes:
                session.parts.hub.watch_box(box.id, self)

    def close(self) -> None:
        """Hear of nothing any more."""
        hub = self._session.parts.hub
        for folder_id in self.watched:
            hub.forget(folder_id, self)
        self.watched = {}
        for box in self._session.who.boxes if self._tests else ():
            hub.forget_box(box.id, self)

    # --- what the hub tells

    def folder_changed(self, folder_id: int) -> None:
        """Messages of a mailbox have changed; those of the folder in hand are `sync`'s to tell."""
        selected = self._session.selected
        if selected is not None and selected.folder.id == folder_id:
            self.watched[folder_id].counters = None
            return
        self._pending[folder_id] = None

    def wake(self) -> None:
        """Tell it now, if the client waits for that."""
        self._session.stream.wake()

    def tree_changed(self, event: TreeEvent) -> None:
        """Names, subscriptions or rights have changed."""
        if event.person_id and event.person_id != self._session.who.person_id:
            return
        if len(self._acts) < MOST_ACTS:
            self._acts.append(Act(event))
        else:
            self.overflown = True
        self._session.stream.wake()

    # --- what the session asks

    @property
    def muted(self) -> bool:
        """Does the client want to hear nothing of the messages in the folder in hand?"""
        return self.selected is None or not self.selected.occasions

    @property
    def flags(self) -> bool:
        """Does it want to hear of their flags?"""
        return self.selected is not None and Occasion.FLAG_CHANGE in self.selected.occasions

    @property
    def delayed(self) -> bool:
        """Must expunges wait for a command that allows EXPUNGE?"""
        return self.selected is not None and self.selected.delayed

    def waiting(self) -> bool:
        """Is there anything to look at?"""
        return bool(self._pending or self._acts) or self.overflown

    def hears(self, folder_id: int, occasion: Occasion) -> bool:
        """Is this told of a folder?"""
        one = self.watched.get(folder_id)
        return one is not None and occasion in one.occasions

    def overlook(self, box_id: int, names: Iterable[str]) -> None:
        """The client has done this itself, and knows it (RFC 5465 section 5)."""
        known = set(names)
        for act in self._acts:
            act.own = act.own or (act.event.box_id == box_id and act.event.name in known)

    def take_acts(self) -> list[Act]:
        """What has happened to names, once."""
        acts, self._acts = self._acts, []
        return acts

    def take_pending(self) -> list[int]:
        """Folders whose messages have changed, once; those that are not heard of any more are left out."""
        pending, self._pending = self._pending, {}
        selected = self._session.selected
        here = selected.folder.id if selected is not None else 0
        return [folder_id for folder_id in pending if folder_id in self.watched and folder_id != here]

    def outdated(self, acts: list[Act]) -> bool:
        """Must `refresh` be called before anything is told?"""
        return bool(acts) or self._access != self._session.parts.login.generation

    async def refresh(self) -> Catalogue:
        """Find out which mailboxes the groups mean now; raises `Overflow`.

        Of a mailbox that comes in later with messages in it, the client hears as of one that has changed.
        """
        later = self._access >= 0
        self._access = self._session.parts.login.generation
        catalogue = await everything(self._session)
        found: dict[int, Watched] = {}
        for place in catalogue.mailboxes:
            occasions = self._occasions(place)
            if occasions and "r" in place.rights:
                known = self.watched.get(place.folder.id)
                found[place.folder.id] = Watched(place, occasions, known.counters if known else None)
        if len(found) > MOST_FOLDERS:
            raise Overflow
        hub = self._session.parts.hub
        for folder_id in self.watched.keys() - found.keys():
            hub.forget(folder_id, self)
        fresh = [folder_id for folder_id in found if folder_id not in self.watched]
        for folder_id in fresh:
            hub.watch(folder_id, self)
        self.watched = found
        counters = await self._session.mailboxes.counters(fresh) if fresh else {}
        for folder_id, now in counters.items():
            if later and now.messages:
                self._pending[folder_id] = None
            elif folder_id in self.watched:
                self.watched[folder_id].counters = now
        return catalogue

    def barred_names(self, catalogue: Catalogue) -> list[Visible]:
        """Mailboxes asked for by their names that may be listed, but not read."""
        named = [test for group, test in self._tests if group.filter.source in _NAMED and group.occasions]
        return [
            place
            for place in catalogue.mailboxes
            if "r" not in place.rights and any(test(place) for test in named)
        ]

    def _occasions(self, place: Visible) -> frozenset[Occasion]:
        """What is told of a mailbox: what all groups say that name it, up to one that says NONE."""
        found: frozenset[Occasion] = frozenset()
        for group, test in self._tests:
            if test(place):
                if not group.occasions:
                    break
                found |= group.occasions
        return found
