"""`mss-gateway encryption …`: messages encrypted at rest, their keys, and the change from one to the other (OPS-5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, show_json, table

app = typer.Typer(help="Messages encrypted at rest: keys, rotation, old mail.", no_args_is_help=True)


@app.command()
def status(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show which key protects how many messages, how many lie in the clear, and the work under way.

    Example: mss-gateway encryption status
    """
    result = call(config, "encryption.status", {}, as_json=json)
    if json:
        return
    out = console()
    out.print(f"New messages are {'encrypted' if result['encrypting'] else '[yellow]not encrypted[/]'}")
    table("Keys", ("name", "messages", "active"), result["keys"])
    out.print(f"Messages in the clear: {result['in_the_clear']}")
    if result["work"] is not None:
        work = result["work"]
        out.print(f"Under way: {escape(work['goal'])}, {_share(work):.0%}, {work['changed']} changed")


@app.command()
def rotate(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Protect every encrypted message with the newest key, while mail goes on; then the old key can go.

    Messages are not rewritten, only their keys are. Exit code 4 while another such work is under way.

    Example: mss-gateway encryption rotate
    """
    _work(config, "rotate", as_json=json)


@app.command(name="encrypt-existing")
def encrypt_existing(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Encrypt the messages that came before encryption was switched on, while mail goes on.

    An interrupted one goes on by itself. Exit code 4 while another such work is under way.

    Example: mss-gateway encryption encrypt-existing
    """
    _work(config, "encrypt", as_json=json)


@app.command()
def decrypt(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Lay every message open again, once encryption.mode is off; afterwards no key is needed.

    Exit code 4 while encryption.mode is on, or while another such work is under way.

    Example: mss-gateway encryption decrypt
    """
    _work(config, "decrypt", as_json=json)


@app.command()
def wipe(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Write the database anew, without remains of what was in the clear; only while no gateway is running.

    It needs as much free space as the database has. Exit code 5 beside a running gateway.

    Example: mss-gateway encryption wipe
    """
    result = call(config, "encryption.wipe", {}, as_json=json)
    if not json:
        console().print(f"[bold green]✓[/] the database is written anew, {result['octets']} octets")


def _share(work: dict[str, Any]) -> float:
    return float(work["reached"] / work["until"]) if work["until"] else 1.0


def _work(config: Path, goal: str, *, as_json: bool) -> None:
    """Begin, and show how far it is until it is done; an interrupt leaves it to the gateway."""
    from .importing import advancing, asking

    with asking(config, as_json=as_json) as ask:
        begun = ask("encryption.begin", {"goal": goal})["work"]
        with advancing(goal, 1.0, quiet=as_json) as advance:
            work, shown = begun, 0.0
            while True:
                result = ask("encryption.step", {})
                work = result["work"] or work
                advance(_share(work) - shown)
                shown = _share(work)
                if result["done"]:
                    break
        found = ask("encryption.status", {})
    if as_json:
        show_json({"goal": goal, "changed": work["changed"], **found})
        return
    out = console()
    out.print(f"[bold green]✓[/] {escape(goal)}: done")
    table("Keys", ("name", "messages", "active"), found["keys"])
    out.print(f"Messages in the clear: {found['in_the_clear']}")
    if goal == "encrypt":
        out.print(
            "Pages of the database may hold remains: stop the gateway, then `mss-gateway encryption wipe`"
        )
