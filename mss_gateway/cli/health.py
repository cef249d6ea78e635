"""`mss-gateway health`: ready or not, in one line and an exit code (OPS-4)."""

from __future__ import annotations

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call

NOT_READY = 1
"""Exit code when mail cannot be taken now."""


def health(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Say whether the running gateway takes mail now; quick and quiet, for a container or a supervisor.

    Ends with 0 when it does, with 1 and the reasons when it does not, with 6 when none is running.

    Example: mss-gateway health || systemctl status mss-gateway
    """
    result = call(config, "health", {}, as_json=json)
    if not json:
        typer.echo("ready" if result["ready"] else f"not ready: {', '.join(result['reasons'])}")
    raise typer.Exit(0 if result["ready"] else NOT_READY)
