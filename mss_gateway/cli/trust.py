"""`mss-gateway trust …`: the signed list, revocation, and why a peer is accepted or refused (TRU-3, TRU-8)."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call, settings_of
from .output import console, fail

app = typer.Typer(
    help="The trust space: the signed list, revocation, and why a peer is accepted or refused.",
    no_args_is_help=True,
)

MAX_LIST = 32 * 1024 * 1024
"""Octets of a trusted list."""

_USAGE = 2
_SESSION = re.compile(r"[0-9A-Za-z]{10}\Z")
_NAMED = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/\s]+))(?::([0-9]{1,5}))?\Z")

ListFile = Annotated[
    Path | None, typer.Argument(help="A signed list; without one the list that waits.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", help="Domains of each kind that are named.", min=1, max=5000)]


@app.command()
def status(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show the list, CRLs, authorities and our certificates in force, the next fetches, and the alarms.

    Exit code 1 when there is an alarm, so that a monitor needs nothing else.

    Example: mss-gateway trust status --json
    """
    found = call(config, "trust.status", {}, as_json=json)
    if not json:
        from .trust_showing import status as shown

        shown(found)
    raise typer.Exit(1 if found["alarms"] else 0)


@app.command()
def diff(
    file: ListFile = None, limit: Limit = 50, config: Config = DEFAULT_CONFIG, json: AsJson = False
) -> None:
    """Show what a signed list would change, else the list that waits, else what the last one has changed.

    Example: mss-gateway trust diff listeblanchemssante.xml
    """
    found = call(config, "trust.diff", {"list": _packed(file, json), "limit": limit}, as_json=json)
    if not json:
        from .trust_showing import diff as shown

        shown(found)


@app.command()
def apply(
    file: ListFile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    removals: Annotated[
        bool, typer.Option("--removals", help="With --yes: also when the file drops many domains.")
    ] = False,
    limit: Limit = 20,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Put a signed list in force, or without a file the one that waits for a confirmation; shows the difference first.

    It is verified as any other list, and an older one is refused: `trust rollback` goes back. Every address and file
    that gives lists goes on doing so.

    Examples: mss-gateway trust apply · mss-gateway trust apply --yes listeblanchemssante.xml
    """
    if json and not yes:
        fail("With --json nobody can be asked: give --yes", _USAGE, reason="bad-argument", as_json=True)
    data = _packed(file, json)
    if not json:
        from .trust_showing import diff as shown

        found = call(config, "trust.diff", {"list": data, "limit": limit}, as_json=False)
        if file is None and found["against"] != "held":
            fail(
                "No trusted list waits for a confirmation: name the file of one",
                4,
                reason="list-nothing-held",
            )
        shown(found)
        if not yes and not typer.confirm("Put it in force?"):
            raise typer.Exit(0)
    result = call(config, "trust.apply", {"list": data, "removals": removals or not yes}, as_json=json)
    if not json:
        from .trust_showing import in_force

        in_force(result)


@app.command()
def rollback(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Go back to the list before the one in force, until a newer one comes.

    Example: mss-gateway trust rollback --yes
    """
    if not yes and json:
        fail("With --json nobody can be asked: give --yes", _USAGE, reason="bad-argument", as_json=True)
    if not yes and not typer.confirm("Go back to the list before the one in force?"):
        raise typer.Exit(0)
    result = call(config, "trust.rollback", {}, as_json=json)
    if not json:
        from .trust_showing import in_force

        in_force(result)


@app.command()
def show(
    domain: Annotated[str, typer.Argument(help="A domain of the trust space.")],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show which DNs may speak for a domain, as published and as they are compared.

    Example: mss-gateway trust show patient.mssante.fr
    """
    found = call(config, "trust.show", {"domain": domain}, as_json=json)
    if not json:
        from .trust_showing import domain as shown

        shown(found)


@app.command()
def explain(
    target: Annotated[
        str,
        typer.Argument(
            help="A certificate file, host:port, or the id of a refused session.", show_default=False
        ),
    ] = "",
    domain: Annotated[
        str, typer.Option("--domain", help="The sender's or recipient's domain; without a target its hosts.")
    ] = "",
    tls: Annotated[bool, typer.Option("--tls", help="The port speaks TLS from the start.")] = False,
    role: Annotated[str, typer.Option("--role", help="Judge a file as client or as server only.")] = "",
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Say step by step why a peer is accepted or refused, and what to do about it. Nothing is changed or sent.

    Exit code 1 when it is refused.

    Examples: mss-gateway trust explain pair.pem --domain hopital.mssante.fr ·
    mss-gateway trust explain mx.hopital.mssante.fr:25 ·
    mss-gateway trust explain --domain hopital.mssante.fr · mss-gateway trust explain 7k2m4n6p8q
    """
    settings_of(config, as_json=json)  # before a file is read: a wrong --config is told first
    arguments = {"domain": domain, "tls": tls, "role": role, **_target(target, json)}
    if not target and not domain:
        fail(
            "Name a certificate file, host:port, a session, or --domain",
            _USAGE,
            reason="bad-argument",
            as_json=json,
        )
    result = call(config, "trust.explain", arguments, as_json=json)
    from .trust_explaining import accepted
    from .trust_explaining import show as shown

    if not json:
        shown(result)
    raise typer.Exit(0 if accepted(result) else 1)


@app.command()
def sessions(
    limit: Annotated[int, typer.Option("--limit", help="How many.", min=1, max=1000)] = 20,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List the last sessions refused for a reason of trust; `trust explain` tells more of each.

    Example: mss-gateway trust sessions --limit 5
    """
    found = call(config, "trust.sessions", {"limit": limit}, as_json=json)
    if json:
        return
    from .trust_showing import sessions as shown

    shown(found["sessions"])
    if found["sessions"]:
        console().print("  [dim]mss-gateway trust explain <id>[/]")


def _target(target: str, json: bool) -> dict[str, Any]:
    """What a target is: a file when there is one, else the id of a session, else a host."""
    if not target:
        return {}
    path = Path(target).expanduser()
    if path.is_file():
        return {"certificates": [base64.b64encode(der).decode("ascii") for der in _certificates(path, json)]}
    if _SESSION.match(target) and not target.isdigit():
        return {"session": target.lower()}
    found = _NAMED.match(target)
    if (
        found is None
        or int(found[3] or 25) > 65535
        or "." not in target + ("." if found[3] or found[1] else "")
    ):
        fail(
            f"{target}: there is no such file, and it is neither host:port nor the id of a session",
            _USAGE,
            reason="bad-argument",
            as_json=json,
        )
    return {"host": found[1] or found[2], "port": int(found[3] or 25)}


def _certificates(path: Path, json: bool) -> tuple[bytes, ...]:
    from mss_gateway.trust.certificate_file import read_certificates
    from mss_gateway.trust.refusals import TrustProblem

    try:
        return read_certificates(path)
    except TrustProblem as problem:
        fail(problem.sentence, _USAGE, reason=problem.reason, as_json=json)


def _packed(file: Path | None, json: bool) -> str | None:
    from mss_gateway.ops.trust import packed

    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_LIST + 1)
    except OSError as error:
        fail(
            f"{file}: {error.strerror}: check path and rights", _USAGE, reason="file-unreadable", as_json=json
        )
    if len(data) > MAX_LIST:
        fail(
            f"{file}: larger than {MAX_LIST} octets: this is no trusted list",
            _USAGE,
            reason="too-large",
            as_json=json,
        )
    return packed(data)
