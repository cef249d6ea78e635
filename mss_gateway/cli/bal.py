"""`mss-gateway bal …`: the mailboxes of professionals, structures and software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .bal_import import import_
from .bal_people import delegate, history
from .call import DEFAULT_CONFIG, AsJson, Config, ask_password, call
from .output import fail, record, table

app = typer.Typer(help="Mailboxes of professionals, structures and software (BAL).", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The address of the mailbox.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the trace.")]
Password = Annotated[
    str | None,
    typer.Option("--password", help="The password, or - to read it from standard input; else asked for."),
]


@app.command()
def add(
    address: Annotated[str, typer.Argument(help="The address, as it is published.")],
    type: Annotated[str, typer.Option("--type", "-t", help="PER, ORG, APP or CAB.")],
    name: Annotated[str, typer.Option("--name", help="Name shown to correspondents.")] = "",
    national_id: Annotated[
        str, typer.Option("--national-id", help="PER: the holder's 8+RPPS or 0+ADELI.")
    ] = "",
    structure: Annotated[
        str, typer.Option("--structure", help="ORG, CAB, APP: 1+FINESS, 3+SIRET or scheme:id.")
    ] = "",
    responsible: Annotated[
        str, typer.Option("--responsible", help="ORG, CAB, APP: national id of the responsible professional.")
    ] = "",
    login: Annotated[
        str | None, typer.Option("--login", help="PER: the holder's login, else the address.")
    ] = None,
    password: Password = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="APP: the client certificate (PEM) whose DN may log in."),
    ] = None,
    password_login: Annotated[
        bool, typer.Option("--password-login", help="APP: allow a password as well.")
    ] = False,
    patient_initiated: Annotated[
        bool, typer.Option("--patient-initiated", help="Patients may write first (pharmacies).")
    ] = False,
    fin: Annotated[
        str, typer.Option("--fin", help="APP to patients without Reply-To: fin, leave or reply-to=ADDRESS.")
    ] = "fin",
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Provision a mailbox; it takes mail at once. PER asks for the holder's password.

    Exit code 4 when the address, or the certificate, is taken.

    Example: mss-gateway bal add jean.exemple@clinique-exemple.mssante.fr -t PER --national-id 8...
    """
    arguments: dict[str, object] = {
        "address": address,
        "type": type.upper(),
        "display": name,
        "national_id": national_id,
        "structure": structure,
        "responsible": responsible,
        "login": login,
        "password_login": password_login,
        "patient_initiated": patient_initiated,
        "fin": fin,
    }
    if type.upper() == "PER" or password_login:
        arguments["password"] = ask_password(password)
    if certificate is not None:
        arguments |= certificate_arguments(certificate, json)
    result = call(config, "bal.add", arguments, as_json=json)
    if not json:
        record(f"Added {address}", result["bal"])
        for warning in result["warnings"]:
            typer.echo(f"Note: {warning}")


def certificate_arguments(path: Path, as_json: bool) -> dict[str, str]:
    """The DN of a certificate file, as text and as key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from mss_gateway.trust.dn import key_of, subject_attributes, text_of_attributes

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        fail(f"{path}: this is no PEM certificate: {error}", 2, reason="certificate", as_json=as_json)
    attributes = subject_attributes(found.public_bytes(Encoding.DER))
    return {"certificate_dn": text_of_attributes(attributes), "certificate_key": key_of(attributes)}


@app.command(name="list")
def list_(
    type: Annotated[str | None, typer.Option("--type", "-t", help="Only this type.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only those: active, suspended, closed, purged.")
    ] = None,
    inactive_days: Annotated[
        int | None, typer.Option("--inactive-days", help="Without a login or a message for so many days.")
    ] = None,
    orphaned: Annotated[
        bool,
        typer.Option(
            "--orphaned", help="Whose holder or responsible professional is gone, or not known here."
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List mailboxes by address: all, or those of a type, of a state, unused, or without people.

    Example: mss-gateway bal list --inactive-days 730
    """
    arguments = {
        "type": type.upper() if type else None,
        "state": state,
        "inactive_days": inactive_days,
        "orphaned": orphaned,
    }
    result = call(config, "bal.list", arguments, as_json=json)
    if json:
        return
    columns: tuple[str, ...] = ("address", "type", "state", "display", "structure")
    if inactive_days is not None:
        columns = ("address", "type", "state", "display", "login_at", "mail_at")
    elif orphaned:
        columns = ("address", "type", "state", "display", "responsible", "why")
    table("Mailboxes", columns, result["bals"])


