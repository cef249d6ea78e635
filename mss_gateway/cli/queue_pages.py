"""Long answers and changes piece by piece: the control socket carries 4 MiB and waits a minute at most (QUE-3)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from .call import actor, refusals, running_control, settings_of

if TYPE_CHECKING:
    from mss_gateway.ops.control import Question
    from mss_gateway.settings import Settings

T = TypeVar("T")

PAGE = 1000
"""Rows of one page, as many as `queue.list` gives."""

Answer = dict[str, Any]
"""What an operation answers."""

_Ask = Callable[[str, dict[str, Any]], Awaitable[Answer]]


_LINE = re.compile(rb'\{"ok":true,"result":\{"next":(null|[0-9]+),"rows":\[(.*)\]\}\}\n', re.DOTALL)
"""An answer of `queue.list` as the control socket writes it: its rows are passed on as they came."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as JSON, separated by commas, and the id after which the next page begins, None at the end."""

    octets: bytes
    next: int | None

    @property
    def rows(self) -> list[Answer]:
        """The rows as values."""
        found: list[Answer] = orjson.loads(b"[" + self.octets + b"]")
        return found


def pages(config: Path, chosen: dict[str, Any], limit: int | None, *, as_json: bool) -> Iterator[Page]:
    """Pages up to the limit, the last one with `next` when there are more; a refusal ends the command.

    Each page is one moment: a row that leaves or comes between two pages is missing or there.
    """
    with refusals(as_json, chosen):
        control = running_control(config, os.environ)
        found = _asked(control, chosen, limit) if control is not None else iter(())
        first = _first(found)
        if first is None:
            settings = settings_of(config, as_json=as_json)
            found = _asked(settings.control, chosen, limit)
            first = _first(found)
        if first is None:
            found = iter(asyncio.run(_read(settings, chosen, limit)))
            first = next(found)
    yield first
    with refusals(False):  # a document has been begun: what is wrong now is said beside it
        yield from found


def _first(found: Iterator[Page]) -> Page | None:
    """The first page; None when no gateway runs."""
    try:
        return next(found, None)
    except ConnectionError:
        return None


def _asked(control: Path, chosen: dict[str, Any], limit: int | None) -> Iterator[Page]:
    """Pages from the running gateway, which makes one while the one before is shown."""
    from mss_gateway.ops.control import Question, unpack

    def ask(after: int, left: int | None) -> Question:
        asked = {**chosen, "limit": PAGE if left is None else min(PAGE, left), "after": after}
        return Question(control, "queue.list", asked)

    left, after = limit, 0
    question = ask(after, left)
    try:
        while True:
            line = _answer(question)
            if not line.endswith(
                b"\n"
            ):  # it waited for longer than the gateway waits: the page is asked for anew
                question = ask(after, left)
                line = question.answer()
            taken = _LINE.fullmatch(line)
            page = (
                Page(taken[2], None if taken[1] == b"null" else int(taken[1]))
                if taken is not None
                else _page(unpack(orjson.loads(line) if line.endswith(b"\n") else {}))
            )
            left = None if left is None else left - PAGE
            if page.next is None or (left is not None and left <= 0):
                yield page
                return
            after = page.next
            question = ask(after, left)
            yield page
    finally:
        question.close()


def _answer(question: Question) -> bytes:
    try:
        return question.answer()
    except ConnectionError:
        return b""


def _page(found: Answer) -> Page:
    return Page(orjson.dumps(found["rows"])[1:-1], found["next"])


async def _read(settings: Settings, chosen: dict[str, Any], limit: int | None) -> list[Page]:
    """Pages from the store, while no gateway runs."""
    found: list[Page] = []
    left, after = limit, 0
    async with _in_process(settings, False) as table:
        while True:
            asked = {**chosen, "limit": PAGE if left is None else min(PAGE, left), "after": after}
            page = _page(await table["queue.list"](asked))
            found.append(page)
            left = None if left is None else left - PAGE
            if page.next is None or (left is not None and left <= 0):
                return found
            after = page.next


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
    with refusals(as_json, chosen):
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
    from mss_gateway.app.parts import parts
    from mss_gateway.app.tables import operations

    if whole_line:
        async with parts(settings) as built:
            yield built.operations
    else:
        async with operations(settings) as table:
            yield table
