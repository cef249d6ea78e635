"""`mss-gateway person …`: who logs in, and what they hold."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, ask_password, call
from .output import record, table

app = typer.Typer(
    help="Persons: professionals and members of mailboxes, who log in under their own name.",
    no_args_is_help=True,
)

Who = Annotated[str, typer.Argument(metavar="LOGIN", help="A login, or a national id (8+RPPS, 0+ADELI).")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the trace.")]
Number = Annotated[str | None, typer.Option("--national-id", help="8+RPPS (11 digits) or 0+ADELI.")]
Force = Annotated[
    bool, typer.Option("--force", help="A second account of the same professional: the id is taken already.")
]


@app.command(name="list")
def list_(
    disabled: Annotated[bool, typer.Option("--disabled", help="Only those who may not log in.")] = False,
    after: Annotated[str, typer.Option("--after", help="Only logins after this one.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 1000,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List persons by login.

    Example: mss-gateway person list --disabled
    """
    result = call(config, "person.list", {"disabled": disabled, "after": after, "limit": limit}, as_json=json)
    if not json:
        table("Persons", ("login", "name", "national_id", "disabled", "last_login_at"), result["persons"])
        if result["more"]:
            typer.echo(f"There is more: --after {result['more']}")


@app.command()
def show(login: Who, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show one person: mailboxes, delegations, last login.

    Example: mss-gateway person show jean.exemple
    """
    _person(call(config, "person.show", {"login": login}, as_json=json), json)


@app.command()
def add(
    login: Annotated[str, typer.Argument(help="What the person types to log in; often an address.")],
    name: Annotated[str | None, typer.Option("--name", help="First and last name.")] = None,
    national_id: Number = None,
    password: Annotated[
        str | None,
        typer.Option("--password", help="A first password, or - for standard input; none for token logins."),
    ] = None,
    force: Force = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Register a person; mailboxes are given with `bal add` and `bal member`.

    Exit code 4 when the login or the national id is taken.

    Example: mss-gateway person add jean.exemple --name "Jean Exemple" --national-id 8...
    """
    arguments = {
        "login": login,
        "name": name,
        "national_id": national_id,
        "password": ask_password(password) if password is not None else None,
        "force": force,
    }
    _person(call(config, "person.add", arguments, as_json=json), json)


@app.command(name="set")
def set_(
    login: Who,
    new_login: Annotated[str | None, typer.Option("--login", help="Another login.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    national_id: Number = None,
    force: Force = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Change what is named and leave the rest as it is.

    Example: mss-gateway person set jean.exemple --national-id 8...
    """
    arguments = {
        "login": login,
        "new_login": new_login,
        "name": name,
        "national_id": national_id,
        "force": force,
    }
    _person(call(config, "person.set", arguments, as_json=json), json)


@app.command()
def disable(login: Who, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """End the logins of a person, and open sessions; PER mailboxes that they hold are suspended (mail still comes).

    Example: mss-gateway person disable jean.exemple --reason "left the hospital"
    """
    _person(call(config, "person.disable", {"login": login, "reason": reason}, as_json=json), json)


@app.command()
def enable(login: Who, reason: Reason, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Let a person log in again; PER mailboxes that were suspended with the person are taken up again.

    Example: mss-gateway person enable jean.exemple --reason "came back"
    """
    _person(call(config, "person.enable", {"login": login, "reason": reason}, as_json=json), json)


@app.command()
def passwd(
    login: Who,
    password: Annotated[
        str | None,
        typer.Option("--password", help="The password, or - to read it from standard input; else asked for."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Give somebody a password, the first one too.

    Example: mss-gateway person passwd jean.exemple
    """
    arguments = {"login": login, "password": ask_password(password)}
    result = call(config, "person.passwd", arguments, as_json=json)
    if not json:
        record(f"New password for {result['login']}", {})


def _person(result: dict[str, dict[str, object]], json: bool) -> None:
    if json:
        return
    person = result["person"]
    lists = ("boxes", "delegated")
    record(str(person["login"]), {name: value for name, value in person.items() if name not in lists})
    if person["boxes"]:
        table("Mailboxes", ("address", "type", "role", "state"), person["boxes"])  # type: ignore[arg-type]
    if person["delegated"]:
        columns = ("address", "state", "from_at", "until_at", "reason", "granted_by")
        table("May write from", columns, person["delegated"])  # type: ignore[arg-type]
