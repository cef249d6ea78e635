"""`mss-gateway indicators`: the figures of a month (AUD-3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit import opened
from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, fail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def indicators(
    month: Annotated[str | None, typer.Option("--month", help="YYYY-MM; this month when not given.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    out: Annotated[Path | None, typer.Option("--out", help="A new file, for its owner alone.")] = None,
    connections: Annotated[
        bool, typer.Option("--connections", help="Connections of each day, with a column for the date.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Count mailboxes, messages, patients and connections of one month.

    Example: mss-gateway indicators --month 2026-10 --format csv --out indicateurs-2026-10.csv
    """
    if form not in ("table", "csv", "json"):
        fail("--format is table, csv or json", 2, reason="bad-argument", as_json=json)
    if json:
        form = "json"
    result = call(config, "indicators", {"month": month}, as_json=json and out is None)
    if json and out is None:
        return
    if form == "table" and out is None:
        _show(result, connections=connections)
        return
    import json as notation

    from .audit_writing import table

    with opened(out) as file:
        if form == "json":
            file.write(notation.dumps(result, ensure_ascii=False, indent=2) + "\n")
        else:
            table(file, _rows(result, connections=connections))


def _rows(result: Mapping[str, Any], *, connections: bool) -> Iterator[tuple[object, ...]]:
    state = "complete" if result["complete"] else "unfinished"
    if connections:
        yield "date", "connection", "count"
        for day, values in result["days"].items():
            for name, value in values.items():
                if name.startswith("connections."):
                    yield day, name.removeprefix("connections."), value
        return
    yield "month", "state", "indicator", "value"
    for name, value in result["figures"].items():
        yield result["month"], state, name, value


def _show(result: Mapping[str, Any], *, connections: bool) -> None:
    from .output import table

    ending = "" if result["complete"] else ", not over yet"
    head, *rows = _rows(result, connections=connections)
    names = [str(name) for name in head]
    shown = [name for name in names if name not in ("month", "state")]
    table(
        f"Indicators of {result['month']}{ending}",
        shown,
        (dict(zip(names, row, strict=True)) for row in rows),
    )
    if not rows:
        console().print("Nothing was counted in that month.")
