"""`mss-gateway channel …`: who may answer whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import record, table

app = typer.Typer(help="Channels between patients and mailboxes: who may answer whom.", no_args_is_help=True)

Patient = Annotated[str, typer.Argument(help="The patient's address.")]
Bal = Annotated[str, typer.Argument(help="The mailbox that the patient answers.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the trace.")]


@app.command(name="list")
def list_(
    patient: Annotated[str | None, typer.Option("--patient", help="Only this patient's.")] = None,
    bal: Annotated[str | None, typer.Option("--bal", help="Only this mailbox's.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List channels, the latest change first.

    Example: mss-gateway channel list --bal alix.martin@clinique-exemple.mssante.fr
    """
    result = call(config, "channel.list", {"patient": patient, "bal": bal}, as_json=json)
    if not json:
        table("Channels", ("patient", "bal", "state", "cause", "changed_at"), result["channels"])


@app.command()
def show(patient: Patient, bal: Bal, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show one channel.

    Example: mss-gateway channel show 285037728417346@patient.mssante.fr
    alix.martin@clinique-exemple.mssante.fr
    """
    result = call(config, "channel.show", {"patient": patient, "bal": bal}, as_json=json)
    if not json:
        record("Channel", result["channel"])


def _set(operation: str, patient: str, bal: str, reason: str, config: Path, json: bool) -> None:
    result = call(config, operation, {"patient": patient, "bal": bal, "reason": reason}, as_json=json)
    if not json:
        record("Channel", result["channel"])


@app.command()
def close(
    patient: Patient, bal: Bal, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False
) -> None:
    """Close a channel: the patient can no longer answer, until the mailbox writes again.

    Example: mss-gateway channel close 285037728417346@patient.mssante.fr
    alix.martin@clinique-exemple.mssante.fr --reason "ticket 12"
    """
    _set("channel.close", patient, bal, reason, config, json)


@app.command(name="open")
def open_(
    patient: Patient, bal: Bal, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False
) -> None:
    """Open a channel: the patient may answer again.

    Example: mss-gateway channel open 285037728417346@patient.mssante.fr
    alix.martin@clinique-exemple.mssante.fr --reason "ticket 12"
    """
    _set("channel.open", patient, bal, reason, config, json)
