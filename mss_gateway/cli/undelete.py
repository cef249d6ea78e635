"""`mss-gateway undelete …`: bring back a message, a folder, a mailbox (OPS-5)."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import cell, console, record, visible

app = typer.Typer(
    help="Bring back what was removed: a message, a folder, a closed mailbox.", no_args_is_help=True
)

Address = Annotated[str, typer.Argument(help="The mailbox, of a professional or of a patient.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Removed since then: 2026-11-21 or 2026-11-21T18:00.")
]
To = Annotated[str | None, typer.Option("--to", help="Into this folder, instead of where it lay.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the trace.")]


@app.command(name="list")
def list_(
    address: Address,
    folder: Annotated[str | None, typer.Option("--folder", help="Only what lay in this folder.")] = None,
    message_id: Annotated[str | None, typer.Option("--message", help="Only this Message-ID.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 100,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List what can be brought back, the latest first: when it was removed, by whom, until when it stays.

    Example: mss-gateway undelete list alix.martin@clinique-exemple.mssante.fr --since 2026-11-20
    """
    arguments = {
        "address": address,
        "folder": folder,
        "message_id": message_id,
        "since": since,
        "limit": limit,
    }
    result = call(config, "undelete.list", arguments, as_json=json)
    if not json:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    out = console()
    if not result["removed"]:
        kept = f"{result['kept_days']:g} days" if result["kept_days"] else "nothing (keep.deleted_days = 0)"
        out.print(f"Nothing to bring back; what is removed is kept for {kept}.")
        return
    for one in result["removed"]:
        out.print(
            f"[bold]{one['id']}[/]  {escape(visible(one['folder']))}  removed {cell('_at', one['removed_at'])}"
            f" by {escape(visible(one['by'] or 'software'))}",
            soft_wrap=True,
        )
        out.print(
            f"    of {cell('_at', one['date'])}, {one['size']} octets, kept until {cell('_at', one['until'])}\n"
            f"    {escape(visible(one['message_id'] or 'without Message-ID'))}",
            soft_wrap=True,
        )


@app.command()
def message(
    address: Address,
    numbers: Annotated[list[int], typer.Argument(help="Numbers from `undelete list`.")],
    reason: Reason,
    to: To = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Bring messages back, under new UIDs, with their flags; the folder is made anew when it has gone.

    Example: mss-gateway undelete message alix.martin@clinique-exemple.mssante.fr 4711 --reason "effacé par erreur"
    """
    arguments = {"address": address, "ids": numbers, "to": to, "reason": reason}
    _back(call(config, "undelete.message", arguments, as_json=json), json)


@app.command()
def folder(
    address: Address,
    name: Annotated[str, typer.Argument(help="The folder.")],
    reason: Reason,
    since: Since = None,
    to: To = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Bring back all that was removed from a folder, and the folder itself.

    Example: mss-gateway undelete folder alix.martin@clinique-exemple.mssante.fr "Patients 2026" --reason "ticket 12"
    """
    arguments = {"address": address, "folder": name, "since": since, "to": to, "reason": reason}
    _back(call(config, "undelete.folder", arguments, as_json=json), json)


def _back(result: dict[str, Any], json: bool) -> None:
    if json:
        return
    out = console()
    for name, count in result["folders"].items():
        out.print(f"[bold green]✓[/] {count} brought back to {visible(name)}", highlight=False)
    if result.get("more"):
        out.print("[yellow]![/] more is kept of this folder: run the command again", highlight=False)
    if result["missing"]:
        out.print(f"[yellow]![/] {result['missing']} not kept any more", highlight=False)


@app.command()
def bal(address: Address, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Take up a closed mailbox again, with all its mail; a purged one is gone for good.

    Example: mss-gateway undelete bal alix.martin@clinique-exemple.mssante.fr --reason "fermée par erreur"
    """
    result = call(config, "undelete.bal", {"address": address, "reason": reason}, as_json=json)
    if not json:
        record("Mailbox", result["bal"])


@app.command()
def empty(
    address: Annotated[str | None, typer.Argument(help="The mailbox; or --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="In every mailbox.")] = False,
    before: Annotated[str | None, typer.Option("--before", help="Only what was removed before then.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """End for good what was removed, before its time: for a disk that is full, or a patient's right.

    Example: mss-gateway undelete empty --all --before 2026-11-14
    """
    arguments = {"address": address, "all": every, "before": before}
    result = call(config, "undelete.empty", arguments, as_json=json)
    if not json:
        console().print(f"{result['messages']} messages ended", highlight=False)
