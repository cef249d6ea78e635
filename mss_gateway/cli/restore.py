"""`mss-gateway restore` and `restored`: from a backup to a new place, and what waits there afterwards (OPS-5)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import cell, console, fail, record, show_json


def restore(
    source: Annotated[Path, typer.Argument(help="The folder that `backup` wrote to.")],
    to: Annotated[Path, typer.Option("--to", help="The new state folder; it must be empty or not there.")],
    backup: Annotated[
        str, typer.Option("--backup", help="A name of `backup list`, or a time: the newest one until then.")
    ] = "",
    key_file: Annotated[Path | None, typer.Option("--key-file", help="The key of encrypted backups.")] = None,
    json: AsJson = False,
) -> None:
    """Restore a backup to a new place; needs no configuration and no gateway. Every octet is checked on its way.

    Exit codes: 3 no such backup · 6 it is damaged, has another key, or finds no room.

    Example: mss-gateway restore /mnt/backups --to /var/lib/mss-gateway-new --backup 2026-11-21T06:00
    """
    from mss_gateway.ports.keeping import KeepProblem
    from mss_gateway.storage.sqlite.restore import restore as bring_back

    from .keeping import Bar, amount

    try:
        with Bar("restore", quiet=json) as bar:
            result = bring_back(source, to, backup, key_file, bar.show)
    except KeepProblem as problem:
        fail(problem.sentence, 3 if problem.reason == "no-backup" else 6, reason=problem.reason, as_json=json)
    if json:
        show_json(result)
        return
    out = console()
    out.print(
        f"[bold green]✓[/] {escape(str(to))} is as the store was at {cell('_at', result['at'])}",
        soft_wrap=True,
    )
    out.print(f"  {amount(result['octets'])}, {result['counts']['messages']} messages, all of it checked")
    out.print(
        f"  every folder has a new UIDVALIDITY: clients fetch their {result['folders']} folders anew\n"
        f"  kept back, for they may have been sent since: {result['queue_held']} rows of the queue,"
        f" {result['receipts_held']} read receipts",
        soft_wrap=True,
    )
    out.print(
        f"[bold]Next[/]\n  1. take {escape(str(to / 'gateway.toml.kept'))} as configuration; set gateway.state to"
        f" {escape(str(to))} and remove store.path; certificates, and the keys of \\[encryption], are not in a backup\n"
        "  2. mss-gateway check-config, then mss-gateway serve\n"
        "  3. mss-gateway restored: look at what is kept back, then release it or end it",
        soft_wrap=True,
    )


def restored(
    release_receipts: Annotated[
        bool, typer.Option("--release-receipts", help="Let the read receipts go that are kept back.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show what a restore keeps back: mail of the queue and read receipts that may have been sent since the backup.

    The queue is looked at with `queue list --state held` and let go with `queue release`.

    Example: mss-gateway restored --release-receipts
    """
    result = call(config, "restored", {"release_receipts": release_receipts}, as_json=json)
    if json:
        return
    if result["receipts_released"]:
        console().print(f"[bold green]✓[/] {result['receipts_released']} read receipts are owed again")
    if result["restored"] is None:
        console().print("This store was never restored from a backup")
        return
    record("Restored from a backup", result["restored"])
