"""`mss-gateway trace`: where one message is, and what happened to it (AUD-2)."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call


def trace(
    message_id: Annotated[
        str | None, typer.Argument(help="The Message-ID, with or without its angle brackets.")
    ] = None,
    transaction: Annotated[
        str | None, typer.Option("--transaction", help="The lines of one transaction, as the log names it.")
    ] = None,
    box: Annotated[str | None, typer.Option("--box", help="The latest lines of this mailbox.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Show each decision rule by rule.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Lines at most: 200 when not given, 400 at most.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show one message from submission to receipt: decisions, relay, reports, opening.

    Or the lines of a transaction, or the latest ones of a mailbox. Exit code 3: nothing is known of it here.

    Example: mss-gateway trace '<20261121.1234@logiciel.example>'
    """
    arguments = {"message_id": message_id, "transaction": transaction, "box": box, "limit": limit}
    result = call(config, "trace", arguments, as_json=json)
    if not json:
        from .timeline import show

        show(result, rules=rules)
