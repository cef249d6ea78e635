"""Step 8b of the line: what waits for other operators is claimed, carried and settled, for ever (QUE-1, QUE-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.outbox import Claimed, Lease, Share
from mss_gateway.ports.records import Delivery, Settled
from mss_gateway.ports.relay import Courier, Outcome
from mss_gateway.ports.store import Store
from mss_gateway.rules.retry import RetryOptions

from .attempts import Attempts
from .destinations import Destinations, Heard, Silence
from .intake import Clock
from .leases import Leases
from .ledger import PAUSE_FIRST, PAUSE_MOST, Ledger
from .letters import Stationery
from .outbound_reports import Desk
from .outcomes import interruptions, judge
from .relay_log import RelayLog

T = TypeVar("T")

LONGEST_SLEEP = 900.0
"""Seconds after which due times are looked at again although nothing has happened: the clock may have been set."""

LOOK_EVERY = 0.1
"""Seconds between two looks at what is due later, while there is plenty due now."""

LET_IN_EVERY = 0.1
"""Seconds between two claims for domains of which nothing is held, while others could fill all the room there is."""


@dataclass(frozen=True, slots=True)
class OutboundOptions:
    """Times in seconds (RCP-1, QUE-2); `total` letters under way at once, `per_domain` of one domain.

    A domain begins with `first` letters at a time, None: with all that it may have.

    `lease` is how long a claim holds without being renewed, `drain` what an attempt under way gets at shutdown;
    `node` names this gateway among those that share the queue (QUE-4).
    """

    retry_first: float = 60.0
    retry_most: float = 3600.0
    lifetime: float = 5 * 86400.0
    warn_after: float = 4 * 3600.0
    total: int = 200
    per_domain: int = 5
    first: int | None = None
    lease: float = 300.0
    drain: float = 20.0
    node: str = ""

    @property
    def retry(self) -> RetryOptions:
        """The times that the rules decide by."""
        return RetryOptions(self.retry_first, self.retry_most, self.lifetime, self.warn_after)


class Outbound:
    """Carries letters to other operators. One for a node: it voids the leases of whoever ran under its name before."""

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
        self._attempts = Attempts(store, courier, log)
        self._options = options or OutboundOptions()
        self._clock = clock or Clock()
        self._stationery = stationery
        self._log = log
        self.desk = Desk(book, store, stationery, self._options.retry)
        self._ledger = Ledger(store, self.desk, log)
        self._leases = Leases(store, self._clock, self._options.lease, log)
        self._destinations = Destinations(
            self._options.total, self._options.per_domain, self._options.retry, self._options.first
        )
        self._told = RelayLog(log)
        self._awake = asyncio.Event()
        self._stopping = False
        self._let_in = -LET_IN_EVERY  # when newcomers were last let in, in the loop's time
        self._claimed = 0.0  # when the last claim was over, in the loop's time
        self._looked = -LOOK_EVERY  # when it was last asked what is due later, in the loop's time
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[int] = set()  # letters whose attempt is not over, by the id of their first row
        store.on_outbox(self.wake)

    def wake(self) -> None:
        """Look for work now: something was queued, or made due by hand."""
        self._awake.set()

    def now(self) -> float:
        """The moment by which the queue lives, epoch seconds."""
        return self._clock.now()

    @property
    def silences(self) -> Mapping[str, Silence]:
        """Domains that have not answered since they failed."""
        return self._destinations.silences

    @property
    def under_way(self) -> Mapping[str, int]:
        """Attempts that are being made now, by domain."""
        return self._destinations.under_way

    @property
    def counted(self) -> Mapping[Event, int]:
        """Recipients relayed, deferred and failed since the start, by event."""
        return self._told.counted

    def ask_again(self, domain: str) -> None:
        """End the silence of a domain: it is asked with one letter now, and with all when that one gets through."""
        self._destinations.ask_again(domain, self._clock.now())

    def lease(self, now: float) -> Lease:
        """A new lease for this node."""
        return Lease(self._stationery.new_id(), now, now + self._options.lease, self._options.node)

    async def run(self) -> None:
        """Work for ever. On cancellation attempts under way get `drain` seconds; then their leases are left to void."""
        await self._persistently(self._void_leases)
        keeper = asyncio.create_task(self._leases.keep())
        dispatcher = asyncio.create_task(self._dispatch())
        try:
            await asyncio.shield(dispatcher)
        finally:
            self._stopping = True
            self.wake()
            await self._drain(dispatcher)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _void_leases(self) -> None:
        now = self._clock.now()
        left = await self._store.void_leases(now, self._options.node)
        if left:
            await self._store.write_trace(interruptions(left, now, self._stationery))

    async def _drain(self, dispatcher: asyncio.Task[None]) -> None:
        """What is claimed is carried too while there is time; what has not begun then is given back."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.drain
        await asyncio.wait({dispatcher}, timeout=self._options.drain)
        while self._tasks and loop.time() < deadline:
            await asyncio.wait(self._tasks, timeout=deadline - loop.time())
        unbegun = list(self._destinations.leave())
        left = {dispatcher, *self._tasks}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._ledger.finish()
        await self._give_back(unbegun)

    async def _give_back(self, letters: Sequence[Claimed]) -> None:
        """Letters that no peer has seen are due again, and not uncertain."""
        now = self._clock.now()
        for letter in letters:
            rows = tuple(Settled(row.id, letter.lease, "waiting", row.last_error, now) for row in letter.rows)
            try:
                await self._store.accept(Delivery((), settled=rows))
            except Exception as error:  # the lease is left to void then
                self._log.fault(Event.STORE_FAULT, error)

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
        """Claim and start until nothing is due or there is no room; return for how long nothing will be.

        None: until somebody wakes us. Nothing is claimed while outcomes wait to be written: it might be the same rows.
        """
        loop = asyncio.get_running_loop()
        while not self._ledger.failing and not self._stopping:
            now = self._clock.now()
            self._start_at_hand()
            if self._destinations.crowded and loop.time() - self._let_in >= LET_IN_EVERY:
                first = self._destinations.share_of_newcomers(now)
                if first.total > 0:
                    self._let_in = loop.time()
                    self._destinations.put(await self._claim(now, first))
            share = self._destinations.share(now)
            if share.total <= 0:
                self._start_at_hand()
                return None
            letters = await self._claim(now, share)
            since, self._claimed = loop.time() - self._claimed, loop.time()
            self._destinations.claimed(share, letters, since)
            self._start_at_hand()
            if letters and loop.time() - self._looked < LOOK_EVERY:
                return LOOK_EVERY
            due = await self._store.next_due(self._destinations.left_out(now))
            self._looked = loop.time()
            if not letters or due is None or due > now:
                return None if due is None else min(max(due - now, 0.0), LONGEST_SLEEP)
        return None

    async def _claim(self, now: float, share: Share) -> list[Claimed]:
        """Lease what is due, and read what is small of it; outcomes that wait go into the same commit."""
        self._ledger.press()
        letters = await self._store.claim(self.lease(now), share)
        for letter in letters:
            self._leases.hold(letter)
        silent = self._destinations.silences
        await self._attempts.read([letter for letter in letters if letter.domain not in silent])
        return letters

    def _start_at_hand(self) -> None:
        """Start what may start. While outcomes cannot be written nothing new begins: it could not be either."""
        while not self._ledger.failing:
            letter = self._destinations.next(self._clock.now())
            if letter is None:
                return
            if not self._leases.holds(letter):
                self._attempts.forget(letter)
                if self._destinations.ended(letter.domain, self._clock.now()):
                    self.wake()
                self._destinations.written(letter.domain)
                continue
            task = asyncio.create_task(self._carry(letter))
            self._leases.hold(letter, task)
            self._tasks.add(task)
            self._under_way.add(letter.rows[0].id)
            task.add_done_callback(partial(self._carried, letter))

    def _attempted(self, letter: Claimed) -> None:
        """The attempt is over, or will never begin: its room is free."""
        self._under_way.discard(letter.rows[0].id)
        self._leases.let_go(letter)
        if self._destinations.ended(letter.domain, self._clock.now()):
            self.wake()

    def _carried(self, letter: Claimed, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if letter.rows[0].id in self._under_way:  # cancelled before its first step
            self._attempted(letter)
        self._destinations.written(letter.domain)
        self._start_at_hand()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log.fault(Event.GATEWAY_FAULT, error)

    async def _carry(self, letter: Claimed) -> None:
        """One letter from claim to commit. Of a silent domain it learns what the others did, without a connection.

        Its room is free as soon as the peer has answered: the next letter does not wait for the disk, unless as many
        wait for it as may be under way, since a crash sends those twice.
        """
        dice = self._clock.bits(53) / (1 << 53)
        begun = asyncio.get_running_loop().time()
        silence = self._destinations.silence(letter.domain, self._clock.now())
        try:
            if silence is not None:
                self._attempts.forget(letter)
                outcomes = silence.echo([row.recipient for row in letter.rows])
            else:
                outcomes = await self._attempts.make(letter)
                self._learn(letter.domain, outcomes, dice)
        finally:
            self._attempted(letter)
            self._start_at_hand()
        now = self._clock.now()
        quiet = self._destinations.silence(letter.domain, now)
        again = quiet.until if quiet is not None else 0.0
        retry = self._options.retry
        verdicts = [
            judge(row, outcome, now, again, retry, dice)
            for row, outcome in zip(letter.rows, outcomes, strict=True)
        ]
        if silence is None:
            self._told.attempt(letter.domain, verdicts, asyncio.get_running_loop().time() - begun)
        pressing = self._destinations.pressing(letter.domain)
        late = await self._ledger.write(letter, verdicts, now, pressing=pressing)
        if late or any(one.then is not None for one in verdicts):
            self.wake()  # its next moment may come before all that are known

    def _learn(self, domain: str, outcomes: Sequence[Outcome], dice: float) -> None:
        now = self._clock.now()
        heard = self._destinations.heard(domain, outcomes, now, dice)
        if heard is Heard.SILENT:
            self._told.silent(domain, self._destinations.silences[domain], now)
        elif heard is Heard.BACK:
            self._told.back(domain)
