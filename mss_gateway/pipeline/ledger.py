"""Writes what became of letters, many in one commit, until the store has them (QUE-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.records import Delivery
from mss_gateway.ports.store import Deliveries, StaleLease, StoreError

from .outbound_reports import Desk, conclude, without_reports
from .outcomes import Verdict

PAUSE_FIRST = 1.0
"""Seconds before a store that failed is asked again; doubled up to `PAUSE_MOST`."""

PAUSE_MOST = 30.0
"""Seconds at most between two tries of a failing store."""

TOGETHER = 200
"""Letters at most whose outcomes go into one commit."""

COMPANY = 16
"""Letters whose outcomes are enough for a commit of their own."""

COMPANY_SECONDS = 0.004
"""Seconds that an outcome waits at most for others to share its commit with, right after another commit."""


class Ledger:
    """Outcomes without a report wait for the commit under way and are written together; one with a report alone.

    A commit costs as much as ten outcomes. So while they come fast they wait some milliseconds for each other, unless
    one is `pressing`, since letters wait for it.
    """

    def __init__(self, store: Deliveries, desk: Desk, log: Log) -> None:
        self._store = store
        self._desk = desk
        self._log = log
        self._pending: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._unwritten = 0
        self._committed = -1.0  # when the last commit was over, in the loop's time
        self._pressed = False
        self._companions: asyncio.Future[None] | None = None  # what the next commit waits for

    @property
    def failing(self) -> bool:
        """Whether outcomes wait that the store could not be told of: their rows may look free to be claimed."""
        return self._unwritten > 0

    async def finish(self) -> None:
        """Let the commit under way come to its end, with all that waits for it."""
        if self._writing is not None:
            self.press()
            await asyncio.wait({self._writing})

    def press(self) -> None:
        """Write what waits for company, now."""
        self._pressed = bool(self._pending)
        if self._companions is not None and not self._companions.done():
            self._companions.set_result(None)

    async def write(
        self, letter: Claimed, verdicts: Sequence[Verdict], now: float, *, pressing: bool = False
    ) -> bool:
        """Return when it is durable, whatever it takes: what is forgotten now is sent twice.

        True when the store failed meanwhile: whoever waited for `failing` to end has to be woken.
        """
        delivery = await self._concluded(letter, verdicts, now)
        if not delivery.parts and await self._written_together(delivery, pressing):
            return False
        return await self._write_alone(delivery, letter, verdicts, now)

    async def _written_together(self, delivery: Delivery, pressing: bool) -> bool:
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.append((delivery, written))
        if pressing or len(self._pending) >= COMPANY:
            self.press()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_pending())
        return await written

    async def _write_pending(self) -> None:
        try:
            while self._pending:
                await self._for_company()
                batch, self._pending = self._pending[:TOGETHER], self._pending[TOGETHER:]
                self._pressed = False
                done = await self._accepted([delivery for delivery, _ in batch])
                self._committed = asyncio.get_running_loop().time()
                for _, written in batch:
                    if not written.done():  # its letter may have been cancelled
                        written.set_result(done)
        finally:
            self._writing = None

    async def _for_company(self) -> None:
        """Wait for more to write, if some was written a moment ago: what comes alone is written at once."""
        loop = asyncio.get_running_loop()
        if self._pressed or loop.time() - self._committed > COMPANY_SECONDS:
            return
        self._companions = loop.create_future()
        timer = loop.call_later(COMPANY_SECONDS, self.press)
        try:
            await self._companions
        finally:
            timer.cancel()
            self._companions = None

    async def _accepted(self, deliveries: Sequence[Delivery]) -> bool:
        """One commit for all. When it fails each is tried alone, which tells whose fault it is."""
        settled = tuple(row for one in deliveries for row in one.settled)
        trace = tuple(line for one in deliveries for line in one.trace)
        try:
            await self._store.accept(Delivery((), trace=trace, settled=settled))
        except Exception:  # met again, and told, by those whose it is
            return False
        return True

    async def _write_alone(
        self, delivery: Delivery, letter: Claimed, verdicts: Sequence[Verdict], now: float
    ) -> bool:
        pause = PAUSE_FIRST
        while True:
            try:
                await self._store.accept(delivery)
                return pause > PAUSE_FIRST
            except StaleLease as error:
                self._log.fault(Event.STORE_FAULT, error)
                return pause > PAUSE_FIRST
            except StoreError as error:
                self._log.fault(Event.STORE_FAULT, error)
            self._unwritten += 1
            try:
                await asyncio.sleep(pause)
                delivery = await self._concluded(letter, verdicts, now)  # a mailbox may have gone meanwhile
            finally:
                self._unwritten -= 1
            pause = min(pause * 2, PAUSE_MOST)

    async def _concluded(self, letter: Claimed, verdicts: Sequence[Verdict], now: float) -> Delivery:
        try:
            return await conclude(letter, verdicts, self._desk, now)
        except Exception as error:  # a report that cannot be written must not make the message go twice
            self._log.fault(Event.GATEWAY_FAULT, error)
            return without_reports(letter, verdicts, self._desk, now)
