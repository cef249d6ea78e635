"""Keeps the leases of claimed letters until their attempts are over (QUE-1)."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.store import Outbox

from .intake import Clock


class Leases:
    """Renews what is held three times in the life of a lease; ends the attempt of whoever has lost his."""

    def __init__(self, store: Outbox, clock: Clock, seconds: float, log: Log) -> None:
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._log = log
        self._held: dict[int, tuple[Claimed, asyncio.Task[None] | None]] = {}  # by the id of the first row

    def hold(self, letter: Claimed, task: asyncio.Task[None] | None = None) -> None:
        """Keep the lease of a letter; `task` is the attempt, once it has begun."""
        self._held[letter.rows[0].id] = letter, task

    def let_go(self, letter: Claimed) -> None:
        """Its attempt is over."""
        if self.holds(letter):
            del self._held[letter.rows[0].id]

    def holds(self, letter: Claimed) -> bool:
        """Whether the lease is still ours, as far as is known."""
        held = self._held.get(letter.rows[0].id)
        return held is not None and held[0] is letter

    async def keep(self) -> None:
        """Renew for ever; the store is asked only while something is held."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                await self._renew()
            except Exception as error:  # of the store, or of ours: the leases hold for two more tries
                self._log.fault(Event.STORE_FAULT, error)

    async def _renew(self) -> None:
        by_token: defaultdict[str, list[Claimed]] = defaultdict(list)
        for letter, _ in self._held.values():
            by_token[letter.lease].append(letter)
        until = self._clock.now() + self._seconds
        for token, letters in by_token.items():
            ids = [row.id for letter in letters for row in letter.rows]
            if await self._store.extend(token, ids, until):
                continue
            for letter in letters:  # one of them is no longer ours, or was settled in this moment
                if not await self._store.extend(token, [row.id for row in letter.rows], until):
                    self._lost(letter)

    def _lost(self, letter: Claimed) -> None:
        if self.holds(letter):
            _, task = self._held.pop(letter.rows[0].id)
            if task is not None:
                task.cancel()
