"""`mss-gateway ins …`: reading a national health identity."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from .call import AsJson
from .output import console, fail, show_json

app = typer.Typer(help="National health identities (INS).", no_args_is_help=True)


@app.callback()
def group() -> None:
    """National health identities (INS)."""


@app.command()
def show(
    ins: Annotated[str, typer.Argument(help="15 characters: matricule and key.")],
    json: AsJson = False,
) -> None:
    """Say what the sender must check: sex, month and year of birth, département (INS-4).

    Example: mss-gateway ins show 285037728417346
    """
    from mss_gateway.base.errors import InvalidValue
    from mss_gateway.rules.ins import describe, parse_ins

    try:
        found = parse_ins(ins.partition("@")[0])
    except InvalidValue as invalid:
        fail(invalid.public[:1].upper() + invalid.public[1:], 2, reason=invalid.reason, as_json=json)
    sentence = describe(found, datetime.now(UTC).year)
    if json:
        show_json(
            {
                "sentence": sentence,
                "masked": found.masked(),
                "key_holds": found.key_holds,
                "sex": found.sex,
                "year": found.year,
                "month": found.month,
                "department": found.department,
            }
        )
    else:
        console().print(sentence)
        if not found.key_holds:
            console().print("[yellow]Attention : la clé (2 derniers chiffres) est fausse.[/]")
    raise typer.Exit(0 if found.key_holds else 1)
