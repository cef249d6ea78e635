"""Queues, carries and meddles with the queue until it is killed, and says what is durable."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from pathlib import Path

from mss_gateway.ports.outbox import Lease, Share
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import Delivery, Settled
from tests.support.store import BACK_ENDS, NOW, body, delivery, trace_line

DOMAINS = ("nord.example", "sud.example", "est.example")


async def main(name: str, folder: Path) -> None:
    """Write `queued` and `ended` with addresses after the commit that is about them, `ending` before it, unbuffered."""
    back_end = next(back_end for back_end in BACK_ENDS if back_end.name == name)
    store = back_end.build(folder / "store")
    await store.open()
    os.write(1, b"ready\n")
    numbers = itertools.count()

    async def queue() -> None:
        for number in numbers:
            addresses = [f"r{os.getpid()}-{number}@{domain}" for domain in DOMAINS]
            await store.accept(delivery(body(), outbox=addresses))
            os.write(1, f"queued {' '.join(addresses)}\n".encode())

    async def carry(node: str) -> None:
        for turn in itertools.count():
            lease = Lease(f"{os.getpid()}-{node}-{turn}", NOW, NOW + 60, node)
            for letter in await store.claim(lease, Share(3, 2)):
                addresses = [str(row.recipient.address) for row in letter.rows]
                state = random.choice(["sent", "waiting"])
                settled = tuple(Settled(row.id, letter.lease, state, "x", NOW + 9) for row in letter.rows)
                if state == "sent":
                    os.write(1, f"ending {' '.join(addresses)}\n".encode())
                await store.accept(Delivery((), settled=settled))
                if state == "sent":
                    os.write(1, f"ended {' '.join(addresses)}\n".encode())

    async def meddle() -> None:
        for turn in itertools.count():
            some = Selection(domain=DOMAINS[turn % 3])
            await store.hold_rows(some, trace_line("held"), 5)
            await store.release_rows(some, NOW, trace_line("released"), 3)
            await store.retry_rows(EVERYTHING, NOW, trace_line("retried"), 4)

    await asyncio.gather(queue(), queue(), carry("a"), carry("b"), meddle())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
