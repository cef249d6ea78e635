"""`mss-gateway verify`: the whole store, or the backups of a folder, held against what was accepted (OPS-5)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config
from .output import console, show_json


def verify(
    quick: Annotated[
        bool, typer.Option("--quick", help="Rows, files and indexes only; no body is read.")
    ] = False,
    backup: Annotated[
        Path | None,
        typer.Option("--backup", help="Read the backups of this folder instead.", metavar="FOLDER"),
    ] = None,
    which: Annotated[str, typer.Option("--which", help="With --backup: this one only.")] = "",
    key_file: Annotated[Path | None, typer.Option("--key-file", help="The key of encrypted backups.")] = None,
    rate: Annotated[
        int, typer.Option("--rate", min=0, help="Megabytes in a second; 0 as the mail allows.")
    ] = 0,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Examine every body, row, segment file and index, while the mail goes on; each finding with what to do.

    Ends with 0 when all is whole, with 1 when something was found.

    Example: mss-gateway verify --quick
    """
    from .keeping import FOUND, amount, tell_findings, watched

    if backup is not None:
        arguments = {"target": str(backup.absolute()), "backup": which}
        if key_file is not None:
            arguments["key_file"] = str(key_file.absolute())
        result = watched(config, "backup.verify", arguments, "verify", as_json=json)
    else:
        result = watched(
            config, "verify.start", {"quick": quick, "rate": rate * 1_000_000}, "verify", as_json=json
        )
    if json:
        show_json(result)
        raise typer.Exit(0 if result["whole"] else FOUND)
    read = f"{result['bodies']} bodies" if backup is None else f"{result['pieces']} pieces"
    if result["whole"]:
        console().print(f"[bold green]✓[/] whole: {read}, {amount(result['octets'])}", soft_wrap=True)
    tell_findings(result)
