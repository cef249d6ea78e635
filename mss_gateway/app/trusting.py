"""Keeps the trust space current in the background: files, fetches, alarms in the log (TRU-2, TRU-3)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

from mss_gateway.directory.book import Book
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.trust.fetching import Source
from mss_gateway.trust.guard import Trust

TRUST_POLL = 5.0  # seconds between two looks at certificates, CRLs, the trusted list and what is due
_T = TypeVar("_T")


class TrustWatch:
    """Takes up what changed and what was fetched; what cannot be used is told and the old stays in force."""

    def __init__(self, trust: Trust, book: Book, log: Log) -> None:
        self._trust = trust
        self._book = book
        self._log = log
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._under_way: set[Source] = set()
        self._wanted: set[Source] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                await self._poll()
                due = self._wanted.union(self._trust.due_fetches()) - self._under_way
                self._wanted.clear()
                for source in due:
                    self._under_way.add(source)
                    group.create_task(self._fetch(source))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TRUST_POLL):
                        await self._wake.wait()

    async def reload(self) -> None:
        """SIGHUP: read every file again now, and have every address fetched."""
        try:
            await asyncio.to_thread(self._trust.reload)
        except Exception as error:  # what was in force stays; a fault here must not end the gateway
            self._log.fault(Event.OPERATION_FAULT, error)
            return
        self._book.forget()
        self._log.info(Event.CONFIG_RELOADED)
        self._tell()
        self._wanted.update(self._trust.sources)
        self._wake.set()

    async def _poll(self) -> None:
        try:
            loaded = await asyncio.to_thread(self._trust.poll)
        except Exception as error:  # as in `reload`
            self._log.fault(Event.OPERATION_FAULT, error)
            loaded = False
        if loaded:
            self._loaded()
        self._tell()

    async def _fetch(self, source: Source) -> None:
        try:
            outcome = await _apart(functools.partial(self._trust.fetch, source))
        except Exception as error:  # as in `reload`
            self._log.fault(Event.OPERATION_FAULT, error)
            return
        finally:
            self._under_way.discard(source)
        if outcome.reason:
            self._log.warning(
                Event.TRUST_FETCH_FAILED,
                what=source.what,
                url=source.url,
                reason=outcome.reason,
                sentence=outcome.sentence,
            )
        else:
            self._log.info(
                Event.TRUST_FETCHED,
                what=source.what,
                url=source.url,
                octets=outcome.octets,
                changed=outcome.changed,
            )
        if outcome.changed:
            self._loaded()
        self._tell()

    def _loaded(self) -> None:
        self._book.forget()
        found = self._trust.trusted_list
        generated = found.generated_at.isoformat()
        self._log.info(Event.TRUST_LOADED, domains=len(found.domains), generated=generated)

    def _tell(self) -> None:
        """Each alarm once, when it begins."""
        alarms = {(alarm.reason, alarm.about): alarm for alarm in self._trust.alarms()}
        for key in alarms.keys() - self._told:
            alarm = alarms[key]
            self._log.warning(Event.TRUST_REFUSED, reason=alarm.reason, sentence=alarm.sentence)
        self._told = frozenset(alarms)


async def _apart(work: Callable[[], _T]) -> _T:
    """Run in a thread that nobody waits for at the end: a silent publisher must not delay the gateway's stop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: Callable[[], None]) -> None:
        if not future.done():
            result()

    def act() -> None:
        try:
            result = functools.partial(future.set_result, work())
        except Exception as error:
            result = functools.partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the gateway has stopped
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=act, name="fetch", daemon=True).start()
    return await future
