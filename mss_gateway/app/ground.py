"""What a gateway stands on: the open store, the trust space, threads, the spool; closed in the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mss_gateway.identity.passwords import Passwords
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refused import RefusedBook

WORKERS = 4  # threads for disk writes and large scans


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything else is built on; `key` makes the marks that stand for patients."""

    settings: Settings
    log: Log
    store: SqliteStore
    trust: Trust
    refused: RefusedBook
    passwords: Passwords
    executor: ThreadPoolExecutor
    spool: Path
    key: bytes


@contextlib.asynccontextmanager
async def ground(settings: Settings, log: Log | None = None) -> AsyncIterator[Ground]:
    """Open store and trust space; raises `StoreError` and `TrustProblem` with one sentence for the operator."""
    log = log or Log(settings.log, Figures())
    trust = await asyncio.to_thread(Trust, settings.trust)
    refused = await asyncio.to_thread(RefusedBook, settings.trust.state)
    store = SqliteStore(settings.store)
    await store.open()
    passwords = Passwords()
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="disk")
    try:
        spool = clean_spool(settings.store.path / "spool")
        key = secret_key(settings.state / "correlation.key")
        yield Ground(settings, log, store, trust, refused, passwords, executor, spool, key)
    finally:
        await store.close()
        await asyncio.to_thread(refused.close)
        passwords.close()
        executor.shutdown(wait=True)


def secret_key(path: Path) -> bytes:
    """32 random octets, made once and kept in a private file; raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(32))
        return path.read_bytes()


def clean_spool(folder: Path) -> Path:
    """Make the spool folder, without what a killed gateway left: nothing in it was ever acknowledged."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry.path)
    return folder
