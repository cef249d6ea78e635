"""Tells sessions that the folder they look at has changed, in the turn of the loop after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol, TypeVar

from mss_gateway.ports.tree import TreeEvent

from .notices import Notices
from .statuses import Statuses

T = TypeVar("T")


class Watcher(Protocol):
    """Somebody who wants to hear. Watchers only take note; they never send or wait."""

    def folder_changed(self, folder_id: int) -> None:
        """A commit changed a folder that is watched: keep it in mind."""

    def tree_changed(self, event: TreeEvent) -> None:
        """A commit changed the tree of folders, or the rights, of a box that is watched: wake up."""

    def wake(self) -> None:
        """Tell what has been kept in mind, if the client waits."""


MANY = 10
"""From so many watchers on, what it costs to wake all of them is counted."""

COST = 45e-6
"""Seconds that one watcher takes: to look, to write, to encrypt."""

SHARE = 0.15
"""The part of all time that may go into telling of one folder for longer than `BURST`."""

BURST = 1.0
"""Seconds of telling that may come at once."""


class Pace:
    """How much telling a folder has left. A storm of deliveries is told in sum, single ones at once."""

    __slots__ = ("at", "left", "timer")

    def __init__(self, now: float) -> None:
        self.left = BURST
        self.at = now
        self.timer: asyncio.TimerHandle | None = None

    def wait(self, watchers: int, now: float) -> float:
        """Seconds until the watchers may be woken; 0 takes what it costs."""
        self.left = min(BURST, self.left + (now - self.at) * SHARE)
        self.at = now
        cost = min(BURST, watchers * COST)
        if self.left >= cost:
            self.left -= cost
            return 0.0
        return (cost - self.left) / SHARE


class Hub:
    """Keeps who looks at which folder and at which box."""

    def __init__(self) -> None:
        self.notices = Notices()
        self.statuses = Statuses()
        self._folders: dict[int, set[Watcher]] = {}
        self._boxes: dict[int, set[Watcher]] = {}
        self._paces: dict[int, Pace] = {}  # of folders that many watch
        self._reads: dict[int, dict[Hashable, asyncio.Future[Any]]] = {}

    def watch(self, folder_id: int, watcher: Watcher) -> None:
        """Tell of every change of the folder until `forget`."""
        self._folders.setdefault(folder_id, set()).add(watcher)

    def forget(self, folder_id: int, watcher: Watcher) -> None:
        """Stop telling; unknown watchers are no mistake."""
        if _leave(self._folders, folder_id, watcher):
            pace = self._paces.pop(folder_id, None)
            if pace is not None and pace.timer is not None:
                pace.timer.cancel()

    def watch_box(self, box_id: int, watcher: Watcher) -> None:
        """Tell of every act on the tree and the rights of the box until `forget_box`."""
        self._boxes.setdefault(box_id, set()).add(watcher)

    def forget_box(self, box_id: int, watcher: Watcher) -> None:
        """Stop telling; unknown watchers are no mistake."""
        _leave(self._boxes, box_id, watcher)

    def changed(self, folder_id: int, _modseq: int) -> None:
        """A commit changed the folder (a `ports.store.FolderListener`)."""
        self._reads.pop(folder_id, None)  # whoever asks from now on must see this commit
        watchers = self._folders.get(folder_id)
        if watchers is None:
            return
        for watcher in watchers:
            watcher.folder_changed(folder_id)
        if len(watchers) < MANY:
            for watcher in watchers:
                watcher.wake()
        else:
            self._wake_many(folder_id)

    def _wake_many(self, folder_id: int) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        pace = self._paces.get(folder_id)
        if pace is None:
            pace = self._paces[folder_id] = Pace(now)
        if pace.timer is not None:
            return
        watchers = self._folders.get(folder_id, set())
        wait = pace.wait(len(watchers), now)
        if wait:
            pace.timer = loop.call_later(wait, self._wake_later, folder_id)
            return
        for watcher in watchers:
            watcher.wake()

    def _wake_later(self, folder_id: int) -> None:
        pace = self._paces.get(folder_id)
        if pace is not None:
            pace.timer = None
            self._wake_many(folder_id)

    def tree_changed(self, event: TreeEvent) -> None:
        """A commit changed a box (a `ports.tree.TreeListener`)."""
        for watcher in tuple(self._boxes.get(event.box_id, ())):
            watcher.tree_changed(event)

    async def together(self, folder_id: int, what: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Read something of a folder, once for all who ask for the same between two commits that change it.

        Many clients look at one folder, and a commit wakes all of them in the same turn of the loop. Raises what
        the read raises.
        """
        if len(self._folders.get(folder_id, ())) < 2:
            return await read()
        reads = self._reads.setdefault(folder_id, {})
        under_way: asyncio.Future[T] | None = reads.get(what)
        if under_way is None:
            under_way = reads[what] = asyncio.ensure_future(read())
            under_way.add_done_callback(lambda done: self._ended(folder_id, what, done))
        return await asyncio.shield(under_way)  # one client that leaves must not end it for the others

    def _ended(self, folder_id: int, what: Hashable, done: asyncio.Future[Any]) -> None:
        """A result is kept for nobody: a large one would stay in memory until the folder changes."""
        if not done.cancelled():
            done.exception()  # seen, even when all who asked have left
        reads = self._reads.get(folder_id)
        if reads is not None and reads.get(what) is done:
            del reads[what]
            if not reads:
                del self._reads[folder_id]


def _leave(watched: dict[int, set[Watcher]], key: int, watcher: Watcher) -> bool:
    """Was it the last one?"""
    watchers = watched.get(key)
    if watchers is None:
        return False
    watchers.discard(watcher)
    if not watchers:
        del watched[key]
    return not watchers
