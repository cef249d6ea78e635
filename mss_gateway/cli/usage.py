"""What is said of a command that was typed wrongly: without the INS that stood in it (INS-7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from typer import Typer
from typer.core import TyperGroup
from typer.models import CommandInfo

from mss_gateway.rules.ins import mask_text


class MaskedGroup(TyperGroup):
    """The commands of an application; complaints about arguments are masked, since they end up in others' logs."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse the arguments of the application itself."""
        with _masked():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Parse and run the command that was named."""
        with _masked():
            return super().invoke(ctx)


def narrowed(app: Typer, words: Sequence[str]) -> Typer:
    """Of an application only what is named first, if it is: typer builds all that is there, at each start."""
    named = words[0] if words else ""
    groups = [one for one in app.registered_groups if one.name == named]
    commands = [one for one in app.registered_commands if name_of(one) == named]
    if not groups and not commands:
        return app
    part = copy(app)
    part.registered_groups, part.registered_commands = groups, commands
    return part


def name_of(command: CommandInfo) -> str:
    """What a command is called by."""
    return command.name or str(getattr(command.callback, "__name__", ""))


@contextmanager
def _masked() -> Iterator[None]:
    """Mask the message of a complaint on its way to whoever shows it; typer has no public name for its class."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)
        if isinstance(message, str) and hasattr(error, "exit_code"):
            error.message = mask_text(message)  # type: ignore[attr-defined]
        raise
