"""Keeps the national directory current in the background, and takes up copies that others have made (domain 15.1)."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log

from .annuaire import Annuaire
from .options import DirectoryOptions
from .updating import Outcome, due, update_apart

POLL = 30.0  # seconds between two looks
AFTER_FAULT = 600.0  # seconds after a fault: with a full disk the publisher is not asked twice a minute

Apart = Callable[[DirectoryOptions, str], Awaitable[Outcome]]
"""Does one update where it disturbs nobody."""


class AnnuaireWatch:
    """Looks every so often; what goes wrong is logged, and the copy in force stays."""

    def __init__(
        self,
        options: DirectoryOptions,
        annuaire: Annuaire,
        log: Log,
        *,
        poll: float = POLL,
        apart: Apart = update_apart,
    ) -> None:
        self._options = options
        self._annuaire = annuaire
        self._log = log
        self._poll = poll
        self._apart = apart
        self._told: tuple[str, float] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause = self._poll
            try:
                await self.once()
            except (
                Exception
            ) as error:  # a fault here must not end the gateway: mail goes on without a directory
                self._log.fault(Event.OPERATION_FAULT, error)
                pause = AFTER_FAULT
            await asyncio.sleep(pause)

    async def once(self) -> None:
        """One look, with the update that is due."""
        await self._take_up()
        what = await asyncio.to_thread(functools.partial(due, self._options, time.time()))
        if not what:
            return
        outcome = await self._apart(self._options, what)
        if outcome.reason:
            self._log.warning(
                Event.DIRECTORY_REFUSED,
                source=outcome.source,
                reason=outcome.reason,
                sentence=outcome.sentence,
            )
        await self._take_up()

    async def _take_up(self) -> None:
        meta = await self._annuaire.open()
        if meta is None or self._told == (meta.digest, meta.imported_at):
            return
        self._told = (meta.digest, meta.imported_at)
        day = time.strftime("%Y-%m-%d", time.gmtime(meta.generated_at))
        self._log.info(
            Event.DIRECTORY_LOADED, rows=meta.rows, refused=meta.refused, generated=day, source=meta.source
        )
