"""What every login and every SELECT asks of the directory, remembered until a commit changes it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import apsw

from .engine import Engine

T = TypeVar("T")

LIMIT = 4096  # answers kept


class Remembered:
    """Answers of the reader thread by key. The store forgets them all in the turn of the loop in which the commit is
    told, before whoever wrote it goes on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[Hashable, Any] = {}
        self._changes = 0

    async def read(self, key: Hashable, run: Callable[[apsw.Connection], T]) -> T:
        """The answer kept, or that of a hop to the store; None is not kept. Nobody may change what is returned."""
        kept: T | None = self._kept.get(key)
        if kept is not None:
            return kept
        changes = self._changes
        found = await self._engine.read(run)
        # What was read before a change that has been told meanwhile would stay for ever.
        if found is not None and changes == self._changes:
            if len(self._kept) >= LIMIT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def forget(self) -> None:
        """A commit changed the directory, or folders."""
        self._changes += 1
        self._kept.clear()
