"""`mss-gateway encryption`: which key wraps how many bodies, and the work that changes it (OPS-5)."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from mss_gateway.ports.encryption import Encrypted, EncryptionStatus, Goal, Work, WorkRefused

from .operation import CONFLICT, NOT_ALLOWED, USAGE, Arguments, Operation, OperationRefused, Result, text
from .tracing import traced

STEP = 0.5
"""Seconds of work after which whoever asks hears how far it is."""

GLANCE = 0.05  # seconds between two looks at the work of the gateway


class Worker(Protocol):
    """Who works in the background of a gateway that serves; `last` is what was done last."""

    last: Work | None

    def wake(self) -> None:
        """There is work."""


class EncryptionOperations:
    """Without a worker nobody serves: whoever asks does the work."""

    def __init__(self, store: Encrypted, worker: Worker | None = None) -> None:
        self._store = store
        self._worker = worker

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "encryption.status": self.status,
            "encryption.begin": self.begin,
            "encryption.step": self.step,
            "encryption.wipe": self.wipe,
        }

    async def status(self, _: Arguments) -> Result:
        """Keys with their bodies, bodies in the clear, the work under way."""
        return _record(await self._store.encryption_status())

    async def begin(self, arguments: Arguments) -> Result:
        """Write work down; the gateway goes on with it by itself, whoever asked goes on with `encryption.step`."""
        name = text(arguments, "goal")
        try:
            goal = Goal(name)
        except ValueError:
            raise OperationRefused(f"There is no work {name!r}", "bad-argument", USAGE) from None
        try:
            work = await self._store.begin_work(goal, traced("encryption", arguments, None, goal=goal.value))
        except WorkRefused as refused:
            raise OperationRefused(refused.sentence, refused.reason, CONFLICT) from None
        if self._worker is not None:
            self._worker.wake()
        return {"work": _work(work)}

    async def step(self, _: Arguments) -> Result:
        """Work for a moment, or wait for the worker; `work` is null when there is none, over when `done` says so."""
        end = time.monotonic() + STEP
        if self._worker is not None:
            return await self._watch(self._worker, end)
        while True:
            work = await self._store.work_step()
            if work is not None and work.done:
                await self._store.end_work()
            if work is None or work.done or time.monotonic() > end:
                return {"work": None if work is None else _work(work), "done": work is None or work.done}

    async def _watch(self, worker: Worker, end: float) -> Result:
        while (work := await self._store.work_under_way()) is not None and time.monotonic() < end:  # noqa: ASYNC110 it happens in the store
            await asyncio.sleep(GLANCE)
        shown = work or worker.last
        return {"work": None if shown is None else _work(shown), "done": work is None}

    async def wipe(self, _: Arguments) -> Result:
        """Write the database anew, so that no page holds remains of what was changed or deleted."""
        if self._worker is not None:
            raise OperationRefused(
                "A gateway is running: stop it first, for the database is written anew as a whole",
                "serving",
                NOT_ALLOWED,
            )
        return {"octets": await self._store.wipe()}


def _record(status: EncryptionStatus) -> Result:
    keys = [
        {"name": key.name, "since": key.since, "messages": key.bodies, "active": key.active}
        for key in status.keys
    ]
    return {
        "encrypting": status.sealing,
        "keys": keys,
        "in_the_clear": status.clear,
        "work": None if status.work is None else _work(status.work),
    }


def _work(work: Work) -> Result:
    return {
        "goal": work.goal.value,
        "reached": work.reached,
        "until": work.until,
        "changed": work.changed,
        "started_at": work.started_at,
    }
