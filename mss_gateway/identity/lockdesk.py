"""Failed logins for ops, and on disk, so that a restart does not forgive a guesser (ACC-3)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from mss_gateway.ports.identity import Locked
from mss_gateway.ports.store import DirectoryRows

from .locks import Locks, is_address
from .whose import spelling, whose

EVERY = 5.0
"""Seconds between two writes, at least; what a crash loses is that young."""

LARGEST = 32 * 1024 * 1024
"""Octets of the file; a larger one is not ours."""


class LockFile:
    """Keeps `Locks` in one small file: no name that was typed is in it. Losing it forgives, no more."""

    def __init__(self, path: Path, locks: Locks, clock: Callable[[], float] = time.time) -> None:
        self.locks = locks
        self._path = path
        self._clock = clock

    def load(self) -> None:
        """Take what was written; a file that is missing or torn counts as empty."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if self._path.stat().st_size <= LARGEST:
                self.locks.load(json.loads(self._path.read_bytes()))

    def save(self) -> None:
        """Write down what is new, whole or not at all; raises OSError."""
        write = self._pending()
        if write is not None:
            write()

    def _pending(self) -> Callable[[], None] | None:
        """What has to be written, as it is at this moment."""
        if not self.locks.dirty:
            return None
        self.locks.dirty = False
        taken = self.locks.snapshot(self._clock())
        return lambda: self._write(json.dumps(taken()).encode())

    def _write(self, octets: bytes) -> None:
        new = self._path.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(octets)
        os.replace(new, self._path)

    async def run(self) -> None:
        """Write every few seconds, until cancelled; a full disk is tried again."""
        while True:
            await asyncio.sleep(EVERY)
            write = self._pending()
            if write is None:
                continue
            try:
                await asyncio.to_thread(write)
            except OSError:
                self.locks.dirty = True


class Desk:
    """Implements `ports.identity.LockDesk` over the counts of this process and their file."""

    def __init__(self, rows: DirectoryRows, file: LockFile, clock: Callable[[], float] = time.time) -> None:
        self._rows = rows
        self._file = file
        self._clock = clock

    async def locked(self) -> list[Locked]:
        """All counts, those that must wait longest first."""
        counted = list(self._file.locks.listed(self._clock()))
        ids = {
            int(one.account.removeprefix("person:")) for one in counted if one.account.startswith("person:")
        }
        logins = {f"person:{person.id}": person.login for person in await self._rows.persons(sorted(ids))}
        shown = [
            Locked(one.kind, logins.get(one.account, ""), one.source, one.failures, one.last, one.wait)
            for one in counted
        ]
        return sorted(shown, key=lambda one: (-one.wait, -one.failures, one.login, one.source))

    async def unlock(self, who: str) -> int:
        """Forget the failures of a login or of an IP address."""
        locks = self._file.locks
        if is_address(who):
            count = locks.unlock_source(who)
        else:
            person = await whose(self._rows, who)
            count = locks.unlock_account(locks.account(person.id if person else 0, spelling(who)))
            count += locks.unlock_account(locks.tokens(who))
        await asyncio.to_thread(self._file.save)
        return count
