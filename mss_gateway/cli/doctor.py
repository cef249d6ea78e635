"""`mss-gateway doctor`: what is right and what is wrong, with the next step (OPS-2)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from mss_gateway.rules.ins import mask_text

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, show_json, visible
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
    result = _with_configuration(call(config, "doctor", {"quick": quick}, as_json=json, silent=True), config)
    if json:
        show_json(result)
    else:
        _show(result["checks"])
    raise typer.Exit(0 if result["healthy"] else UNHEALTHY)


def _with_configuration(examined: dict[str, Any], config: Path) -> dict[str, Any]:
    """What is wrong with the file now: a gateway that runs has read it long ago, and does not start with it again."""
    from mss_gateway.settings import ConfigError, load

    try:
        load(config)
    except ConfigError as error:
        check = {
            "name": "configuration",
            "verdict": "bad",
            "evidence": mask_text(str(error)),
            "next_step": "correct it before the next start; the running gateway goes on with what it has read",
        }
        return {**examined, "healthy": False, "checks": [check, *examined["checks"]]}
    return examined


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
