"""Imports of files: batches to the gateway, or in process; a progress bar; the bad lines by number and reason."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mss_gateway.ops.tabular import BadTable, Columns, Line, rows
from mss_gateway.rules.ins import mask_text

from .call import actor, settings_of
from .output import console, fail, show_json, visible, why

SOME_REFUSED = 7
"""Exit code of an import that left lines out; the good ones are kept."""

BATCH = 500  # lines in one commit
SHOWN = 1000  # bad lines listed for people; --json lists all

Answer = dict[str, Any]
Ask = Callable[[str, Mapping[str, Any]], Answer]


@dataclass(slots=True)
class Outcome:
    """What has become of the lines so far."""

    imported: int = 0
    unchanged: int = 0
    refused: list[Answer] = field(default_factory=list)
    warned: list[Answer] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Count one batch."""
        self.imported += answer["imported"]
        self.unchanged += answer["unchanged"]
        self.refused += answer["refused"]
        self.warned += answer.get("warned", [])


@dataclass(frozen=True, slots=True)
class Import:
    """Which file goes where: `operation` takes batches of `rows` with the further `arguments`."""

    path: Path
    columns: Columns
    required: frozenset[str]
    operation: str
    arguments: Mapping[str, Any]
    prepare: Callable[[dict[str, str]], dict[str, str]] = lambda fields: fields


def run_import(work: Import, config: Path, *, dry_run: bool, json: bool) -> NoReturn:
    """Import, tell, and end with 0 or `SOME_REFUSED`; other ends have the exit codes of every command."""
    outcome = Outcome()
    try:
        size = work.path.stat().st_size
        with (
            asking(config, as_json=json) as ask,
            advancing(work.path.name, size, quiet=json) as advance,
        ):
            for batch in _batches(work):
                outcome.refused += [
                    {"line": line.number, "reason": line.reason, "sentence": line.sentence}
                    for line in batch
                    if line.reason
                ]
                sent = [
                    {**work.prepare(dict(line.fields)), "line": line.number} for line in batch if line.fields
                ]
                if sent:
                    arguments = {**work.arguments, "rows": sent, "source": work.path.name, "dry_run": dry_run}
                    outcome.add(ask(work.operation, arguments))
                advance(sum(line.size for line in batch))
    except BadTable as bad:
        fail(f"{mask_text(work.path.name)}: {bad}", 2, reason="table", as_json=json)
    outcome.refused.sort(key=lambda line: line["line"])
    if json:
        show_json(
            {
                "imported": outcome.imported,
                "unchanged": outcome.unchanged,
                "refused": outcome.refused,
                "warned": outcome.warned,
                "dry_run": dry_run,
            }
        )
    else:
        _tell(outcome, dry_run)
    raise typer.Exit(SOME_REFUSED if outcome.refused else 0)


def _batches(work: Import) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in rows(work.path, work.columns, work.required):
        batch.append(line)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _tell(outcome: Outcome, dry_run: bool) -> None:
    out = console()
    for title, colour, lines in (("refused", "red", outcome.refused), ("kept", "yellow", outcome.warned)):
        for line in lines[:SHOWN]:
            sentence, reason = escape(visible(line["sentence"])), escape(line["reason"])
            out.print(
                f"[{colour}]line {line['line']}[/] {title}: {sentence} \\[{reason}]",
                soft_wrap=True,
            )
        if len(lines) > SHOWN:
            out.print(f"… and {len(lines) - SHOWN} more: --json lists all", soft_wrap=True)
    verb = "would be imported" if dry_run else "imported"
    out.print(
        f"[bold]{outcome.imported}[/] {verb}, {outcome.unchanged} unchanged, {len(outcome.refused)} refused",
        soft_wrap=True,
    )


@contextmanager
def advancing(title: str, total: float, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; none when nobody looks at a terminal. The title is shown without an INS in it."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(emoji=False, stderr=True),
        disable=quiet or not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(escape(mask_text(title)), total=total)
        yield lambda size: bar.advance(task, size)


@contextmanager
def asking(config: Path, *, as_json: bool) -> Iterator[Ask]:
    """Many operations in a row: through the running gateway, or on one store that stays open meanwhile.

    A refusal, or a gateway that stops meanwhile, ends the command with its exit code.
    """
    from mss_gateway.app.tables import operations
    from mss_gateway.ops.control import ask as ask_gateway
    from mss_gateway.ops.operation import UNAVAILABLE, OperationRefused
    from mss_gateway.ports.store import StoreError

    settings = settings_of(config, as_json=as_json)
    who = actor()
    try:
        try:
            ask_gateway(settings.control, "ins.list", {"actor": who})
        except ConnectionError:
            with asyncio.Runner() as runner:
                opened = operations(settings)
                table = runner.run(opened.__aenter__())

                def ask_here(operation: str, arguments: Mapping[str, Any]) -> Answer:
                    return runner.run(_run(table[operation], {"actor": who, **arguments}))

                try:
                    yield ask_here
                finally:
                    runner.run(opened.__aexit__(None, None, None))
        else:
            yield lambda operation, arguments: ask_gateway(
                settings.control, operation, {"actor": who, **arguments}
            )
    except OperationRefused as refused:
        fail(refused.sentence, refused.exit_code, reason=refused.reason, as_json=as_json)
    except ConnectionError:
        sentence = "The gateway has stopped meanwhile: run it again, what is there already stays"
        fail(sentence, UNAVAILABLE, reason="unavailable", as_json=as_json)
    except (StoreError, OSError) as error:
        fail(why(error), UNAVAILABLE, reason="unavailable", as_json=as_json)


async def _run(operation: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any]) -> Answer:
    answer: Answer = await operation(arguments)
    return answer