@app.command()
def show(address: Address, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show one mailbox: state, people, who may write from it, how full it is.

    Example: mss-gateway bal show secretariat@clinique-exemple.mssante.fr
    """
    result = call(config, "bal.show", {"address": address}, as_json=json)
    if not json:
        record(address, result["bal"])


def _state(operation: str, address: str, reason: str, config: Path, json: bool) -> None:
    result = call(config, operation, {"address": address, "reason": reason}, as_json=json)
    if not json:
        bal = result["bal"]  # its reason comes back without an INS in it
        record(bal["address"], {"state": bal["state"], "reason": bal["state_reason"]})


@app.command()
def suspend(address: Address, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """End logins to a mailbox, and sessions that are open; mail is still received.

    Example: mss-gateway bal suspend jean.exemple@clinique-exemple.mssante.fr --reason "ticket 12"
    """
    _state("bal.suspend", address, reason, config, json)


@app.command()
def activate(address: Address, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Take a suspended or closed mailbox up again, with all its mail.

    Example: mss-gateway bal activate jean.exemple@clinique-exemple.mssante.fr --reason "came back"
    """
    _state("bal.activate", address, reason, config, json)


@app.command()
def close(address: Address, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Refuse mail to a mailbox from now on (550 5.2.1), and logins; its mail stays until it is purged.

    Example: mss-gateway bal close jean.exemple@clinique-exemple.mssante.fr --reason "left the house"
    """
    _state("bal.close", address, reason, config, json)


@app.command()
def purge(address: Address, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Remove the mail of a closed mailbox for good; the address stays taken.

    Exit code 4 before rules.purge_after_days have passed since it was closed, or when it is not closed.

    Example: mss-gateway bal purge jean.exemple@clinique-exemple.mssante.fr --reason "six months over"
    """
    _state("bal.purge", address, reason, config, json)


@app.command(name="set")
def set_(
    address: Address,
    display: Annotated[
        str | None, typer.Option("--display", "--name", help="Name shown to correspondents.")
    ] = None,
    auto_close: Annotated[
        str | None,
        typer.Option(
            "--auto-close",
            help="When an exchange with a patient ends by itself: answer (after the first answer), send (APP: after "
            "each message), days=N (after N days of silence), never.",
        ),
    ] = None,
    fin: Annotated[
        str | None,
        typer.Option("--fin", help="APP to patients without Reply-To: fin, leave or reply-to=ADDRESS."),
    ] = None,
    patient_initiated: Annotated[
        bool | None,
        typer.Option(
            "--patient-initiated/--no-patient-initiated", help="Patients may write first (pharmacies)."
        ),
    ] = None,
    exchange_folder: Annotated[
        bool | None,
        typer.Option(
            "--exchange-folder/--no-exchange-folder", help="File exchanges with patients in their folder."
        ),
    ] = None,
    server_mdn: Annotated[
        bool | None,
        typer.Option(
            "--server-mdn/--no-server-mdn", help="Answer requests for read receipts for the software here."
        ),
    ] = None,
    structure: Annotated[
        str | None, typer.Option("--structure", help="Where it belongs: 1+FINESS, 3+SIRET or scheme:id.")
    ] = None,
    responsible: Annotated[
        str | None,
        typer.Option("--responsible", help="ORG, CAB, APP: national id of the responsible professional."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Change settings of a mailbox: what is named; the rest stays as it is.

    Example: mss-gateway bal set resultats@clinique-exemple.mssante.fr --auto-close send
    """
    arguments = {
        "address": address,
        "display": display,
        "auto_close": auto_close,
        "fin": fin,
        "patient_initiated": patient_initiated,
        "exchange_folder": exchange_folder,
        "server_mdn": server_mdn,
        "structure": structure,
        "responsible": responsible,
    }
    result = call(config, "bal.set", arguments, as_json=json)
    if not json:
        record(result["bal"]["address"], result["bal"])


@app.command()
def quota(
    address: Address,
    octets: Annotated[
        str | None,
        typer.Option("--bytes", help="What it may hold: 10G, 512M, 1048576, or default (the setting)."),
    ] = None,
    messages: Annotated[
        str | None, typer.Option("--messages", help="How many messages: 50000, or default (the setting).")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Say how much a mailbox may hold, or show how full it is. A full one takes no mail: 452 4.2.2 to the sender.

    Example: mss-gateway bal quota secretariat@clinique-exemple.mssante.fr --bytes 10G --messages 50000
    """
    arguments = {"address": address, "bytes": octets, "messages": messages}
    result = call(config, "bal.quota", arguments, as_json=json)
    if not json:
        record(result["address"], result["quota"])


@app.command()
def certificate(
    address: Annotated[str, typer.Argument(help="An APP mailbox.")],
    file: Annotated[Path, typer.Argument(help="The client certificate (PEM) whose DN may log in.")],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Let software log in to its mailbox with one more certificate.

    Example: mss-gateway bal certificate resultats@clinique-exemple.mssante.fr automate.pem
    """
    arguments = {"address": address, **certificate_arguments(file, json)}
    result = call(config, "bal.certificate", arguments, as_json=json)
    if not json:
        record(result["bal"]["address"], {"certificate": result["certificate"]})


@app.command()
def passwd(
    login: Annotated[str, typer.Argument(help="A login, or the address of a PER mailbox.")],
    password: Password = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Give somebody a new password; the old one is worth nothing from then on.

    Example: mss-gateway bal passwd jean.exemple@clinique-exemple.mssante.fr
    """
    result = call(config, "bal.passwd", {"login": login, "password": ask_password(password)}, as_json=json)
    if not json:
        record(f"New password for {result['login']}", {})


@app.command()
def member(
    address: Annotated[str, typer.Argument(help="An ORG or CAB mailbox.")],
    login: Annotated[str, typer.Argument(help="The member's login; made when it is new.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The member's name, when the login is new.")
    ] = None,
    national_id: Annotated[
        str | None, typer.Option("--national-id", help="8+RPPS or 0+ADELI, if any.")
    ] = None,
    password: Annotated[str | None, typer.Option("--password", help="Password of a new login, or -.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the member away.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Add a member to an ORG or CAB mailbox, or take one away; their sessions know at once.

    Example: mss-gateway bal member secretariat@clinique-exemple.mssante.fr jean.exemple
    """
    arguments = {
        "address": address,
        "login": login,
        "name": name,
        "national_id": national_id,
        "password": ask_password(password) if password is not None else None,
        "remove": remove,
    }
    result = call(config, "bal.member", arguments, as_json=json)
    if not json:
        record(address, result["bal"])


@app.command()
def activity(
    address: Annotated[str, typer.Argument(help="An ORG or CAB mailbox.")],
    since: Annotated[
        str | None, typer.Option("--since", help="Only from then on: 2026-11-14 or 2026-11-14T08:30.")
    ] = None,
    message_id: Annotated[str | None, typer.Option("--message-id", help="Only this message.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="The latest so many.")] = 200,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List who read, answered, filed or deleted which message, each under their own name, the latest first.

    Example: mss-gateway bal activity secretariat@clinique-exemple.mssante.fr --since 2026-11-14
    """
    arguments = {"address": address, "since": since, "message_id": message_id, "limit": limit}
    result = call(config, "bal.activity", arguments, as_json=json)
    if not json:
        columns = ("last_at", "name", "act", "message_id", "first_at")
        table(f"Activity in {result['address']}", columns, result["activity"])
        if result["more"]:
            typer.echo("There is more: --limit shows it.")


app.command()(delegate)
app.command()(history)
app.command(name="import")(import_)
