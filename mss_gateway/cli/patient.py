"""`mss-gateway patient …`: patient mailboxes, where this gateway is their operator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, ask_password, call
from .output import record, table

app = typer.Typer(help="Patient mailboxes (INS@patient domain).", no_args_is_help=True)

Ins = Annotated[str, typer.Argument(help="The 15 characters of the INS, or the whole address.")]
Full = Annotated[bool, typer.Option("--full", help="Show the INS whole instead of masked.")]

COLUMNS = {
    "ins": ("ins", "matriculeins", "matricule", "adresse", "address"),
    "name": ("name", "nom", "nometprenom", "display"),
    "state": ("state", "etat", "statut", "status"),
    "alert": (
        "alertaddress",
        "alert",
        "adressedalerte",
        "adressealerte",
        "alerte",
        "email",
        "courriel",
        "mail",
    ),
}
"""Headings of `patient import`, as `ops.tabular` compares them."""


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
    """Create a patient's mailbox; without a password it receives but is not activated.

    Example: mss-gateway patient add 285037728417346 --name "Patiente Exemple"
    """
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
    """List patient mailboxes, INS masked.

    Example: mss-gateway patient list --json
    """
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
    """Activate a mailbox, or take a closed one up again.

    Example: mss-gateway patient activate 285037728417346 --reason "compte ouvert"
    """
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
    """Close a mailbox: whoever writes to it gets the bounce.

    Example: mss-gateway patient close 285037728417346 --reason "opposition"
    """
    result = call(config, "patient.close", {"ins": ins, "reason": reason, "full": full}, as_json=json)
    if not json:
        record("Closed", result["patient"])


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and write nothing.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Create or change mailboxes from a CSV file: bad lines are listed, the good ones kept.

    Semicolon, comma or tab; UTF-8 or Windows-1252 (PAT-1). The first line names
    the columns, case and accents aside:

    INS · name (nom) · state (état): active, not_activated (when empty), closed,
    or why it is closed: opposed, none, deceased · alert address (adresse
    d'alerte). Only the INS is required; what is empty stays as it is.

    Exit codes: 0 all lines are good · 7 some were refused, the good ones are
    kept · 2 no such columns · 1 configuration · 5 patients are not hosted here ·
    6 unavailable.

    Example: mss-gateway patient import usagers.csv --dry-run
    """
    from .importing import Import, run_import

    run_import(
        Import(file, COLUMNS, frozenset({"ins"}), "patient.import", {}), config, dry_run=dry_run, json=json
    )


@app.command(name="set")
def set_(
    ins: Ins,
    alert: Annotated[
        str | None,
        typer.Option("--alert", help="The personal address that is told of new messages; '' for none."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name shown to the professional.")] = None,
    full: Full = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Change where a patient is alerted (PAT-3), or the name.

    Example: mss-gateway patient set 285037728417346 --alert adresse@courriel.example
    """
    arguments = {"ins": ins, "alert": alert, "display": name, "full": full}
    result = call(config, "patient.set", arguments, as_json=json)
    if not json:
        record("Changed", result["patient"])


@app.command()
def carer(
    ins: Ins,
    login: Annotated[str, typer.Argument(help="The carer's own login.")],
    name: Annotated[str, typer.Option("--name", help="The carer's name, when the login is new.")] = "",
    password: Annotated[
        str | None,
        typer.Option("--password", help="The carer's password, or -; needed when the login is new."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="The login opens the mailbox no longer.")] = False,
    full: Full = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Let a carer (aidant) read and answer for the patient with a login of their own, or no longer (PAT-6).

    Example: mss-gateway patient carer 285037728417346 aidant.exemple --password -
    """
    arguments = {
        "ins": ins,
        "login": login,
        "name": name,
        "password": ask_password(password) if password is not None else None,
        "remove": remove,
        "full": full,
    }
    result = call(config, "patient.carer", arguments, as_json=json)
    if not json:
        record("Removed" if remove else "Carer added", result["patient"])
