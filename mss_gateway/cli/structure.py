"""`mss-gateway structure …`: the places of care that mailboxes belong to."""

from __future__ import annotations

from typing import Annotated

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import record, table

app = typer.Typer(help="Structures: hospitals, surgeries, laboratories.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="1+FINESS, 3+SIRET or scheme:id.")]
Kind = Annotated[str | None, typer.Option("--type", help="What it is, in your own words: hospital, surgery.")]
Name = Annotated[str | None, typer.Option("--name", help="Its name.")]
Street = Annotated[str | None, typer.Option("--address", help="Street and number.")]
City = Annotated[str | None, typer.Option("--city", help="Post code and city.")]


@app.command(name="list")
def list_(
    after: Annotated[str, typer.Option("--after", help="Only ids after this one.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 1000,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List structures by id.

    Example: mss-gateway structure list
    """
    result = call(config, "structure.list", {"after": after, "limit": limit}, as_json=json)
    if not json:
        table("Structures", ("id", "scheme", "type", "name", "city"), result["structures"])
        if result["more"]:
            typer.echo(f"There is more: --after {result['more']}")


@app.command()
def show(id: Id, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show one structure with its mailboxes.

    Example: mss-gateway structure show 1750000000
    """
    _structure(call(config, "structure.show", {"id": id}, as_json=json), json)


@app.command()
def add(
    id: Id,
    name: Annotated[str, typer.Option("--name", help="Its name.")],
    type: Kind = None,
    address: Street = None,
    city: City = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Register a structure.

    Example: mss-gateway structure add 1750000000 --name "Clinique Exemple" --city "75000 Paris"
    """
    arguments = {"id": id, "name": name, "type": type, "address": address, "city": city}
    _structure(call(config, "structure.add", arguments, as_json=json), json)


@app.command(name="set")
def set_(
    id: Id,
    name: Name = None,
    type: Kind = None,
    address: Street = None,
    city: City = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Change what is named and leave the rest as it is.

    Example: mss-gateway structure set 1750000000 --name "Clinique Exemple Nord"
    """
    arguments = {"id": id, "name": name, "type": type, "address": address, "city": city}
    _structure(call(config, "structure.set", arguments, as_json=json), json)


def _structure(result: dict[str, dict[str, object]], json: bool) -> None:
    if json:
        return
    structure = result["structure"]
    record(str(structure["id"]), {name: value for name, value in structure.items() if name != "boxes"})
    if structure["boxes"]:
        table("Mailboxes", ("address", "type", "state"), structure["boxes"])  # type: ignore[arg-type]
