"""Delivers, expunges and indexes until it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.storage.sqlite import SqliteStore, index
from tests.support.store import ANYONE, sqlite_options, uids
from tests.support.textindex import put


async def main(folder: Path, folder_id: int, start: int) -> None:
    """Append messages that name their turn, expunge every third of them, search all the time."""
    index._BUSY = -1.0
    index.BATCH = 8
    store = SqliteStore(sqlite_options(folder))
    await store.open()
    for turn in range(start, 1_000_000):
        text = f"Subject: tour{turn}\r\n\r\nmot{turn} commun " + "texte " * (turn % 7 * 300)
        await put(store, folder_id, text.encode())
        if turn % 3 == 0:
            first = (await uids(store, folder_id))[:1]
            await store.store_flags(folder_id, ANYONE, first, FlagChange.ADD, frozenset({"\\Deleted"}))
            await store.expunge(folder_id, ANYONE, first)
        await store.find_text(folder_id, "text", "commun")
        if turn == start + 3:  # from now on there are some messages, whatever is expunged
            os.write(1, b"ready\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
