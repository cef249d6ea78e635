"""Keeps the last good trusted list on disk, holds back mass removals, goes back by command (TRU-3)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .anchors import read_file
from .listing import TrustedList
from .refusals import ListRefused, TrustProblem

CURRENT, PREVIOUS, HELD, PINNED = "list.xml", "previous.xml", "held.xml", "rolled-back"


@dataclass(frozen=True, slots=True)
class ListDiff:
    """What a new list changes. `changed` are domains on both lists whose DNs differ."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    before: int
    after: int

    @property
    def removed_share(self) -> float:
        """Share of the old list's domains that the new one no longer has, 0 to 1."""
        return len(self.removed) / self.before if self.before else 0.0

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff(old: TrustedList, new: TrustedList) -> ListDiff:
    """Compare two lists domain by domain (`trust diff`)."""
    before, after = old.domains.keys(), new.domains.keys()
    return ListDiff(
        tuple(sorted(after - before)),
        tuple(sorted(before - after)),
        tuple(sorted(name for name in before & after if old.domains[name] != new.domains[name])),
        len(before),
        len(after),
    )


Verify = Callable[[bytes, TrustedList | None, datetime | None], TrustedList]
"""Verifies a list: octets, the list in force (None: any age), the time for the signer (None: now)."""


class ListShelf:
    """The files of one state folder: the list in force, the one before, and one that waits for a confirmation.

    Without a folder nothing outlives the process, and a held list is confirmed from memory.
    """

    def __init__(self, folder: Path | None, verify: Verify, max_removed: float) -> None:
        self._folder = folder
        self._verify = verify
        self._max_removed = max_removed
        self.current: TrustedList | None = None
        self.held: ListDiff | None = None
        self._held_data = b""
        self._pinned = ""

    def restore(self) -> TrustedList | None:
        """Take up the last good copy; None when there is none or it no longer verifies."""
        data = self._read(CURRENT)
        if data is None:
            return None
        self._pinned = (self._read(PINNED) or b"").decode("ascii", "replace")
        try:
            self.current = self._verify(data, None, self._stored_at(CURRENT))
        except ListRefused:
            return None
        return self.current

    def offer(self, data: bytes) -> TrustedList:
        """Verify a list and put it in force; raises `ListRefused`, also for a mass removal not confirmed.

        A list that was left by `rollback` is not taken up again; a newer one is.
        """
        new = self._verify(data, self.current, None)
        if new.digest == self._pinned and self.current is not None:
            return self.current
        if self.current is not None and new.digest == self.current.digest:
            return self.current
        if self.current is not None:
            change = diff(self.current, new)
            if change.removed_share > self._max_removed:
                self.held, self._held_data = change, data
                self._write(HELD, data)
                raise ListRefused(
                    "list-mass-removal",
                    f"the new trusted list drops {len(change.removed)} of {change.before} domains:"
                    " look at `trust diff`, then `trust confirm`",
                )
        return self._adopt(new, data)

    def confirm(self) -> TrustedList:
        """Put the held list in force; raises `ListRefused` when there is none, or it has become unfit."""
        data = self._held_data or self._read(HELD)
        if not data:
            raise ListRefused("list-nothing-held", "no trusted list waits for a confirmation")
        return self._adopt(self._verify(data, self.current, None), data)

    def rollback(self) -> TrustedList:
        """Go back to the list before the one in force, until a newer one comes; raises `ListRefused`."""
        data = self._read(PREVIOUS)
        if data is None or self.current is None:
            raise ListRefused("list-no-previous", "no earlier trusted list is kept")
        left = self.current.digest
        previous = self._verify(data, None, self._stored_at(PREVIOUS))
        self._write(CURRENT, data)
        self._remove(PREVIOUS)
        self._pinned = left
        self._write(PINNED, left.encode("ascii"))
        self.current = previous
        return previous

    def _adopt(self, new: TrustedList, data: bytes) -> TrustedList:
        before = self._read(CURRENT)
        if before is not None:
            self._write(PREVIOUS, before)
        self._write(CURRENT, data)
        self._remove(HELD)
        self._remove(PINNED)
        self.held, self._held_data, self._pinned = None, b"", ""
        self.current = new
        return new

    def _stored_at(self, name: str) -> datetime:
        """When a copy was verified and stored: its signer is judged by that time."""
        assert self._folder is not None
        return datetime.fromtimestamp((self._folder / name).stat().st_mtime, UTC)

    def _read(self, name: str) -> bytes | None:
        if self._folder is None or not (self._folder / name).is_file():
            return None
        return read_file(self._folder / name)

    def _write(self, name: str, data: bytes) -> None:
        if self._folder is None:
            return
        path = self._folder / name
        temporary = path.with_name(f".{name}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise TrustProblem(
                "list-not-kept",
                f"{path}: the trusted list cannot be kept ({error.strerror}): check the folder",
            ) from None

    def _remove(self, name: str) -> None:
        if self._folder is not None:
            (self._folder / name).unlink(missing_ok=True)
