"""The parts of one gateway, put together: the store, the trust space, the line, the doors' handlers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mss_gateway.directory.book import Book
from mss_gateway.imapd.hub import Hub
from mss_gateway.observe.log import Log
from mss_gateway.ops.operation import Operation
from mss_gateway.pipeline.closing import Closer
from mss_gateway.pipeline.filing import Filing
from mss_gateway.pipeline.intake import Intake
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.notes import Notes
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.trust.guard import Trust

from .ground import ground
from .line import Work, build_line
from .tables import serving_table
from .watch import Watch, watch


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the gateway."""

    settings: Settings
    log: Log
    store: SqliteStore
    trust: Trust
    book: Book
    notes: Notes
    hub: Hub
    login: Login
    intake: Intake
    filing: Filing
    operations: dict[str, Operation]
    closer: Closer
    background: tuple[Work, ...]
    watch: Watch


@contextlib.asynccontextmanager
async def parts(settings: Settings, log: Log | None = None) -> AsyncIterator[Parts]:
    """Open store and trust space and build the line; closes everything in the end.

    Raises `StoreError` and `TrustProblem` with one sentence for the operator.
    """
    async with ground(settings, log) as base:
        line = build_line(base)
        watched = watch(base, line)
        yield Parts(
            settings,
            base.log,
            base.store,
            base.trust,
            line.book,
            line.notes,
            line.hub,
            line.login,
            line.intake,
            Filing(line.intake, base.executor),
            serving_table(base, line, watched),
            line.closer,
            (*line.background, watched.pulse.run),
            watched,
        )
        await line.finish()
