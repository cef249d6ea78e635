"""`mss-gateway dev`: a trust space to try things on, and a tour of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .call import AsJson
from .output import fail

app = typer.Typer(
    help="A throw-away trust space of three operators on loopback; `dev tour` walks through it.\n\n"
    "Example: mss-gateway dev --state /tmp/essai",
    invoke_without_command=True,
)

State = Annotated[Path, typer.Option("--state", help="Folder for everything; made when absent.")]
BasePort = Annotated[
    int, typer.Option("--base-port", help="First of fifteen ports on loopback.", min=1024, max=65000)
]
One = Annotated[bool, typer.Option("--one", help="One gateway with both roles instead of three operators.")]
DEFAULT_STATE = Path(".state/dev")
DEFAULT_PORT = 20025


@app.callback()
def dev(
    context: typer.Context,
    state: State = DEFAULT_STATE,
    base_port: BasePort = DEFAULT_PORT,
    one: One = False,
    json: AsJson = False,
) -> None:
    """Run three operators, ours, the patients' and an independent one, and print how to connect; Ctrl-C ends it."""
    if context.invoked_subcommand is None:
        from mss_gateway.dev.running import run_sample, run_space
        from mss_gateway.dev.sample import PreparationFailed

        from .serving import UNAVAILABLE, serve_settings

        try:
            if one:
                run_sample(state, base_port, serve_settings, as_json=json)
            else:
                run_space(state, base_port, as_json=json)
        except PreparationFailed as failed:
            fail(str(failed), UNAVAILABLE, reason="preparation", as_json=json)


@app.command()
def tour(
    state: State = DEFAULT_STATE,
    base_port: BasePort = DEFAULT_PORT,
    one: One = False,
    once: Annotated[bool, typer.Option("--once/--stay", help="End after the tour, or stay up.")] = True,
) -> None:
    """Show the main job step by step, over real sockets; exit status 1 when a step does not hold.

    Example: mss-gateway dev tour --stay
    """
    from mss_gateway.dev.running import run_tour

    from .inside import in_this_process

    raise typer.Exit(run_tour(state, base_port, in_this_process, stay=not once, one=one))
