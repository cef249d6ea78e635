"""Ends for good, in the background, what was removed and whose time to be brought back is over (OPS-5)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.removed import RemovedRows

FIRST = 900.0
"""Seconds after the start: a clock that is wrong then may be set, and who has restored an older backup may undelete."""

PAUSE = 3600.0  # seconds between two looks
BATCH = 200  # messages of one commit: nobody waits long behind it
REST = 0.05  # seconds between two commits


@dataclass(frozen=True, slots=True)
class Forgetting:
    """`keep` is how many seconds a removed message stays; 0 ends what an earlier setting kept."""

    rows: RemovedRows
    keep: float
    log: Log

    async def run(self) -> None:
        """Look every hour, for ever, and not at once."""
        await asyncio.sleep(FIRST)
        while True:
            try:
                await self.forget(time.time() - self.keep)
            except Exception as error:  # of the store, or of ours: the next look is for all of them
                self.log.fault(Event.STORE_FAULT, error)
            await asyncio.sleep(PAUSE)

    async def forget(self, before: float) -> int:
        """End what was removed before then; how many messages. Raises `StoreError`."""
        total = 0
        while done := await self.rows.forget_removed(before, limit=BATCH):
            total += done
            await asyncio.sleep(REST)
        return total
