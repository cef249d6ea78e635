"""Ends in the background what a store need not keep for ever, in small steps while mail goes on (OPS-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.housekeeping import HousekeepingRows, Tidied

FIRST = 1200.0
"""Seconds after the start until the first round: a clock that is wrong then may be set."""

EVERY = 6 * 3600.0
"""Seconds between two rounds."""

LEAST = 10_000
"""Expunges that each folder remembers whatever their age."""

SHARE = 4.0
"""Pause after a step, in steps: a round takes a fifth of the store's time at most."""

LEAST_PAUSE = 0.02  # seconds
SWEEP = 40.0
"""Seconds between two looks for segment files that hold nothing any more."""


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """`remember` is for how many seconds expunges are remembered.

    Segment files of which a smaller share than `below` is needed are compacted, none with 0.
    """

    rows: HousekeepingRows
    remember: float
    below: float
    log: Log

    async def run(self) -> None:
        """A round every few hours, for ever, and not at once."""
        await asyncio.sleep(FIRST)
        while True:
            await self.round()
            await asyncio.sleep(EVERY)

    async def round(self) -> Tidied:
        """All that is due now; what one part cannot do keeps no other from its work."""
        rows = octets = 0
        for steps in (
            self.rows.forget_expunges(time.time(), self.remember, LEAST),
            self.rows.forget_threads(),
            self.rows.forget_receipts(),
            self.rows.compact(self.below),
        ):
            done = await self._part(steps)
            rows, octets = rows + done.rows, octets + done.octets
        await self._part(self._swept())
        return Tidied(rows, octets)

    async def _swept(self) -> AsyncIterator[Tidied]:
        """Files that were emptied go a while later."""
        while await self.rows.sweep_segments():
            await asyncio.sleep(SWEEP)
            yield Tidied()

    async def _part(self, steps: AsyncIterator[Tidied]) -> Tidied:
        rows = octets = 0
        try:
            began = time.monotonic()
            async for done in steps:
                rows, octets = rows + done.rows, octets + done.octets
                await asyncio.sleep(max(LEAST_PAUSE, SHARE * (time.monotonic() - began)))
                began = time.monotonic()
        except Exception as error:  # of the store, or of ours: the next round is for all of them
            self.log.fault(Event.STORE_FAULT, error)
        return Tidied(rows, octets)
