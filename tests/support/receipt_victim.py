"""Opens messages and is killed by itself right after the commit of the opening, before any receipt is written."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from mss_gateway.mail.address import parse_address
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from tests.support.store import ANYONE, inbox, uids


async def main(folder: Path, patient: str) -> None:
    """SIGKILL from inside, in the moment in which the writer of receipts would be woken."""
    store = SqliteStore(SqliteOptions(folder))
    await store.open()
    box = await store.box(parse_address(patient).key)
    assert box is not None
    place = await inbox(store, box.id)
    known = await uids(store, place)
    store.on_opened(lambda: os.kill(os.getpid(), signal.SIGKILL))
    await store.store_flags(place, ANYONE, known, FlagChange.ADD, frozenset({"\\Seen"}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
