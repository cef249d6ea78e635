"""Keeps the last good trusted list on disk, holds back mass removals, goes back by command (TRU-3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from mss_gateway.observe.durable import sync

from .anchors import read_file
from .files import keep, keep_copy
from .listing import TrustedList
from .refusals import ListRefused

CURRENT, PREVIOUS, HELD, PINNED = "list.xml", "previous.xml", "held.xml", "rolled-back"
SOURCES = "sources.json"
FILE, APPLIED, ROLLBACK = "file", "applied", "rollback"
"""Sources of a list besides an address."""
MASS_REMOVAL = "list-mass-removal"


@dataclass(frozen=True, slots=True)
class ListDiff:
    """What a new list (`new`) changes of another (`old`). `changed` are domains on both lists whose DNs differ."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    before: int
    after: int
    old: TrustedList = field(repr=False, compare=False)
    new: TrustedList = field(repr=False, compare=False)

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
        old,
        new,
    )


Verify = Callable[[bytes, TrustedList | None, datetime | None], TrustedList]
"""Verifies a list: octets, the list in force (None: any age), the time for the signer (None: now)."""


class ListShelf:
    """The files of one state folder: the list in force, the one before, and one that waits for a confirmation.

    Lists come from sources: `file`, an address, `applied` by command, or `rollback`. What a source gave last
    is known by its digest, so that a file or an address that did not change never undoes what came after it.
    Without a folder nothing outlives the process. Verifying is slow; reading the attributes is not.
    """

    def __init__(self, folder: Path | None, verify: Verify, max_removed: float) -> None:
        self._folder = folder
        self._verify = verify
        self._max_removed = max_removed
        self.current: TrustedList | None = None
        self.before: ListDiff | None = None  # the list in force against the one before, once looked at
        self.held: ListDiff | None = None
        self.source = ""
        self._held_data = b""  # without a folder
        self._held_digest = ""
        self._held_from = ""
        self._pinned = ""
        self._last: dict[str, str] = {}

    def restore(self) -> TrustedList | None:
        """Take up the last good copy and what waits; None when there is no copy or it no longer verifies."""
        data = self._read(CURRENT)
        if data is None:
            return None
        self._pinned = (self._read(PINNED) or b"").decode("ascii", "replace")
        self._recall()
        try:
            self.current = self._verify(data, None, self._stored_at(CURRENT))
        except ListRefused:
            return None
        self._restore_held()
        return self.current

    def offer(self, data: bytes, source: str) -> TrustedList:
        """Verify a list and put it in force; raises `ListRefused`, also for a mass removal not confirmed.

        What the source gave before, and a list that was left by `rollback`, is not taken up again.
        """
        digest = sha256(data).hexdigest()
        if self.current is not None and digest in (self.current.digest, self._last.get(source), self._pinned):
            if self._held_from == source:  # it was thought better of
                self._forget_held()
            self._note(source, digest)
            return self.current
        if self.held is not None and digest == self._held_digest:
            raise ListRefused(MASS_REMOVAL, mass_removal(self.held))
        new = self._verify(data, self.current, None)
        self._hold_mass_removal(new, data, source)
        return self._adopt(new, data, source, source)

    def apply(self, data: bytes) -> TrustedList:
        """Put a list in force by command, also one that was left before; raises `ListRefused` as `offer` does."""
        new = self._verify(data, self.current, None)
        if self.current is not None and new.digest == self.current.digest:
            return self.current
        self._hold_mass_removal(new, data, APPLIED)
        return self._adopt(new, data, APPLIED, APPLIED)

    def preview(self, data: bytes) -> ListDiff:
        """What a list would change; raises `ListRefused` when it could not be taken at all."""
        if self.current is None:
            raise ListRefused("list-none", "no trusted list is in force to compare with")
        return diff(self.current, self._verify(data, self.current, None))

    def confirm(self) -> TrustedList:
        """Put the held list in force; raises `ListRefused` when there is none, or it has become unfit."""
        data = self._held_data or self._read(HELD)
        if not data:
            raise ListRefused("list-nothing-held", "no trusted list waits for a confirmation")
        new = self._verify(data, self.current, None)
        return self._adopt(new, data, self._held_from or APPLIED, APPLIED)

    def rollback(self) -> TrustedList:
        """Go back to the list before the one in force, until a newer one comes; raises `ListRefused`."""
        data = self._read(PREVIOUS)
        if data is None or self.current is None or self._folder is None:
            raise ListRefused("list-no-previous", "no earlier trusted list is kept")
        left = self.current.digest
        previous = self._verify(data, None, self._stored_at(PREVIOUS))
        if previous.digest == left:
            raise ListRefused("list-no-previous", "no earlier trusted list is kept")
        self._pinned = left
        self._write(PINNED, left.encode("ascii"))
        # The file keeps its time: by that of its own taking its signer is judged.
        (self._folder / PREVIOUS).replace(self._folder / CURRENT)
        sync(self._folder)
        self.current, self.before = previous, None
        self.source = ROLLBACK
        self._keep_sources()
        return previous

    def compare_previous(self) -> ListDiff | None:
        """The list in force against the one before, None when none is kept; raises `ListRefused`."""
        if self.before is None and self.current is not None:
            data = self._read(PREVIOUS)
            if data is not None:
                self.before = diff(self._verify(data, None, self._stored_at(PREVIOUS)), self.current)
        return self.before

    def _hold_mass_removal(self, new: TrustedList, data: bytes, source: str) -> None:
        if self.current is None:
            return
        change = diff(self.current, new)
        if change.removed_share <= self._max_removed:
            return
        self._write(HELD, data)
        self._held_data = b"" if self._folder is not None else data
        self.held, self._held_digest, self._held_from = change, new.digest, source
        self._keep_sources()
        raise ListRefused(MASS_REMOVAL, mass_removal(change))

    def _forget_held(self) -> None:
        self._remove(HELD)
        self.held, self._held_data, self._held_digest, self._held_from = None, b"", "", ""

    def _restore_held(self) -> None:
        data = self._read(HELD)
        if data is None or self.current is None:
            return
        try:
            new = self._verify(data, self.current, None)
            self.held, self._held_digest = diff(self.current, new), new.digest
        except ListRefused:  # overtaken by a newer one, or its signer is no longer good
            self._remove(HELD)

    def _adopt(self, new: TrustedList, data: bytes, source: str, shown: str) -> TrustedList:
        if self._folder is not None and self.current is not None and (self._folder / CURRENT).is_file():
            keep_copy(self._folder / PREVIOUS, self._folder / CURRENT)
        change = diff(self.current, new) if self.current is not None else None
        self._write(CURRENT, data)
        self._forget_held()
        self._remove(PINNED)
        self._pinned = ""
        self.current, self.before = new, change
        self._last[source] = new.digest
        self.source = shown
        self._keep_sources()
        return new

    def _note(self, source: str, digest: str) -> None:
        """The source gave this; it is in force, or was and is not to come back."""
        if self._last.get(source) == digest and self.source:
            return
        self._last[source] = digest
        self.source = self.source or source
        self._keep_sources()

    def _keep_sources(self) -> None:
        text = {"source": self.source, "held_from": self._held_from, "last": self._last}
        self._write(SOURCES, json.dumps(text).encode("utf-8"))

    def _recall(self) -> None:
        """A record that cannot be read only means that sources are believed to be new."""
        try:
            text = json.loads(self._read(SOURCES) or b"{}")
            self.source = str(text.get("source", ""))
            self._held_from = str(text.get("held_from", ""))
            self._last = {str(name): str(digest) for name, digest in text.get("last", {}).items()}
        except (ValueError, AttributeError):
            self._last = {}

    def _stored_at(self, name: str) -> datetime:
        """When a copy was verified and stored: its signer is judged by that time."""
        assert self._folder is not None
        return datetime.fromtimestamp((self._folder / name).stat().st_mtime, UTC)

    def _read(self, name: str) -> bytes | None:
        if self._folder is None or not (self._folder / name).is_file():
            return None
        return read_file(self._folder / name)

    def _write(self, name: str, data: bytes) -> None:
        if self._folder is not None:
            keep(self._folder / name, data)

    def _remove(self, name: str) -> None:
        if self._folder is not None:
            (self._folder / name).unlink(missing_ok=True)


def mass_removal(change: ListDiff) -> str:
    """The sentence of a list that waits because it drops too many domains."""
    return (
        f"the new trusted list drops {len(change.removed)} of {change.before} domains:"
        " look at `trust diff`, then put it in force with `trust apply`"
    )
