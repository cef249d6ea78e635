"""Accepts messages until it is killed, and says of each one when it is durable."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mss_gateway.ports.records import SpoolFile
from tests.support.store import BACK_ENDS, SEALED, body, delivery


async def main(name: str, folder: Path, box_id: int) -> None:
    """Deliver from eight tasks; write `uid digest` for each accepted message, unbuffered."""
    back_end = next(back_end for back_end in (*BACK_ENDS, SEALED) if back_end.name == name)
    store = back_end.build(folder / "store")
    await store.open()
    os.write(1, b"ready\n")

    async def deliver(task: int) -> None:
        for turn in range(1_000_000):
            size = (100, 3000, 15_000)[turn % 3]
            text: bytes | SpoolFile = bytes([task + 65]) * size
            if size == 15_000:
                path = folder / f"spool-{os.getpid()}-{task}-{turn}"
                path.write_bytes(bytes([task + 65]) * size)
                text = SpoolFile(path, 0, size)
            new = body(text, message_id=f"<{os.getpid()}.{task}.{turn}@hopital.example>")
            (place,) = await store.accept(delivery(new, box_id))
            os.write(1, f"{place.uid} {new.digest.hex()}\n".encode())

    await asyncio.gather(*(deliver(task) for task in range(8)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
