"""`mss-gateway autoconfig`: what mail clients are told, and the records for the zone file (ACC-4)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console

app = typer.Typer(help="What mail clients are told so that they set themselves up.", no_args_is_help=True)


@app.command()
def srv(
    domain: Annotated[
        str | None, typer.Argument(help="One domain; without it, every domain hosted here.")
    ] = None,
    zone: Annotated[bool, typer.Option("--zone", help="Lines for a zone file, and nothing else.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Print the SRV records of RFC 6186 and RFC 8314 for each domain; "." is a service that is not offered.

    Example: mss-gateway autoconfig srv --zone >> example.mssante.fr.zone
    """
    result = call(config, "autoconfig.srv", {"domain": domain}, as_json=json)
    if json:
        return
    for one in result["zones"]:
        for line in _zone(one, result["ttl"]):
            typer.echo(line)
        if not zone:
            _advice(one)


def _zone(one: dict[str, Any], ttl: int) -> list[str]:
    domain = one["domain"]
    return [
        f"{record['service']}.{domain}. {ttl} IN SRV"
        f" {record['priority']} {record['weight']} {record['port']} {record['target']}"
        for record in one["records"]
    ]


def _advice(one: dict[str, Any]) -> None:
    out = console()
    if one["url"]:
        host = one["url"].removeprefix("https://").partition(":")[0]
        out.print(
            f"  and, for Thunderbird, {one['autoconfig']} as a CNAME of {host}, with its name in the certificate",
            markup=False,
            soft_wrap=True,
        )
    else:
        out.print(
            "  http.url is not set: no record tells where the ops door is", markup=False, soft_wrap=True
        )


@app.command()
def show(
    address: Annotated[str, typer.Argument(help="An address; whether it exists is not looked up.")],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show what a mail client with this address is told.

    Example: mss-gateway autoconfig show prenom.nom@example.mssante.fr
    """
    result = call(config, "autoconfig.show", {"address": address}, as_json=json)
    if json:
        return
    out = console()
    out.print(f"login    {result['login']}", markup=False, soft_wrap=True)
    for one in result["services"]:
        out.print(
            f"{one['kind']:<8} {one['host']} port {one['port']} {one['security']}",
            markup=False,
            soft_wrap=True,
        )
    out.print(f"methods  {', '.join(result['methods'])}", markup=False, soft_wrap=True)
