"""Commands typed wrongly: the complaint names what is wrong, and no INS."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from mss_gateway.cli.output import console, fail

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
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr
    told = (done.stdout + done.stderr).upper()
    assert INS not in told
    assert INS[:13] not in told


def test_colons_in_a_sentence_are_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    """`scheme:id:` stays what it is, in what goes well and in what does not."""
    console().print("scheme:id: and :warning:")
    with pytest.raises(typer.Exit):
        fail("write scheme:id: here", 2, reason="structure-id", as_json=False)
    told = capsys.readouterr()
    assert "scheme:id: and :warning:" in told.out
    assert "write scheme:id: here" in told.err
