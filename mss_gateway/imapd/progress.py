"""INPROGRESS (RFC 9585): signs of life while one command takes long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from mss_gateway.protocol.imap import responses
from mss_gateway.protocol.imap.quoting import string

from .rights import check_admitted
from .session import Session

T = TypeVar("T")
SHORT = 1000  # messages; a job on so few is over before anybody asks


class Progress:
    """Tells a client every few seconds how far its command is; `tag` is the command's."""

    def __init__(self, session: Session, tag: bytes) -> None:
        self._session = session
        self._interval = session.parts.options.progress
        # A closing bracket would end the response code.
        self._tag = b"NIL" if b"]" in tag else string(tag)
        self._due = time.monotonic() + self._interval

    async def tick(self, done: int, total: int) -> None:
        """Say it when it is time; call between answers, as often as convenient. `total` 0: not known.

        Raises `CommandFailed` when the one logged in may not go on: a whole mailbox takes minutes (BAL-5).
        """
        await check_admitted(self._session)
        if done < total or not total:
            now = time.monotonic()
            if now >= self._due:
                self._due = now + self._interval
                goal = b"%d" % total if total else b"NIL"
                await self._tell(b"%d %b" % (done, goal))

    async def while_waiting(self, work: Awaitable[T], count: int) -> T:
        """Await one long job of the store on `count` messages, with a sign of life from time to time."""
        if count <= SHORT:
            return await work
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((task,), timeout=self._interval))[0]:
                await self._tell(b"NIL NIL")
            return task.result()
        finally:
            task.cancel()

    async def _tell(self, state: bytes) -> None:
        self._session.send(responses.ok("still at it", b"INPROGRESS (%b %b)" % (self._tag, state)))
        await self._session.flush()
