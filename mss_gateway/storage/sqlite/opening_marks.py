"""The mark of a restore that is not complete: no gateway starts on it."""

from __future__ import annotations

from pathlib import Path

from mss_gateway.ports.store import StoreError

MARKER = "restore-is-not-complete"
"""File in a store's folder until everything of a restore is there."""


def refuse_incomplete(store: Path) -> None:
    """Raises `StoreError` for a store that was restored in part."""
    if (store / MARKER).exists():
        raise StoreError(
            f"The store in {store} was restored in part only, the restore was interrupted: remove {store.parent} and"
            " restore again"
        )
