"""The store's methods for SEARCH."""

from __future__ import annotations

from collections.abc import Sequence

from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.protocol.imap.searchkeys import SearchKey

from . import searches
from .engine import Engine


class SearchRows:
    """The part of `SqliteStore` that answers search keys in SQL."""

    _engine: Engine

    def answers_search(self, key: SearchKey) -> bool:
        """Can SQL tell?"""
        return searches.expressible(key)

    async def search_uids(
        self, folder_id: int, viewer: Viewer, key: SearchKey, among: Sequence[int], *, span: bool
    ) -> list[int]:
        """UIDs for which the key holds."""
        return await self._engine.read(
            lambda db: searches.find_uids(db, folder_id, viewer, key, among, span=span)
        )

    async def headers(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """UID and header block of messages."""
        return await self._engine.read(lambda db: searches.headers(db, folder_id, uids))
