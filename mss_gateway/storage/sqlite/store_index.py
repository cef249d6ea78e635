"""The store's side of text search: its index, or nothing when it is switched off."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from mss_gateway.ports.textsearch import FuzzyHits, TextHits

from .index import TextIndex


class TextRows:
    """Implements `ports.textsearch.TextSearch`."""

    _index: TextIndex

    async def find_text(self, folder_id: int, field: str, needle: str) -> TextHits:
        """Messages of a folder that contain a folded needle."""
        return await self._index.find(folder_id, field, needle)

    async def find_fuzzy(self, folder_id: int, words: Sequence[str]) -> FuzzyHits:
        """Messages of a folder in which most of the words occur."""
        return await self._index.find_fuzzy(folder_id, words)

    def reading_texts(self) -> AbstractContextManager[None]:
        """A search reads messages: it goes before the making of indexes."""
        return self._index.standing_back()

    async def reindex(self, box_id: int) -> int:
        """Make the index of a box anew."""
        return await self._index.reindex(box_id)
