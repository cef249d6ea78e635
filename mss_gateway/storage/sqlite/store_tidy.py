"""The store's rounds that end what is not needed for ever, step by step (OPS-5)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial

from mss_gateway.ports.housekeeping import Tidied

from . import compaction, expunges, receipts, threads
from .engine import Engine

FOLDERS_AT_ONCE = 2000
"""Folders that are looked at in one hop."""

RECEIPTS_AT_ONCE = 500
"""Receipts that are looked at in one commit."""

SEGMENTS_AT_ONCE = 2000
"""Segments that are looked at in one hop."""


class TidyRows:
    """Implements `ports.housekeeping.HousekeepingRows`; the store gives the engine."""

    _engine: Engine

    async def forget_expunges(self, now: float, keep: float, least: int) -> AsyncIterator[Tidied]:
        """Mark how far the folders are, and forget what is old and surplus."""
        read, write = self._engine.read, self._engine.write
        after = 0
        while after >= 0:
            look = partial(expunges.crowded, after=after, limit=FOLDERS_AT_ONCE, least=least)
            folders, after = await read(look)
            yield Tidied()
            for folder in folders:
                await write(partial(expunges.mark, folder_id=folder, now=now, keep=keep))
                ask = partial(expunges.border, folder_id=folder, now=now, keep=keep, least=least)
                until = await read(ask)
                while until is not None and (rows := await write(partial(expunges.forget, until=until))):
                    yield Tidied(rows)

    async def forget_threads(self) -> AsyncIterator[Tidied]:
        """Box by box: what its messages belong to is read first, the rest is forgotten."""
        read, write = self._engine.read, self._engine.write
        box_id = await read(partial(threads.next_box, after=0))
        while box_id is not None:
            start: int | None = threads.FIRST
            while start is not None:
                begun = await read(partial(threads.horizon, box_id=box_id))
                known, start = await read(partial(threads.known, box_id=box_id, start=start))
                ended = set(known.values())
                async with aclosing(self._conversations(begun)) as messages:
                    async for alive in messages:
                        ended -= alive
                        yield Tidied()
                        if not ended:
                            break
                dead = [one for one, thread in known.items() if thread in ended]
                for at in range(0, len(dead), threads.FORGOTTEN_AT_ONCE):
                    some = {one: known[one] for one in dead[at : at + threads.FORGOTTEN_AT_ONCE]}
                    forget = partial(threads.forget_threads, begun=begun, conversations=some)
                    yield Tidied(await write(forget))
            box_id = await read(partial(threads.next_box, after=box_id))

    async def forget_receipts(self) -> AsyncIterator[Tidied]:
        """By their numbers."""
        after = 0
        while after >= 0:
            look = partial(receipts.forget_answered, after=after, limit=RECEIPTS_AT_ONCE)
            rows, after = await self._engine.write(look)
            yield Tidied(rows)

    async def compact(self, below: float) -> AsyncIterator[Tidied]:
        """Segment by segment, as long as the disk has room."""
        read, write = self._engine.read, self._engine.write
        after = 0
        while after >= 0:
            look = partial(compaction.sparse, after=after, limit=SEGMENTS_AT_ONCE, below=below)
            segments, after = await read(look)
            yield Tidied()
            for segment in segments:
                if not await asyncio.to_thread(compaction.has_room, self._engine.options):
                    return
                while (moved := await write(partial(compaction.move_texts, segment=segment))).rows:
                    yield moved

    async def _conversations(self, begun: threads.Horizon) -> AsyncGenerator[set[int], None]:
        """Those of the messages of a box, then those of what was removed from it, piece by piece."""
        read = self._engine.read
        for folder_id in begun.folders:
            uid: int | None = 0
            while uid is not None:
                alive, uid = await read(partial(threads.in_folder, folder_id=folder_id, after=uid))
                yield alive
        place: tuple[float, int] | None = (-math.inf, 0)
        while place is not None:
            alive, place = await read(partial(threads.among_removed, box_id=begun.box_id, after=place))
            yield alive
