"""`mss-gateway login …`: failed logins, and who must wait after them."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import table

app = typer.Typer(help="Failed logins, and who must wait after them.", no_args_is_help=True)


@app.command()
def locks(
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 200,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List accounts and addresses with failed logins, longest waits first; the login is empty where nobody has it.

    Example: mss-gateway login locks
    """
    result = call(config, "login.locks", {"limit": limit}, as_json=json)
    if json:
        return
    columns = ("kind", "login", "source", "failures", "last_at", "wait_seconds")
    table("Failed logins", columns, result["locks"])
    if result["more"]:
        typer.echo(f"{result['total']} in all: --limit shows more")


@app.command()
def unlock(
    who: Annotated[str, typer.Argument(metavar="WHO", help="A login, a mailbox, or an IP address.")],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Let somebody try again at once: their failed logins are forgotten.

    Exit code 3 when none are counted.

    Example: mss-gateway login unlock 192.0.2.10
    """
    result = call(config, "login.unlock", {"who": who}, as_json=json)
    if not json:
        typer.echo(f"{result['who']}: {result['forgotten']} count(s) of failed logins forgotten")
