"""Trace lines that come with no delivery: refusals, logins. Written in the background, bounded."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError, Trace
from mss_gateway.rules.ins import mask_text

LIMIT = 10_000  # lines waiting; beyond it new ones are only counted
PAUSE = 0.2  # seconds between two writes


class Notes:
    """Collects trace lines and writes them in batches, so that a refused peer costs no fsync of its own."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._lines: list[TraceLine] = []
        self._dropped = 0
        self._filled = asyncio.Event()

    def add(self, line: TraceLine) -> None:
        """Queue one line; a patient's login is an INS, so the actor is masked (INS-7)."""
        if len(self._lines) >= LIMIT:
            self._dropped += 1
            return
        self._lines.append(replace(line, actor=mask_text(line.actor)))
        self._filled.set()

    async def run(self) -> None:
        """Write for ever; on cancellation what waits is written first."""
        try:
            while True:
                await self._filled.wait()
                await asyncio.sleep(PAUSE)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits now; lines stay queued when the store cannot take them."""
        self._filled.clear()
        lines = self._lines
        if not lines:
            return
        self._lines = []
        if self._dropped:
            last = lines[-1]
            lines.append(TraceLine(last.at, "trace-overflow", "", detail={"lines": self._dropped}))
            self._dropped = 0
        try:
            await self._trace.write_trace(lines)
        except StoreError:
            self._lines = (lines + self._lines)[:LIMIT]
        except Exception:  # a line that cannot be written must not take the others along, nor the gateway
            await self._one_by_one(lines)

    async def _one_by_one(self, lines: list[TraceLine]) -> None:
        for line in lines:
            try:
                await self._trace.write_trace([line])
            except Exception:  # counted, and told by the next line that is written
                self._dropped += 1
