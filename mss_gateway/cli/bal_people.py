"""`mss-gateway bal delegate`, `bal history`: who may write from a mailbox, and what has become of it."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import table


def delegate(
    address: Annotated[str, typer.Argument(help="A PER, ORG or CAB mailbox.")],
    login: Annotated[str, typer.Argument(help="Who may write from it; they read their own mailboxes only.")],
    until: Annotated[
        str | None, typer.Option("--until", help="The last day: 2026-12-31, or 2026-12-31T18:00.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The first day; else now.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; kept in the trace.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the right away.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Let a person write from a mailbox without reading it; what they send names them in Sender.

    Example: mss-gateway bal delegate chef@clinique-exemple.mssante.fr anne --until 2026-12-31 --reason "leave"
    """
    arguments = {
        "address": address,
        "login": login,
        "until": until,
        "from": from_,
        "reason": reason,
        "remove": remove,
    }
    result = call(config, "bal.delegate", arguments, as_json=json)
    if not json:
        columns = ("login", "name", "state", "from_at", "until_at", "reason", "granted_by")
        table(f"May write from {result['address']}", columns, result["delegates"])


def history(
    address: Annotated[str, typer.Argument(help="The address of the mailbox.")],
    limit: Annotated[int, typer.Option("--limit", help="The latest so many.")] = 200,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List every change of a mailbox: when, what, who, why.

    Example: mss-gateway bal history secretariat@clinique-exemple.mssante.fr
    """
    result = call(config, "bal.history", {"address": address, "limit": limit}, as_json=json)
    if not json:
        columns = ("changed_at", "event", "actor", "reason", "detail")
        table(f"History of {result['address']}", columns, result["history"])
