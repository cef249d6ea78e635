"""Commands that are typed by a program: in its own process, since to start one takes longer than most commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper

import typer

WIDTH = "80"
"""Columns of what they say: as of a process that has no terminal."""


def in_this_process(words: Sequence[str]) -> tuple[int, str]:
    """Exit status and all that a command said, which is asked nothing; a fault of ours ends it with 1, and is told."""
    from .root import app
    from .usage import narrowed

    octets = BytesIO()
    said = TextIOWrapper(octets, encoding="utf-8", errors="replace", write_through=True)
    status = 0
    with _no_terminal(), redirect_stdout(said), redirect_stderr(said):
        try:
            typer.main.get_command(narrowed(app, words)).main(list(words), prog_name="mss-gateway")
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except Exception as fault:
            status = 1
            said.write(f"{fault!r}\n")
        said.flush()
    return status, octets.getvalue().decode("utf-8", "replace")


@contextmanager
def _no_terminal() -> Iterator[None]:
    """Nothing to read from, and lines of a settled width."""
    columns, asked = os.environ.get("COLUMNS"), sys.stdin
    os.environ["COLUMNS"] = WIDTH
    with open(os.devnull, encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = asked
            if columns is None:
                del os.environ["COLUMNS"]
            else:
                os.environ["COLUMNS"] = columns
