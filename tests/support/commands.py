"""Commands run in this process, on a gateway's store that no gateway has open."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import typer.testing
from click.testing import Result
from typer.testing import CliRunner

from mss_gateway.cli.root import app

from .doors import copy_state, sample
from .process import GatewayProcess

# The commands are built once: typer's runner builds all of them for each call, which takes longer than most calls.
vars(typer.testing)["_get_command"] = cache(typer.main.get_command)


class Site:
    """A configuration with its store in a folder: the sample's, or `empty`; `realm` in place of production."""

    def __init__(
        self,
        folder: Path,
        *,
        empty: bool = False,
        realm: str = "production",
        beside: GatewayProcess | None = None,
    ) -> None:
        """`beside` a running gateway, its configuration is used, and the commands go to it."""
        self.folder = folder
        if beside is not None:
            self.config, self.handout = beside.config, beside.handout
            return
        settings, self.handout = sample()
        if not empty:
            copy_state(settings, folder)
        text = settings.path.read_text(encoding="utf-8")
        text = text.replace('realm = "production"', f'realm = "{realm}"')
        self.config = folder / "gateway.toml"
        self.config.write_text(text, encoding="utf-8")

    def run(self, *words: str, stdin: str | None = None) -> tuple[int, str]:
        """Exit status and all that was said."""
        return run(*words, "--config", str(self.config), stdin=stdin)

    def json(self, *words: str, status: int = 0) -> Any:
        """The JSON answer of a command that must end so."""
        found, said = self.run(*words, "--json")
        assert found == status, said
        return json.loads(said)

    def file(self, text: str | bytes, name: str = "essai.csv") -> str:
        """A file with this in it; its path."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)


def run(*words: str, stdin: str | None = None) -> tuple[int, str]:
    """Exit status and all that a command said, without a configuration; a fault of ours is raised."""
    done = _done(words, stdin)
    return done.exit_code, done.output


def spoken(*words: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command; a fault of ours is raised."""
    done = _done(words, stdin)
    return done.exit_code, done.stdout, done.stderr


def _done(words: tuple[str, ...], stdin: str | None) -> Result:
    done = CliRunner().invoke(app, list(words), input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
