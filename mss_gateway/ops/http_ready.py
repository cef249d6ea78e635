"""Whether this gateway takes mail now, in slugs that tell nothing of anybody (OPS-4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from mss_gateway.ports.queue import Queue
from mss_gateway.ports.store import StoreError, StoreFull

from .health_store import OUT
from .operation import Result

PATIENCE = 3.0
"""Seconds that the store may take for one durable write."""

OVERDUE = 300.0
"""Seconds that a recipient may be due, at a domain that answers, before the queue counts as stuck."""

T = TypeVar("T")


class Kept(Generic[T]):
    """An answer kept for some seconds; many who ask at once wait for the same one."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._until = 0.0
        self._answer: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The answer; raises what asking has raised, which is not kept."""
        now = time.monotonic()
        task = self._answer
        if task is None or (task.done() and (now >= self._until or task.cancelled() or task.exception())):
            task = self._answer = asyncio.ensure_future(self._asked())
            task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _asked(self) -> T:
        try:
            return await self._ask()
        finally:
            self._until = time.monotonic() + self._seconds


def _seen(task: asyncio.Task[Any]) -> None:
    """Nobody may be waiting any more when it ends; a failure then is no fault of the loop."""
    if not task.cancelled():
        task.exception()


class Readiness:
    """Looks at what mail needs. `probe` writes durably; `status` is that of the trust space, blocking."""

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]],
        room: Callable[[], int],
        queue: Queue,
        silent: Callable[[], Sequence[str]],
        status: Callable[[], Result],
    ) -> None:
        self._probe, self._room = probe, room
        self._queue, self._silent, self._status = queue, silent, status
        self.draining = False
        self._kept: Kept[list[str]] = Kept(self._look, 1.0)

    async def reasons(self) -> list[str]:
        """Why not, as slugs; nothing when all is well."""
        if self.draining:
            return ["draining"]
        return await self._kept.get()

    async def _look(self) -> list[str]:
        found = await self._store()
        if not found:
            found += await self._moving()
        return found + await self._trust()

    async def _store(self) -> list[str]:
        if await asyncio.to_thread(self._room) < OUT:
            return ["disk-full"]
        try:
            async with asyncio.timeout(PATIENCE):
                await self._probe()
        except StoreFull:
            return ["disk-full"]
        except StoreError:
            return ["store-not-writable"]
        except TimeoutError:
            return ["store-slow"]
        return []

    async def _moving(self) -> list[str]:
        """A domain that does not answer is not our fault; rows that nobody takes up are."""
        now, silent = time.time(), set(self._silent())
        try:
            domains = await self._queue.queue_by_domain()
        except StoreError:
            return ["store-not-readable"]
        stuck = any(
            one.waiting
            and not one.leased
            and one.domain not in silent
            and one.next_attempt is not None
            and now - one.next_attempt > OVERDUE
            for one in domains
        )
        return ["queue-stuck"] if stuck else []

    async def _trust(self) -> list[str]:
        status: dict[str, Any] = await asyncio.to_thread(self._status)
        now, found = time.time(), []
        own = status["own"]
        if any(one["valid_until"] is None or one["valid_until"] < now for one in own):
            found.append("certificate-expired")
        elif any(one["valid_from"] > now for one in own):
            found.append("certificate-not-yet-valid")
        if any(alarm["reason"] == "crl-stale" for alarm in status["alarms"]):
            found.append("crl-stale")
        if not status["list"]["domains"]:
            found.append("list-empty")
        return found
