"""`mss-gateway doctor`: what is right and what is wrong, with the next step (OPS-2)."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, visible
from .timeline import MARKS, NARROWEST, wrapped

UNHEALTHY = 1
"""Exit code when a check is bad."""

_MARGIN = 2


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Without the doors and the message that makes a round trip.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Examine the gateway, from its certificates to a message that makes a round trip; each fault with its next step.

    Looked at: trusted list, revocation, our certificates, queue, store, disk, DNS, clock, doors, what is fetched and
    saved on a schedule, and a real message that goes out and comes back (`gateway.probe`).

    Ends with 0 when nothing is bad, with 1 otherwise, for monitoring; `--quick` is made to be asked every minute.

    Example: mss-gateway doctor --json
    """
    result = call(config, "doctor", {"quick": quick}, as_json=json)
    if not json:
        _show(result["checks"])
    raise typer.Exit(0 if result["healthy"] else UNHEALTHY)


def _show(checks: list[dict[str, str]]) -> None:
    out = console()
    names = max((len(one["name"]) for one in checks), default=0)
    width = max(out.width - names - _MARGIN - 2, NARROWEST)
    for one in checks:
        mark, colour = MARKS[one["verdict"]]
        lines = wrapped(visible(one["evidence"]), width) or [""]
        head = Text.assemble((mark, colour), " ", (visible(one["name"]).ljust(names), "bold"), "  ", lines[0])
        out.print(head, soft_wrap=True)
        indent = " " * (names + _MARGIN + 2)
        for line in lines[1:]:
            out.print(Text(indent + line), soft_wrap=True)
        for number, line in enumerate(wrapped(visible(one["next_step"]), width - 2)):
            out.print(Text.assemble(indent, ("  " if number else "→ ", "yellow"), line), soft_wrap=True)
