"""`mss-gateway patient …`: patient mailboxes, where this gateway is their operator."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, ask_password, call
from .output import record, table

app = typer.Typer(help="Patient mailboxes (INS@patient domain).", no_args_is_help=True)

Ins = Annotated[str, typer.Argument(help="The 15 characters of the INS, or the whole address.")]
Full = Annotated[bool, typer.Option("--full", help="Show the INS whole instead of masked.")]


@app.command()
def add(
    ins: Ins,
    name: Annotated[str, typer.Option("--name", help="Name shown to the professional.")] = "",
    password: Annotated[
        str | None, typer.Option("--password", help="Activates at once; - reads it from standard input.")
    ] = None,
    full: Full = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Create a patient's mailbox; without a password it receives but is not activated."""
    arguments = {
        "ins": ins,
        "display": name,
        "password": ask_password(password) if password is not None else None,
        "full": full,
    }
    result = call(config, "patient.add", arguments, as_json=json)
    if not json:
        record("Added", result["patient"])


@app.command(name="list")
def list_(full: Full = False, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """List patient mailboxes, INS masked."""
    result = call(config, "patient.list", {"full": full}, as_json=json)
    if not json:
        table("Patients", ("address", "state", "display", "state_reason"), result["patients"])


@app.command()
def activate(
    ins: Ins,
    password: Annotated[str | None, typer.Option("--password", help="A new password, or -.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the trace.")] = "",
    full: Full = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Activate a mailbox, or take a closed one up again."""
    arguments = {
        "ins": ins,
        "password": ask_password(password) if password is not None else None,
        "reason": reason,
        "full": full,
    }
    result = call(config, "patient.activate", arguments, as_json=json)
    if not json:
        record("Activated", result["patient"])


@app.command()
def close(
    ins: Ins,
    reason: Annotated[str, typer.Option("--reason", help="opposed, none, deceased, or other words.")],
    full: Full = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Close a mailbox: whoever writes to it gets the bounce."""
    result = call(config, "patient.close", {"ins": ins, "reason": reason, "full": full}, as_json=json)
    if not json:
        record("Closed", result["patient"])
