"""Nothing that somebody else wrote steers the terminal of an operator: JSON, tables and the log (AUD-5, OPS-1)."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.cli.audit_writing import write
from mss_gateway.cli.output import fail, show_json, unobeyed, visible
from mss_gateway.observe.redact import clean

pytestmark = pytest.mark.req("OPS-1", "AUD-5")

STEERING = "\x9b31m\x7f\u202eexe.\u2066\u2028\x85\u200f"
"""A colour, a deletion, turned writing, ends of lines: what JSON leaves as it is."""


def test_json_holds_the_same_text_and_nothing_to_obey(capsys: pytest.CaptureFixture[str]) -> None:
    """Escaped, not removed: programs read what was there."""
    show_json({"name": f"Hôpital {STEERING}"})
    said = capsys.readouterr().out
    assert not set(STEERING) & set(said) - set("31mexe.")
    assert json.loads(said) == {"name": f"Hôpital {STEERING}"}
    assert "Hôpital" in said


def test_a_refusal_as_json_holds_nothing_to_obey(capsys: pytest.CaptureFixture[str]) -> None:
    """It repeats what was typed."""
    with pytest.raises(BaseException):  # noqa: B017 - the exit of the command
        fail(f"Nobody is called {STEERING}", 3, as_json=True)
    said = capsys.readouterr().out
    assert "\x9b" not in said
    assert STEERING in json.loads(said)["error"]


def test_an_export_of_the_trace_holds_nothing_to_obey() -> None:
    """It is looked at with `less`."""
    file = io.StringIO()
    write(file, "json", [{"detail": STEERING}], bom=False)
    assert "\x9b" not in file.getvalue()
    assert json.loads(file.getvalue()) == {"detail": STEERING}


@given(st.text(max_size=40))
def test_every_text_stays_itself(text: str) -> None:
    """Whatever it is made of; what is visible is the same on one line."""
    assert json.loads(unobeyed(json.dumps(text, ensure_ascii=False))) == text
    assert all(letter.isprintable() or letter in "\u00a0\u202f" for letter in visible(text))


def test_the_log_holds_nothing_to_obey() -> None:
    """Operators read it as it is: `journalctl -o cat`."""
    said = clean(f"a {STEERING}")
    assert isinstance(said, str)
    assert not set(STEERING) & set(said) - set("31mexe.")
    assert said.startswith("a ")
