"""Commands typed wrongly: the complaint names what is wrong, and no INS."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from mss_gateway.cli.output import console, fail
from mss_gateway.cli.root import app
from mss_gateway.cli.usage import narrowed

INS = "154092A12345664"


@pytest.mark.req("INS-7", "OPS-1")
@pytest.mark.parametrize(
    "words",
    [
        ("ins", "show", INS, INS),
        ("patient", "import", f"/nulle-part/{INS}.csv"),
        ("patient", INS),
        ("trace", "--limit", INS.lower()),
        (INS,),
        (f"--{INS}",),
        ("channel", "list", f"--{INS}"),
    ],
)
def test_a_complaint_holds_no_ins(words: tuple[str, ...]) -> None:
    """Exit code 2, a sentence on standard error, the number masked."""
    command = [sys.executable, "-m", "mss_gateway", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 2
    assert done.stderr
    told = (done.stdout + done.stderr).upper()
    assert INS not in told
    assert INS[:13] not in told


@pytest.mark.parametrize("name", ["bal", "check-config", "health", "restored"])
def test_the_command_that_is_named_first_is_the_only_one_that_is_built(name: str) -> None:
    """It says the same as among all others."""
    one = narrowed(app, [name, "--help"])
    assert [*one.registered_groups, *one.registered_commands] != [
        *app.registered_groups,
        *app.registered_commands,
    ]
    assert list(typer.main.get_command(one).commands) == [name]  # type: ignore[attr-defined]
    runner = CliRunner()
    assert runner.invoke(one, [name, "--help"]).output == runner.invoke(app, [name, "--help"]).output


@pytest.mark.parametrize("words", [(), ("--help",), ("hea",), ("--config", "health")])
def test_nothing_is_left_out_when_no_command_is_named_first(words: tuple[str, ...]) -> None:
    """The help of all, completion and complaints have all the names."""
    assert narrowed(app, words) is app


def test_colons_in_a_sentence_are_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    """`scheme:id:` stays what it is, in what goes well and in what does not."""
    console().print("scheme:id: and :warning:")
    with pytest.raises(typer.Exit):
        fail("write scheme:id: here", 2, reason="structure-id", as_json=False)
    told = capsys.readouterr()
    assert "scheme:id: and :warning:" in told.out
    assert "write scheme:id: here" in told.err
