"""Tells sessions that the folder they look at has changed, in the turn of the loop after the commit."""

from __future__ import annotations

from collections.abc import Callable


class Hub:
    """Keeps who looks at which folder. Listeners only take note; they never send or wait."""

    def __init__(self) -> None:
        self._watchers: dict[int, set[Callable[[], None]]] = {}

    def watch(self, folder_id: int, listener: Callable[[], None]) -> None:
        """Call `listener` at every change of the folder until `forget`."""
        self._watchers.setdefault(folder_id, set()).add(listener)

    def forget(self, folder_id: int, listener: Callable[[], None]) -> None:
        """Stop calling; unknown listeners are no mistake."""
        watchers = self._watchers.get(folder_id)
        if watchers is not None:
            watchers.discard(listener)
            if not watchers:
                del self._watchers[folder_id]

    def changed(self, folder_id: int, _modseq: int) -> None:
        """A commit changed the folder (a `ports.store.FolderListener`)."""
        for listener in tuple(self._watchers.get(folder_id, ())):
            listener()
