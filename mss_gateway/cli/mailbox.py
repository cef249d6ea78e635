"""`mss-gateway mailbox …`: mailboxes as a whole, into the gateway and out of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mss_gateway.ops.operation import PASSWORD_VARIABLE, USAGE

from .call import DEFAULT_CONFIG, AsJson, Config
from .output import fail

app = typer.Typer(help="Take mailboxes over from other servers, and write them out.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The address of the mailbox here.")]
Folders = Annotated[list[str] | None, typer.Option("--folder", help="Only this folder; repeat.")]


def _password(given: str | None) -> str:
    """From standard input with `-`, from the environment, else asked for; never on the command line."""
    if given == "-":
        return sys.stdin.readline().rstrip("\n")
    known = os.environ.get(PASSWORD_VARIABLE)
    value: str = known if known is not None else typer.prompt("Password there", hide_input=True)
    return value


@app.command(name="import")
def import_(
    address: Address,
    from_: Annotated[str, typer.Option("--from", help="imaps://host[:port], or imap:// for STARTTLS.")],
    user: Annotated[str, typer.Option("--user", help="The account there.")],
    password: Annotated[
        str | None,
        typer.Option(
            "--password", help=f"- reads it from standard input; else ${PASSWORD_VARIABLE}, or asked for."
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", help="CA of that server (PEM), when the system does not know it.", exists=True),
    ] = None,
    folder: Folders = None,
    into: Annotated[str, typer.Option("--into", help="Put everything below this folder.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the folders and bring nothing.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Take a mailbox over from another IMAP server: folders, flags, dates, every octet compared.

    Nothing changes there. Run it again at any time: what is here already is not brought twice.

    Exit code 7 when messages were left out; they are listed with their reasons.

    Example: mss-gateway mailbox import alix.martin@clinique-exemple.mssante.fr --from imaps://ancien.exemple.fr
    --user alix.martin
    """
    from .takeover import Wanted, run_takeover
    from .takeover_source import parse_place

    if password not in (None, "-"):
        fail(
            "A password on the command line is seen by others: --password - reads it from standard input",
            USAGE,
        )
    try:
        place = parse_place(from_, user, _password(password), ca)
    except ValueError as error:
        fail(str(error), USAGE, reason="from", as_json=json)
    run_takeover(place, Wanted(address, tuple(folder or ()), into, dry_run, json), config)


@app.command()
def export(
    address: Address,
    to: Annotated[Path, typer.Option("--to", help="A new folder for the files.")],
    format_: Annotated[str, typer.Option("--format", help="maildir or mbox.")] = "maildir",
    folder: Folders = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Write a mailbox out as Maildir++ or as mbox files.

    A Maildir can be written again later: only what is new is added. Files are for their owner alone.

    Example: mss-gateway mailbox export alix.martin@clinique-exemple.mssante.fr --to sauvegarde --format mbox
    """
    from .extract import Export, run_export

    if format_ not in ("maildir", "mbox"):
        fail(f"--format is maildir or mbox, not {format_}", USAGE, reason="format", as_json=json)
    run_export(Export(address, to, format_, tuple(folder or ()), json), config)
