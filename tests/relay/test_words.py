"""What of a peer's words an operator may read: one line, short, printable, no INS (INS-7)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.relay import Fate
from mss_gateway.protocol.smtp import Reply
from mss_gateway.relay.problems import MAX_TEXT, one_line, refused, said

INS = "285037511600122"
WHO = Recipient(parse_address("dr@x.fr"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=3000))
def test_any_text_becomes_one_short_printable_line(text: str) -> None:
    """Control characters, line ends and endless texts included."""
    line = one_line(text)
    assert len(line) <= MAX_TEXT
    assert line.isprintable()


@pytest.mark.req("INS-7")
@settings(max_examples=200, deadline=None)
@given(st.integers(0, 900), st.sampled_from(["", " ", "\n", "<", "\0"]))
def test_an_ins_is_masked_wherever_it_stands(before: int, mark: str) -> None:
    """At the borders of what is kept as well: nothing behind sex, year and month is ever shown."""
    line = one_line("x" * before + mark + INS + "@patient.mssante.fr")
    assert "285037" not in line


def test_a_reply_in_several_lines() -> None:
    """Code and status come once, in front."""
    assert said(Reply(550, "5.1.1", "no such\nperson  here")) == "550 5.1.1 no such person here"
    assert said(Reply(250, None, "")) == "250"


@pytest.mark.parametrize(
    ("reply", "fate", "reason", "status"),
    [
        (Reply(450, "4.2.0", "x"), Fate.TRY_LATER, "peer-temporary", "4.2.0"),
        (Reply(450, None, "x"), Fate.TRY_LATER, "peer-temporary", "4.0.0"),
        (Reply(550, "5.1.1", "x"), Fate.FAILED, "peer-refused", "5.1.1"),
        (Reply(550, None, "x"), Fate.FAILED, "peer-refused", "5.0.0"),
    ],
)
def test_what_a_refusal_means(reply: Reply, fate: Fate, reason: str, status: str) -> None:
    """The code decides, never the words."""
    outcome = refused(reply, WHO, "mx.x.fr")
    assert (outcome.fate, outcome.reason, outcome.status, outcome.remote_mta) == (
        fate,
        reason,
        status,
        "mx.x.fr",
    )
