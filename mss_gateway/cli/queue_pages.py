"""Long answers and changes piece by piece: the control socket carries 4 MiB and waits a minute at most (QUE-3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .call import actor, settings_of
from .output import fail

if TYPE_CHECKING:
    from mss_gateway.settings import Settings

T = TypeVar("T")

PAGE = 1000
"""Rows of one page, as many as `queue.list` gives."""

Answer = dict[str, Any]
"""What an operation answers."""

_Ask = Callable[[str, dict[str, Any]], Awaitable[Answer]]


def pages(
    config: Path, chosen: dict[str, Any], limit: int | None, *, as_json: bool
) -> tuple[list[Answer], bool]:
    """Rows up to the limit, and whether there are more; a refusal ends the command with its exit code.

    Each page is one moment: a row that leaves or comes between two pages is missing or there.
    """

    async def collect(ask: _Ask) -> tuple[list[Answer], bool]:
        rows: list[Answer] = []
        while (left := PAGE if limit is None else min(PAGE, limit - len(rows))) > 0:
            after = rows[-1]["id"] if rows else 0
            found = await ask("queue.list", {**chosen, "limit": left, "after": after})
            rows += found["rows"]
            if found["next"] is None:
                return rows, False
        return rows, True

    with _refusals(as_json):
        return asyncio.run(_with_asking(settings_of(config, as_json=as_json), collect))


def changed(config: Path, operation: str, chosen: dict[str, Any], *, as_json: bool) -> Answer:
    """Carry out a change to its end; what all its rounds have done together. A refusal ends the command."""

    async def carry_out(ask: _Ask) -> Answer:
        after: int | None = 0
        total: Answer = {}
        while after is not None:
            found = await ask(operation, {**chosen, "actor": actor(), "after": after})
            after = found.pop("next")
            counted = {name: found[name] + total.get(name, 0) for name in ("rows", "under_way")}
            total = {**found, **counted}
        return total

    settings = settings_of(config, as_json=as_json)
    with _refusals(as_json):
        return asyncio.run(_with_asking(settings, carry_out, whole_line=operation == "queue.cancel"))


async def _with_asking(
    settings: Settings, run: Callable[[_Ask], Awaitable[T]], *, whole_line: bool = False
) -> T:
    """Through the running gateway, or in process when none runs."""
    from mss_gateway.ops.control import ask as ask_gateway

    async def ask(operation: str, arguments: dict[str, Any]) -> Answer:
        return ask_gateway(settings.control, operation, arguments)

    try:
        return await run(ask)
    except ConnectionError:
        async with _in_process(settings, whole_line) as table:
            return await run(lambda operation, arguments: table[operation](arguments))


@contextlib.asynccontextmanager
async def _in_process(settings: Settings, whole_line: bool) -> AsyncIterator[dict[str, Any]]:
    from mss_gateway.app.parts import operations, parts

    if whole_line:
        async with parts(settings) as built:
            yield built.operations
    else:
        async with operations(settings) as table:
            yield table


@contextlib.contextmanager
def _refusals(as_json: bool) -> Iterator[None]:
    """A refusal as one sentence with its exit code."""
    from mss_gateway.ops.operation import UNAVAILABLE, OperationRefused
    from mss_gateway.ports.store import StoreError
    from mss_gateway.trust.refusals import TrustProblem

    try:
        yield
    except OperationRefused as refused:
        fail(refused.sentence, refused.exit_code, reason=refused.reason, as_json=as_json)
    except (StoreError, TrustProblem, OSError) as error:
        fail(str(error), UNAVAILABLE, reason="unavailable", as_json=as_json)
