"""Brings old bodies under encryption, or out of it, step by step while mail goes on (OPS-5)."""

from __future__ import annotations

import asyncio
import contextlib
import time

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.encryption import Encrypted, Work

SHARE = 2.0
"""Pause after a step, in steps: the work takes a third of the store's time at most."""

LEAST_PAUSE = 0.01  # seconds
AFTER_FAULT = 30.0
"""Seconds until the store is asked again that could not do it."""

SWEEP = 40.0
"""Seconds between two looks for files that hold nothing any more."""


class Reencryption:
    """What is under way when the gateway starts goes on; `wake` tells of more."""

    def __init__(self, store: Encrypted, log: Log) -> None:
        self._store = store
        self._log = log
        self._woken = asyncio.Event()
        self.last: Work | None = None  # what was done last

    def wake(self) -> None:
        """Work was written down."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled; what is not done then is done after the next start."""
        while True:
            pause: float | None = None
            try:
                if await self._store.work_under_way() is not None:
                    await self._work()
                if await self._store.sweep_segments():
                    pause = SWEEP
            except Exception as error:  # of the store, or of ours: the next look is for all of them
                self._log.fault(Event.STORE_FAULT, error)
                pause = AFTER_FAULT
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            self._woken.clear()

    async def _work(self) -> None:
        while True:
            began = time.monotonic()
            work = await self._store.work_step()
            if work is None:
                return
            if work.done:
                self.last = work
                await self._store.end_work()
                self._tell(work)
                return
            await asyncio.sleep(max(LEAST_PAUSE, SHARE * (time.monotonic() - began)))

    def _tell(self, work: Work) -> None:
        self._log.info(Event.ENCRYPTION_DONE, goal=work.goal.value, changed=work.changed)
