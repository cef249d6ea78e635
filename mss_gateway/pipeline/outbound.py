"""Step 8b of the line: what waits for other operators is claimed, carried and settled, for ever (QUE-1, QUE-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.trace import without_return_path
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.outbox import Claimed, Lease
from mss_gateway.ports.records import Delivery
from mss_gateway.ports.relay import Courier, Fate, Letter, Outcome
from mss_gateway.ports.store import StaleLease, Store, StoreError
from mss_gateway.rules.retry import RetryOptions

from .destinations import Destinations
from .intake import Clock
from .letters import Stationery
from .outbound_reports import Desk, conclude, without_reports
from .outcomes import Verdict, interruptions, judge

T = TypeVar("T")

PAUSE_FIRST = 1.0
"""Seconds before a store that failed is asked again; doubled up to `PAUSE_MOST`."""

PAUSE_MOST = 30.0
"""Seconds at most between two tries of a failing store."""

LONGEST_SLEEP = 900.0
"""Seconds after which due times are looked at again although nothing has happened: the clock may have been set."""

_FAULT = "internal fault, tried again later"


@dataclass(frozen=True, slots=True)
class OutboundOptions:
    """Times in seconds (RCP-1, QUE-2); `total` letters under way at once, `per_domain` of one domain.

    `lease` is how long a claim holds without being renewed, `drain` what an attempt under way gets at shutdown.
    """

    retry_first: float = 60.0
    retry_most: float = 3600.0
    lifetime: float = 5 * 86400.0
    warn_after: float = 4 * 3600.0
    total: int = 200
    per_domain: int = 5
    lease: float = 300.0
    drain: float = 20.0

    @property
    def retry(self) -> RetryOptions:
        """The times that the rules decide by."""
        return RetryOptions(self.retry_first, self.retry_most, self.lifetime, self.warn_after)


class Outbound:
    """Carries letters to other operators. One for a store: it voids the leases of whoever ran before."""

    def __init__(
        self,
        store: Store,
        courier: Courier,
        book: AddressBook,
        stationery: Stationery,
        log: Log,
        options: OutboundOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._courier = courier
        self._options = options or OutboundOptions()
        self._clock = clock or Clock()
        self._stationery = stationery
        self._log = log
        self._desk = Desk(book, store, stationery, self._options.retry)
        self._destinations = Destinations(self._options.total, self._options.per_domain, self._options.retry)
        self._awake = asyncio.Event()
        self._stopping = False
        self._unwritten = 0  # attempts that are over and that the store could not be told of
        self._tasks: set[asyncio.Task[None]] = set()
        store.on_outbox(self.wake)

    def wake(self) -> None:
        """Look for work now: something was queued, or made due by hand."""
        self._awake.set()

    async def run(self) -> None:
        """Work for ever. On cancellation attempts under way get `drain` seconds; then their leases are left to void."""
        await self._persistently(self._void_leases)
        dispatcher = asyncio.create_task(self._dispatch())
        try:
            await asyncio.shield(dispatcher)
        finally:
            self._stopping = True
            self.wake()
            await self._drain(dispatcher)

    async def _void_leases(self) -> None:
        now = self._clock.now()
        left = await self._store.void_leases(now)
        if left:
            await self._store.write_trace(interruptions(left, now, self._stationery))

    async def _drain(self, dispatcher: asyncio.Task[None]) -> None:
        """What is claimed last is carried too: a claimed letter that is dropped would count as uncertain."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.drain
        await asyncio.wait({dispatcher}, timeout=self._options.drain)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline - loop.time()))
        left = {dispatcher, *self._tasks}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _dispatch(self) -> None:
        while True:
            self._awake.clear()
            timeout = await self._persistently(self._start_due)
            if self._stopping:
                return
            try:
                await asyncio.wait_for(self._awake.wait(), timeout)
            except TimeoutError:
                continue

    async def _persistently(self, run: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers: a full disk must not end what empties it."""
        pause = PAUSE_FIRST
        while True:
            try:
                return await run()
            except Exception as error:  # a fault of ours costs a pause, never the queue
                self._log.fault(Event.STORE_FAULT, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MOST)

    async def _start_due(self) -> float | None:
        """Claim and start until nothing is due or no slot is free; return for how long nothing will be.

        None: until somebody wakes us. Nothing is claimed while outcomes wait to be written: it might be the same rows.
        """
        while self._destinations.free > 0 and not self._unwritten and not self._stopping:
            now = self._clock.now()
            lease = Lease(self._stationery.new_id(), now, now + self._options.lease)
            letters = await self._store.claim(lease, self._destinations.share(now))
            if not letters:
                due = await self._store.next_due(self._destinations.busy(now))
                return None if due is None else min(max(due - now, 0.0), LONGEST_SLEEP)
            for letter in letters:
                self._start(letter)
        return None

    def _start(self, letter: Claimed) -> None:
        self._destinations.take(letter.domain)
        task = asyncio.create_task(self._carry(letter))
        self._tasks.add(task)
        task.add_done_callback(partial(self._carried, letter.domain))

    def _carried(self, domain: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._destinations.give_back(domain)
        self.wake()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log.fault(Event.GATEWAY_FAULT, error)

    async def _carry(self, letter: Claimed) -> None:
        """One letter from claim to commit. Of a silent domain it learns what the others did, without a connection."""
        dice = self._clock.bits(53) / (1 << 53)
        silence = self._destinations.silence(letter.domain, self._clock.now())
        if silence is not None:
            outcomes = silence.echo([row.recipient for row in letter.rows])
        else:
            found = await self._attempt(letter)
            if found is None:
                return
            outcomes = found
            self._destinations.heard(letter.domain, outcomes, self._clock.now(), dice)
        now = self._clock.now()
        silence = self._destinations.silence(letter.domain, now)
        again = silence.until if silence is not None else 0.0
        retry = self._options.retry
        verdicts = [
            judge(row, outcome, now, again, retry, dice)
            for row, outcome in zip(letter.rows, outcomes, strict=True)
        ]
        await self._settle(letter, verdicts, now)

    async def _attempt(self, letter: Claimed) -> tuple[Outcome, ...] | None:
        """Let the courier carry it while the lease is renewed; None when the lease was lost."""
        task = asyncio.create_task(self._courier.deliver(self._letter(letter)))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._options.lease / 3)
                if not task.done() and not await self._still_ours(letter):
                    return None
            outcomes = task.result()
            if len(outcomes) != len(letter.rows):
                raise ValueError("one outcome for each recipient")
            return outcomes
        except Exception as error:  # a fault of ours: the message stays, and is tried again
            self._log.fault(Event.GATEWAY_FAULT, error)
            return tuple(Outcome(row.recipient, Fate.TRY_LATER, "fault", _FAULT) for row in letter.rows)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _still_ours(self, letter: Claimed) -> bool:
        ids = [row.id for row in letter.rows]
        try:
            return await self._store.extend(letter.lease, ids, self._clock.now() + self._options.lease)
        except StoreError as error:  # the lease holds for two more tries
            self._log.fault(Event.STORE_FAULT, error)
            return True

    def _letter(self, letter: Claimed) -> Letter:
        return Letter(
            domain=letter.domain,
            sender=parse_address(letter.sender) if letter.sender else None,
            recipients=tuple(row.recipient for row in letter.rows),
            header=without_return_path(letter.header),
            text_size=letter.text_size,
            read_text=partial(self._store.read_text, letter.body_id),
            ret=letter.ret,
            envid=letter.envid,
        )

    async def _settle(self, letter: Claimed, verdicts: Sequence[Verdict], now: float) -> None:
        """Write what became of it, whatever it takes: what is forgotten now is sent twice."""
        pause = PAUSE_FIRST
        delivery = await self._concluded(letter, verdicts, now)
        while True:
            try:
                await self._store.accept(delivery)
                return
            except StaleLease as error:
                self._log.fault(Event.STORE_FAULT, error)
                return
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
