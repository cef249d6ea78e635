"""From a command to an operation: through the running gateway, or in process when none runs (OPS-1)."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import CONFIG_ERROR, fail, show_json, why

if TYPE_CHECKING:
    from mss_gateway.settings import Settings

DEFAULT_CONFIG = Path("gateway.toml")

Config = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="MSS_GATEWAY_CONFIG", help="The configuration file.", show_default=True
    ),
]
"""The option that every command has."""

AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
"""The option that every command has."""


def settings_of(config: Path, *, as_json: bool = False) -> Settings:
    """The settings; ends the command with the sentence when they cannot be used (OPS-6)."""
    from mss_gateway.settings import ConfigError, load

    try:
        return load(config)
    except ConfigError as error:
        fail(str(error), CONFIG_ERROR, reason="config", as_json=as_json)


def call(
    config: Path, operation: str, arguments: Mapping[str, Any], *, as_json: bool, silent: bool = False
) -> dict[str, Any]:
    """Carry out an operation and return its result; with `as_json`, unless `silent`, it has been printed already.

    A refusal ends the command with its exit code.
    """
    from mss_gateway.ops.control import ask

    full = {"actor": actor(), **{name: value for name, value in arguments.items() if value not in (None, [])}}
    control = running_control(config, os.environ)
    with refusals(as_json, full):
        try:
            if control is None:
                raise ConnectionError
            result = ask(control, operation, full)
        except ConnectionError:
            result = _without_haste(settings_of(config, as_json=as_json), operation, full)
    if as_json and not silent:
        show_json(result)
    return result


@contextlib.contextmanager
def refusals(as_json: bool, arguments: object = None) -> Iterator[None]:
    """A refusal, of an operation or of the system, as one sentence that ends the command with its exit code."""
    from mss_gateway.ops.control import foreign_text
    from mss_gateway.ops.operation import UNAVAILABLE, OperationRefused

    try:
        yield
    except OperationRefused as refused:
        fail(refused.sentence, refused.exit_code, reason=refused.reason, as_json=as_json)
    except UnicodeEncodeError as error:
        text = foreign_text(error, arguments)
        if text is None:
            raise
        fail(text.sentence, text.exit_code, reason=text.reason, as_json=as_json)
    except OSError as error:
        fail(why(error), UNAVAILABLE, reason="unavailable", as_json=as_json)
    except Exception as error:
        # Named only now: they are slow to load, and most commands meet neither.
        from mss_gateway.ports.store import StoreError
        from mss_gateway.trust.refusals import TrustProblem

        if not isinstance(error, StoreError | TrustProblem):
            raise
        fail(str(error), UNAVAILABLE, reason="unavailable", as_json=as_json)


def running_control(config: Path, environment: Mapping[str, str]) -> Path | None:
    """The control socket, when it is there, without the second that reading all settings may take.

    The rest of the file is the business of the gateway that runs with it; when none does, all of it is read.
    """
    try:
        with config.open("rb") as opened:
            data = tomllib.load(opened)
        given = {name.lower(): value for name, value in environment.items()}
        state = given.get("mss_gateway_gateway_state", data["gateway"].get("state", "state"))
        socket = given.get("mss_gateway_control_socket", data.get("control", {}).get("socket", ""))
        folder = config.resolve().parent
        path = folder / Path(socket or Path(state) / "control.sock").expanduser()
        return path if path.is_socket() else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
        return None


def _without_haste(settings: Settings, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """With the whole configuration: a gateway that has been started meanwhile, or else none."""
    from mss_gateway.ops.control import ask

    try:
        return ask(settings.control, operation, arguments)
    except ConnectionError:
        return asyncio.run(_in_process(settings, operation, arguments))


_WHOLE_LINE = frozenset({"explain", "channel.close", "queue.cancel", "doctor", "directory.compare"})
"""Operations that need more than the store."""


async def _in_process(settings: Settings, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from mss_gateway.app.parts import parts
    from mss_gateway.app.tables import operations
    from mss_gateway.ops.operation import UNAVAILABLE, OperationRefused

    if operation in ("figures", "status", "health"):
        raise OperationRefused(
            "No gateway is running with this configuration: start it, `mss-gateway serve`; its log says why it ended",
            "not-running",
            UNAVAILABLE,
        )
    if operation.startswith("trust."):
        from mss_gateway.app.trust_desk import trust_operations

        async with trust_operations(settings) as table:
            return await table[operation](arguments)
    if operation.startswith("directory.") and operation != "directory.compare":
        from mss_gateway.app.annuaire import annuaire_operations

        async with annuaire_operations(settings) as table:
            return await table[operation](arguments)
    if operation in _WHOLE_LINE:
        async with parts(settings) as built:
            result = await built.operations[operation]({**arguments, "offline": True})
        return _without_gateway(result) if operation == "doctor" else result
    async with operations(settings) as table:
        return await table[operation](arguments)


def _without_gateway(examined: dict[str, Any]) -> dict[str, Any]:
    """What the doctor says when nobody serves, whatever else is in order."""
    check = {
        "name": "gateway",
        "verdict": "bad",
        "evidence": "no gateway is running with this configuration",
        "next_step": "start it: `mss-gateway serve`; its log says why when it ends",
    }
    return {"healthy": False, "checks": [check, *examined["checks"]]}


def actor() -> str:
    """Who is typing, for the trace."""
    try:
        return f"cli:{os.environ.get('SUDO_USER') or getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


def ask_password(given: str | None) -> str:
    """The password given, one line of standard input when it is `-`, else asked for twice."""
    if given == "-":
        return sys.stdin.readline().rstrip("\n")
    if given is not None:
        return given
    value: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return value
