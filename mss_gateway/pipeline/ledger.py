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


class Ledger:
    """Outcomes without a report wait for the commit under way and are written together; one with a report alone."""

    def __init__(self, store: Deliveries, desk: Desk, log: Log) -> None:
        self._store = store
        self._desk = desk
        self._log = log
        self._pending: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._unwritten = 0

    @property
    def failing(self) -> bool:
        """Whether outcomes wait that the store could not be told of: their rows may look free to be claimed."""
        return self._unwritten > 0

    async def finish(self) -> None:
        """Let the commit under way come to its end, with all that waits for it."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def write(self, letter: Claimed, verdicts: Sequence[Verdict], now: float) -> bool:
        """Return when it is durable, whatever it takes: what is forgotten now is sent twice.

        True when the store failed meanwhile: whoever waited for `failing` to end has to be woken.
        """
        delivery = await self._concluded(letter, verdicts, now)
        if not delivery.parts and await self._written_together(delivery):
            return False
        return await self._write_alone(delivery, letter, verdicts, now)

    async def _written_together(self, delivery: Delivery) -> bool:
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.append((delivery, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_pending())
        return await written

    async def _write_pending(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:TOGETHER], self._pending[TOGETHER:]
                done = await self._accepted([delivery for delivery, _ in batch])
                for _, written in batch:
                    if not written.done():  # its letter may have been cancelled
                        written.set_result(done)
        finally:
            self._writing = None

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
