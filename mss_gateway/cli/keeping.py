"""Long work of the keeper watched from the command line: begun, looked at again and again, told when it has ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from .importing import asking
from .output import console, fail, visible

FIRST, POLL = 0.05, 0.4
"""Seconds to the first look, and between two later ones."""

FOUND = 1
"""Exit code when an examination has found something."""


def watched(
    config: Path, operation: str, arguments: Mapping[str, Any], title: str, *, as_json: bool
) -> dict[str, Any]:
    """Begin, show a bar until the end, return the result; a work that fails ends the command with its sentence."""
    given = {name: value for name, value in arguments.items() if value not in (None, "", False)}
    with asking(config, as_json=as_json) as ask, Bar(title, quiet=as_json) as bar:
        ask(operation, given)
        wait = FIRST
        while True:
            now = ask("keeping.progress", {})
            bar.show(now["phase"], now["done"], now["total"])
            if not now["running"]:
                break
            time.sleep(wait)
            wait = min(wait * 2, POLL)
    if now["problem"]:
        fail(now["problem"], 6, reason=now["reason"], as_json=as_json)
    result: dict[str, Any] = now["result"]
    return result


class Bar:
    """A bar on standard error, one for each phase; none when nobody looks at a terminal."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(emoji=False, stderr=True),
            disable=quiet or not sys.stderr.isatty(),
        )
        self._title = title
        self._task = self._bar.add_task(escape(title), total=None)

    def __enter__(self) -> Bar:
        self._bar.__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        self._bar.__exit__(*how)

    def show(self, phase: str, done: int, total: int) -> None:
        """Where it is."""
        self._bar.update(
            self._task, description=escape(f"{self._title}: {phase}"), completed=done, total=total or None
        )


def amount(octets: float) -> str:
    """Octets as people read them."""
    for unit in ("octets", "kB", "MB", "GB"):
        if octets < 1000 or unit == "GB":
            return f"{octets:.0f} {unit}" if unit == "octets" else f"{octets:.1f} {unit}"
        octets /= 1000
    raise AssertionError


def tell_findings(found: Mapping[str, Any]) -> None:
    """Each finding with its row, what it means and what to do; then the end of the command."""
    out = console()
    for one in found["findings"]:
        what, row = escape(visible(one["what"])), escape(visible(one["row"]))
        out.print(f"[red]✗[/] [bold]{escape(one['check'])}[/] {row}: {what}", soft_wrap=True)
        out.print(f"  → {escape(visible(one['next_step']))}", soft_wrap=True)
    raise typer.Exit(FOUND if found["findings"] else 0)
