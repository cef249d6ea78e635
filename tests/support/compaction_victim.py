"""Forgets expunges and Message-IDs and moves texts out of segments, while mail comes and goes, until it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from itertools import count
from pathlib import Path

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.storage.sqlite import EncryptionOptions, SqliteStore, compaction, expunges, store_encryption
from tests.support.store import ANYONE, body, delivery, sqlite_options, uids


async def main(folder: Path, box: int, inbox: int, first: int) -> None:
    """Two tasks; a line once both have begun. The first messages are left alone, those behind come and go."""
    compaction.LEAST_WON, compaction.TEXTS_AT_ONCE, expunges.AT_ONCE = 1, 2, 3
    store_encryption.STILL_READ = 0.0
    ring = folder.parent / f"{folder.name}.keys"
    encryption = EncryptionOptions(True, ring) if ring.exists() else None
    store = SqliteStore(sqlite_options(folder, encryption=encryption))
    await store.open()

    async def tidy() -> None:
        while True:
            for steps in (
                store.compact(1.0),
                store.forget_expunges(time.time(), 0.0, 2),
                store.forget_threads(),
            ):
                async for _ in steps:
                    await store.sweep_segments()

    async def mail() -> None:
        for number in count():
            for size in (5000, 9000, 2500):
                await store.accept(delivery(body(bytes([number % 251]) * size), box))
            gone = [uid for uid in await uids(store, inbox) if uid > first][:-2]
            await store.store_flags(inbox, ANYONE, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
            await store.expunge(inbox, ANYONE, gone)

    with contextlib.suppress(asyncio.CancelledError):
        os.write(1, b"begun\n")
        await asyncio.gather(tidy(), mail())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
