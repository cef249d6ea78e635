"""A job with its line of the trace, in one commit (AUD-1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mss_gateway.ports.records import TraceLine

from .engine import Engine, Writer
from .trace import insert_trace

T = TypeVar("T")


class TracedRows:
    """What every part of `SqliteStore` that is traced builds on; the store gives the engine."""

    _engine: Engine

    async def _traced(self, line: TraceLine | None, run: Callable[[Writer], T]) -> T:
        """Run a job, and write down what it was in the same commit."""

        def job(writer: Writer) -> T:
            result = run(writer)
            insert_trace(writer.db, [] if line is None else [line])
            return result

        return await self._engine.write(job)
