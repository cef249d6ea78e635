"""How answers look: tables for people, one JSON document for programs, one red sentence for a refusal."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mss_gateway.rules.ins import mask_text

_SPACES = "\u00a0\u202f"  # what French texts put before a colon; a terminal obeys neither

_OBEYED = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_AS_USER = ": run the command as the gateway's user, and give it what belongs to another one (`chown`)"
_REMEDIES = {
    errno.EACCES: _AS_USER,
    errno.EPERM: _AS_USER,
    errno.ENOSPC: ": make room on the disk",
    errno.EDQUOT: ": make room on the disk",
    errno.EMFILE: ": raise the limit of open files (`ulimit -n`, LimitNOFILE)",
}

CONFIG_ERROR = 1
"""Exit code for a configuration that cannot be used; the others stand in `ops.operation`."""


def fail(sentence: str, exit_code: int, *, reason: str = "", as_json: bool = False) -> NoReturn:
    """Say why not, and end with the exit code; what was typed may hold an INS, in a path as well (INS-7)."""
    sentence = mask_text(sentence)
    if as_json:
        told = {"error": sentence, "reason": reason, "exit": exit_code}
        typer.echo(unobeyed(json.dumps(told, ensure_ascii=False)))
    else:
        out = Console(emoji=False, stderr=True, highlight=False, soft_wrap=True)
        out.print(f"[bold red]✗[/] {escape(visible(sentence))}")
    raise typer.Exit(exit_code)


def why(error: BaseException) -> str:
    """What the operating system or a room says no with, as a sentence; for rights and room with what to do."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    place = f"{error.filename}: " if error.filename is not None else ""
    remedy = _REMEDIES.get(error.errno or 0, "")
    return f"{place}{error.strerror[0].lower()}{error.strerror[1:]}{remedy}"


def show_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(unobeyed(json.dumps(value, ensure_ascii=False, indent=2)))


def unobeyed(document: str) -> str:
    """JSON in which what a terminal would obey is escaped; control characters of ASCII are already."""
    if document.isascii() and "\x7f" not in document:
        return document
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def console() -> Console:
    """Where people read; colour only on a terminal."""
    return Console(emoji=False, highlight=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as a table; times are shown in UTC."""
    grid = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column.replace("_", " "), overflow="fold")
    count = 0
    for row in rows:
        grid.add_row(*(escape(cell(column, row.get(column))) for column in columns))
        count += 1
    if count:
        console().print(grid)
    else:
        console().print(f"{title}: none")


def record(title: str, values: Mapping[str, Any]) -> None:
    """One thing, a line for each of its fields, and for each row that a field holds."""
    out = console()
    out.print(f"[bold]{escape(title)}[/]")
    for name, value in values.items():
        rows = value if isinstance(value, list) and any(isinstance(one, dict) for one in value) else [value]
        label = name.replace("_", " ")
        for row in rows:
            shown = cell(name, row)
            if shown:
                field(out, f"  {label:<18} ", shown)
                label = ""


def field(out: Console, label: str, text: str) -> None:
    """A label and a text that goes on below itself, not below the label; neither is markup."""
    room = max(out.width - len(label), 30)
    lines = wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    for line in lines:
        out.print(escape(label + line), soft_wrap=True)
        label = " " * len(label)


def cell(name: str, value: Any) -> str:
    """One value as people read it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_at") and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, list):
        return ", ".join(cell("", item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={shown}" for key, item in value.items() if (shown := cell(key, item)))
    return visible(value)


def visible(value: object) -> str:
    """A text of somebody else's without what a terminal would obey."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in _SPACES else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
