"""Commands run inside of a program say what they say in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mss_gateway.cli.inside import in_this_process
from mss_gateway.cli.root import app

PROGRAM = "import sys; from mss_gateway.cli import main; sys.argv[0] = 'mss-gateway'; main()"
"""As it is installed."""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("ins", "check", "--help"), 0),
        (("ins", "check", "154092A12345664", "--sex", "M", "--born", "09/1954", "--department", "2A"), 0),
        (("ins", "check", "154092A12345664", "--sex", "F", "--born", "09/1954", "--department", "2A"), 1),
        (("bal", "list", "-c", "/nulle-part/gateway.toml"), 1),
        (("nothing",), 2),
    ],
)
def test_status_and_words_are_those_of_a_process(words: tuple[str, ...], status: int) -> None:
    """Standard output and standard error in their order, as wide as without a terminal."""
    command = [sys.executable, "-c", PROGRAM, *words]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        check=False,
    )
    assert in_this_process(words) == (done.returncode, done.stdout.decode())
    assert done.returncode == status


def test_a_question_is_answered_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks ends; terminal, width and streams are afterwards as they were."""
    monkeypatch.setenv("COLUMNS", "132")
    streams = sys.stdin, sys.stdout, sys.stderr
    status, said = in_this_process(["init", str(tmp_path)])
    assert status != 0
    assert "Host name of this gateway" in said
    assert (sys.stdin, sys.stdout, sys.stderr) == streams
    assert os.environ["COLUMNS"] == "132"


def test_a_fault_is_told_and_ends_the_command_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever typed it goes on."""
    (one,) = (one for one in app.registered_commands if one.name == "check-config")

    def broken() -> None:
        raise LookupError("of ours")

    monkeypatch.setattr(one, "callback", broken)
    assert in_this_process(["check-config"]) == (1, "LookupError('of ours')\n")
