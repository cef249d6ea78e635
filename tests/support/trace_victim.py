"""Writes lines of the trace, with entries after each few, until it is killed; says of each when it is durable."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import SqliteOptions
from mss_gateway.storage.sqlite.engine import Engine
from mss_gateway.storage.sqlite.trace import insert_trace
from tests.support.store import NOW


async def main(folder: Path, waiting: int) -> None:
    """Four tasks, so that commits have one line or more."""
    engine = Engine(SqliteOptions(folder, trace_waiting=waiting))
    await engine.open()
    os.write(1, b"ready\n")

    async def work(task: int) -> None:
        for turn in range(1_000_000):
            line = TraceLine(NOW + turn, "login", f"t{task}-{turn}", f"<{task}-{turn}@x.example>", 1)
            await engine.write(lambda writer, line=line: insert_trace(writer.db, [line]))
            os.write(1, b"line\n")

    await asyncio.gather(*(work(task) for task in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
