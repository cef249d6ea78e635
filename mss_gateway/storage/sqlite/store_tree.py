"""The jobs of the store that change the tree of folders, who hears of them, and the counters of many folders."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw

from mss_gateway.ports.mailboxes import Counters, Folder, Viewer
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.tree import TreeEvent, TreeListener

from . import acting, folders, renaming
from .engine import Engine
from .messages import uid_list
from .store_traced import TracedRows


def counters(db: apsw.Connection, folder_ids: Sequence[int]) -> dict[int, Counters]:
    """The cheap counters of folders; those that are not there are left out."""
    rows = db.execute(
        "SELECT f.id, f.messages, f.uid_next, f.uid_validity, f.highest_modseq FROM json_each(?) AS j"
        " CROSS JOIN folders AS f ON f.id = j.value",
        (uid_list(folder_ids),),
    )
    return {folder_id: Counters(*row) for folder_id, *row in rows}


class TreeRows(TracedRows):
    """The part of `SqliteStore` about the tree of folders."""

    _engine: Engine
    _tree_listeners: list[TreeListener]

    def on_tree_change(self, listener: TreeListener) -> None:
        """Hear of every act on folders, subscriptions and rights."""
        self._tree_listeners.append(listener)

    def _tell_tree(self, events: Sequence[TreeEvent]) -> None:
        for event in events:
            for listener in self._tree_listeners:
                listener(event)

    async def counters(self, folder_ids: Sequence[int]) -> dict[int, Counters]:
        """The cheap counters of folders."""
        return await self._engine.read(lambda db: counters(db, folder_ids))

    async def create_folder(
        self, box_id: int, name: str, special_use: str = "", trace: TraceLine | None = None
    ) -> Folder:
        """Make a folder."""
        return await self._traced(trace, lambda w: folders.create_folder(w, box_id, name, special_use))

    async def delete_folder(
        self, folder_id: int, viewer: Viewer | None = None, trace: TraceLine | None = None
    ) -> None:
        """Remove a folder with its messages."""
        await self._traced(trace, lambda w: acting.delete_folder(w, folder_id, viewer, time.time()))

    async def rename_folder(self, folder_id: int, name: str, trace: TraceLine | None = None) -> None:
        """Rename with all inferiors."""
        await self._traced(trace, lambda w: renaming.rename_folder(w, folder_id, name))
