"""`mss-gateway backup …`: make backups while the gateway runs, list them, remove old ones (OPS-5)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, show_json, table
from .usage import MaskedGroup


class BackupGroup(MaskedGroup):
    """`backup FOLDER` is short for `backup make FOLDER`; a folder called as a command is written ./list."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word in that was left out."""
        first = args[0] if args else ""
        if first not in self.commands and first not in ("-h", "--help"):
            args = ["make", *args]
        left: list[str] = super().parse_args(ctx, args)
        return left


app = typer.Typer(cls=BackupGroup, help="Backups of the store, made while the gateway runs.")

Target = Annotated[
    Path | None,
    typer.Argument(help="The folder of the backups; without it keep.backup_to.", metavar="FOLDER"),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help="The key of encrypted backups; without it keep.backup_key_file."),
]


@app.command()
def make(
    target: Target = None,
    full_read: Annotated[
        bool,
        typer.Option(
            "--full-read", help="Read everything again, also what the last backup has; mend pieces."
        ),
    ] = False,
    rate: Annotated[
        int, typer.Option("--rate", min=0, help="Megabytes in a second; 0 as the mail allows.")
    ] = 0,
    key_file: KeyFile = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Make a backup of this instant; what the last one has already is not written again.

    `backup FOLDER` is short for it. Exit codes: 4 one is running already · 6 it could not be made.

    Example: mss-gateway backup /mnt/backups
    """
    from .keeping import amount, watched

    arguments = {**_places(target, key_file), "full_read": full_read, "rate": rate * 1_000_000}
    result = watched(config, "backup.start", arguments, "backup", as_json=json)
    if json:
        show_json(result)
        return
    out = console()
    sealed = ", encrypted" if result["encrypted"] else ""
    out.print(f"[bold green]✓[/] backup {result['backup']}{sealed}", soft_wrap=True)
    out.print(
        f"  {amount(result['octets'])} in {result['files']} files, {amount(result['written'])} of them new,"
        f" {result['counts']['messages']} messages, {result['seconds']:.0f} s",
        soft_wrap=True,
    )
    if result["removed"].get("backups"):
        out.print(f"  removed {', '.join(result['removed']['backups'])}", soft_wrap=True)


@app.command(name="list")
def list_(target: Target = None, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """List the backups, the newest first.

    Example: mss-gateway backup list /mnt/backups
    """
    result = call(config, "backup.list", _places(target, None), as_json=json)
    if json:
        return
    from .keeping import amount

    rows = result["backups"]
    columns = ["backup", "messages", "octets", "written", "encrypted"]
    if any("problem" in one for one in rows):
        columns.append("problem")
    table(
        "Backups",
        columns,
        [one | {name: amount(one[name]) for name in ("octets", "written") if name in one} for one in rows],
    )


@app.command()
def prune(
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many backups stay, the newest.")],
    target: Target = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Remove all but the newest backups, and the pieces that no other needs.

    Exit code 4 while a backup is being made.

    Example: mss-gateway backup prune /mnt/backups --keep 7
    """
    from .keeping import amount, watched

    result = watched(config, "backup.prune", {**_places(target, None), "keep": keep}, "prune", as_json=json)
    if json:
        show_json(result)
        return
    console().print(
        f"[bold green]✓[/] removed {len(result['backups'])} backups, {amount(result['octets'])} are free again",
        soft_wrap=True,
    )


def _places(target: Path | None, key_file: Path | None) -> dict[str, Any]:
    """Paths as the gateway finds them, wherever it was started."""
    places = {"target": target, "key_file": key_file}
    return {name: str(path.absolute()) for name, path in places.items() if path is not None}
