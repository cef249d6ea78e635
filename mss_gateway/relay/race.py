"""The first of a host's addresses that connects (RFC 8305, "Happy Eyeballs"): a dead one costs a moment at most."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .dialled import Dialled, dial

STAGGER = 0.25
"""Seconds that an address has for itself before the next one is tried as well (RFC 8305 section 8)."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection; `behind` are the addresses that were tried before and had failed or not answered yet."""

    address: str
    stream: Dialled
    behind: tuple[str, ...]


class Unreached(Exception):
    """No address has connected; `failures` tells why, by address: `TimeoutError` or another `OSError`."""

    def __init__(self, failures: dict[str, OSError]) -> None:
        super().__init__("no address has connected")
        self.failures = failures


async def reach(addresses: Sequence[str], port: int, deadline: float) -> Reached:
    """Connect to one of the addresses, in their order, within `deadline` seconds in all; raises `Unreached`.

    The next one starts when the one before has failed or `STAGGER` has passed; the losers are closed.
    """
    if len(addresses) == 1:
        try:
            return Reached(addresses[0], await dial(addresses[0], port, deadline), ())
        except OSError as error:
            raise Unreached({addresses[0]: error}) from None
    race = _Race(addresses, port, deadline)
    try:
        return await race.run()
    finally:
        await race.clear()


class _Race:
    def __init__(self, addresses: Sequence[str], port: int, deadline: float) -> None:
        self._left = list(reversed(addresses))
        self._port = port
        self._due = asyncio.get_running_loop().time() + deadline
        self._runners: dict[asyncio.Task[Dialled], str] = {}
        self._failures: dict[str, OSError] = {}

    async def run(self) -> Reached:
        loop = asyncio.get_running_loop()
        while self._left or self._runners:
            if self._left:
                address = self._left.pop()
                left = max(self._due - loop.time(), 0.0)
                self._runners[loop.create_task(dial(address, self._port, left))] = address
            winner = await self._watch(STAGGER if self._left else None)
            if winner is not None:
                address = self._runners.pop(winner)
                return Reached(address, winner.result(), (*self._failures, *self._runners.values()))
        raise Unreached(self._failures)

    async def _watch(self, wait: float | None) -> asyncio.Task[Dialled] | None:
        """The first that has connected; None when the next one's turn has come, or one has failed."""
        done, _ = await asyncio.wait(self._runners, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        for task in self._runners:
            if task in done and task.exception() is None:
                return task
        for task in done:
            error = task.exception()
            if not isinstance(error, OSError):
                task.result()  # a fault of ours: it goes through
                continue
            self._failures[self._runners.pop(task)] = error
        return None

    async def clear(self) -> None:
        """Close who has lost, also who connects while it is called off."""
        losers = list(self._runners)
        for task in losers:
            task.cancel()
        for late in await asyncio.gather(*losers, return_exceptions=True):
            if isinstance(late, Dialled):
                late.abort()
