"""Accepts messages and writes lines of the trace until it is killed; says of each line when it is durable."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.engine import Writer
from mss_gateway.storage.sqlite.trace import insert_trace
from tests.support.store import body, delivery


async def main(folder: Path, box_id: int) -> None:
    """Three tasks: messages with lines, jobs that fail behind their line, seals."""
    store = SqliteStore(SqliteOptions(folder))
    await store.open()
    os.write(1, b"ready\n")

    def fails(writer: Writer) -> None:
        insert_trace(writer.db, [TraceLine(time.time(), "undone", "")])
        raise StoreError("on purpose")

    async def work(task: int) -> None:
        for turn in range(1_000_000):
            if task == 0:
                with contextlib.suppress(StoreError):
                    await store._engine.write(fails)
            elif task == 1 and turn % 20 == 0:
                await store.seal_trace(time.time())
            else:
                await store.accept(delivery(body(), box_id))
                await store.write_trace([TraceLine(time.time(), "login", "", actor="somebody")])
                os.write(1, b"line\n")

    await asyncio.gather(*(work(task) for task in range(5)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
