"""Carries what waits until it is killed, and writes down every recipient that a peer has taken over."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from mss_gateway.ports.relay import Letter, Outcome
from tests.support.couriers import FakeCourier, outcome
from tests.support.outbound import opened, running


async def main(folder: Path) -> None:
    """Run the outbound line; one line on standard output for each recipient taken over, unbuffered."""

    async def take(letter: Letter) -> tuple[Outcome, ...]:
        await asyncio.sleep(random.uniform(0.0, 0.01))
        for one in letter.recipients:
            os.write(1, f"{one.address}\n".encode())
        return tuple(outcome(one) for one in letter.recipients)

    courier = FakeCourier()
    courier.usual = take
    async with opened(folder) as store, running(store, courier):
        os.write(1, b"ready\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
