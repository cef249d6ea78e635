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
from mss_gateway.observe.durable import make_private, sync
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log
from mss_gateway.ports.store import StoreError
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refused import RefusedBook

from .logins import LoginBook, login_book
from .telemetry import telemetry

WORKERS = 4  # threads for disk writes and large scans
KEY_SIZE = 32  # octets of a secret key


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
    logins: LoginBook


@contextlib.asynccontextmanager
async def ground(settings: Settings, log: Log | None = None) -> AsyncIterator[Ground]:
    """Open store and trust space; raises `StoreError` and `TrustProblem` with one sentence for the operator."""
    log = log or Log(settings.log, Figures())
    log.spans = telemetry(settings.telemetry, settings.mta.hostname)
    trust = await asyncio.to_thread(Trust, settings.trust)
    refused = await asyncio.to_thread(RefusedBook, settings.trust.state)
    store = SqliteStore(settings.store)
    await store.open()
    key = secret_key(settings.state / "correlation.key")
    logins = login_book(settings, key)
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="disk")
    try:
        spool = clean_spool(settings.store.path / "spool")
        yield Ground(settings, log, store, trust, refused, logins.passwords, executor, spool, key, logins)
    finally:
        await store.close()
        await asyncio.to_thread(refused.close)
        await asyncio.to_thread(log.spans.close)
        await asyncio.to_thread(logins.close)
        executor.shutdown(wait=True)


def secret_key(path: Path) -> bytes:
    """32 random octets, made once and kept in a private file; raises OSError, and `StoreError` for a torn file."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = path.with_suffix(".new")
        made.unlink(missing_ok=True)
        make_private(made, os.urandom(KEY_SIZE))
        made.replace(path)
        sync(path.parent)
    key = path.read_bytes()
    if len(key) != KEY_SIZE:
        raise StoreError(
            f"{path}: this is not the key that was made ({len(key)} octets instead of {KEY_SIZE}): restore it from a"
            " backup, or remove it (marks in the trace change, and SCRAM works after the next login by password)"
        )
    return key


def clean_spool(folder: Path) -> Path:
    """Make the spool folder, without what a killed gateway left: nothing in it was ever acknowledged."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry.path)
    return folder
