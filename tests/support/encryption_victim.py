"""Works on the bodies of a store until it is killed, or done."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mss_gateway.ports.encryption import Goal
from mss_gateway.storage.sqlite import EncryptionOptions, SqliteStore, reencryption
from tests.support.store import sqlite_options, trace_line


async def main(folder: Path, goal: Goal) -> None:
    """Small steps, so that a kill finds work under way; one line once it has begun."""
    reencryption.BODIES_AT_ONCE = reencryption.KEYS_AT_ONCE = 5
    encryption = EncryptionOptions(True, folder.parent / f"{folder.name}.keys")
    store = SqliteStore(sqlite_options(folder, encryption=encryption))
    await store.open()
    await store.begin_work(goal, trace_line("encryption"))
    os.write(1, b"begun\n")
    while (done := await store.work_step()) is not None and not done.done:
        continue
    await store.end_work()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Goal(sys.argv[2])))
