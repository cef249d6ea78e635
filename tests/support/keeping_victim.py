"""Removes, brings back, forgets, changes keys, purges the trace, all at once, until it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

from mss_gateway.ports.encryption import Goal, WorkRefused
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.removed import Wanted
from mss_gateway.storage.sqlite import EncryptionOptions, SqliteStore, reencryption
from tests.support.store import ANYONE, NOW, body, delivery, sqlite_options, trace_line, uids


async def main(folder: Path, box: int, inbox: int) -> None:
    """Four tasks; a line once all have begun. The first messages, which nobody may lose, are only moved in and out."""
    reencryption.BODIES_AT_ONCE = reencryption.KEYS_AT_ONCE = 5
    encryption = EncryptionOptions(True, folder.parent / f"{folder.name}.keys")
    store = SqliteStore(replace(sqlite_options(folder, encryption=encryption), keep_deleted=1e6))
    await store.open()

    async def remove() -> None:
        while True:
            gone = (await uids(store, inbox))[:7]
            await store.store_flags(inbox, ANYONE, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
            await store.expunge(inbox, ANYONE, gone)
            kept = [one.id for one in await store.removed(box, Wanted(folder="INBOX"))]
            await store.bring_back(box, kept, "", trace_line("undeleted"))

    async def forget() -> None:
        for number in count():
            name = f"Passager {number}"
            await store.accept(delivery(body(b"p" * (100, 5000)[number % 2]), box, folder=name))
            await store.delete_folder(next(one.id for one in await store.folders(box) if one.name == name))
            ended = [one.id for one in await store.removed(box, Wanted(folder=name))]
            await store.bring_back(box, ended, "Retour", trace_line("undeleted"))
            back = next(one.id for one in await store.folders(box) if one.name == "Retour")
            await store.store_flags(
                back, ANYONE, await uids(store, back), FlagChange.ADD, frozenset({"\\Deleted"})
            )
            await store.expunge(back, ANYONE, None)

    async def rotate() -> None:
        for goal in (Goal.ENCRYPT, *[Goal.ROTATE] * 1_000_000):
            with contextlib.suppress(WorkRefused):
                await store.begin_work(goal, trace_line("encryption"))
            while (done := await store.work_step()) is not None and not done.done:
                continue
            await store.end_work()

    async def purge() -> None:
        while True:
            await store.seal_trace(time.time())
            await store.purge_trace(await store.plan_purge(NOW + 1), "gateway", time.time())

    tasks = [asyncio.create_task(work()) for work in (remove, forget, rotate, purge)]
    await asyncio.sleep(0.1)
    os.write(1, b"begun\n")
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
