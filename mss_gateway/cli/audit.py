"""`mss-gateway audit`: the functional trace as evidence (AUD-1)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, fail, visible
from .usage import MaskedGroup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import TextIO

app = typer.Typer(cls=MaskedGroup, no_args_is_help=True, help="The functional trace as evidence.")

DAMAGED = 1
"""Exit code when somebody has tampered with the trace."""


@app.command()
def verify(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Go through the chain over the trace: every change, loss or addition is told with its place.

    Ends with 0 when it is whole, with 1 otherwise; changes nothing.

    Example: mss-gateway audit verify --json
    """
    result = call(config, "audit.verify", {}, as_json=json)
    if not json:
        _show(result)
    if not result["good"]:
        raise typer.Exit(DAMAGED)


def _show(result: Mapping[str, Any]) -> None:
    out = console()
    seals = f"{result['seals']} {'seal' if result['seals'] == 1 else 'seals'}"
    seen = f"{result['lines']} lines up to {result['last_line']}, {seals}, {result['seconds']} s"
    if result["good"]:
        out.print(f"[bold green]✓[/] the trace is whole: {seen}")
        return
    out.print(f"[bold red]✗[/] the trace was tampered with: {seen}")
    for damage in result["damage"]:
        out.print(f"  {visible(damage['sentence'])}", soft_wrap=True)
        if damage["at"]:
            out.print(f"    about {damage['at']}", style="dim")
        if damage["next_good"]:
            out.print(f"    good again from line {damage['next_good']}", style="dim")
    if result["more"]:
        out.print(f"  and {result['more']} more")
    out.print(
        "[yellow]→[/] Keep a copy of the store as it is; compare with the seals in the log and in backups."
    )


@app.command()
def purge(
    before: Annotated[
        str | None, typer.Option("--before", help="Lines older than this day; else audit.keep_months.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also when the chain is damaged.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Remove old lines; the chain stays verifiable, and a line tells what was removed.

    Example: mss-gateway audit purge --before 2026-05-01 --dry-run
    """
    arguments = {"before": before, "dry_run": dry_run, "force": force}
    result = call(config, "audit.purge", arguments, as_json=json)
    if json:
        return
    done = "would be removed" if dry_run else "removed"
    lines = result["lines"] if dry_run else result["removed"]
    kept = f", {result['kept']} kept for messages that still wait" if result["kept"] else ""
    console().print(f"{lines} lines from before {result['before']} {done}{kept}")


@app.command()
def export(
    since: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    until: Annotated[str, typer.Option("--until", help="Last day, YYYY-MM-DD.")],
    bal: Annotated[str | None, typer.Option("--bal", help="Lines of this mailbox and of its people.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lines of all mailboxes.")] = False,
    form: Annotated[str, typer.Option("--format", help="csv, or json (one line each).")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="A new file, for its owner alone.")] = None,
    ids: Annotated[bool, typer.Option("--ids", help="With the national identifiers of authors.")] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="CSV begins with a mark that spreadsheets need.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write lines of the trace out: who, when, what, with what result; never content. This is traced itself.

    Example: mss-gateway audit export --bal alix.martin@clinique-exemple.mssante.fr --from 2026-10-01 --until 2026-10-31
    """
    if form not in ("csv", "json"):
        fail("--format is csv or json", 2, reason="bad-argument")
    arguments = {"bal": bal, "all": everything, "from": since, "until": until, "ids": ids}
    pages = _pages(config, arguments)
    first = next(pages)  # what is refused leaves no file
    from .audit_writing import write

    with opened(out) as file:
        count = write(file, form, (line for page in (first, *pages) for line in page), bom=bom)
    if out is not None:
        console().print(f"{count} lines in {out}")


def _pages(config: Path, arguments: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    place: dict[str, Any] = {}
    while True:
        page = call(config, "audit.export", {**arguments, **place}, as_json=False)
        yield page["lines"]
        if page["done"]:
            return
        place = {"after": page["after"], "last": page["last"]}


def opened(out: Path | None) -> AbstractContextManager[TextIO]:
    """A new private file, or standard output; ends the command when there is such a file already."""
    import contextlib
    import os
    import sys

    if out is None:
        return contextlib.nullcontext(sys.stdout)
    try:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(f"{out} is there already: name another file", 4, reason="file-exists")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}", 6, reason="unavailable")
    return os.fdopen(fd, "w", encoding="utf-8", newline="")
