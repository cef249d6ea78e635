"""No end of data but CR LF . CR LF, however the octets are cut (RFC 5321 section 4.1.1.4)."""

from __future__ import annotations

import pytest

from mss_gateway.protocol.smtp import DataDropped, DataEnd, MailFrom
from tests.support.smtp_dialog import OPEN, Run, cut, run

HEAD = b"EHLO c.test\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\nDATA\r\n"
INNER = b"MAIL FROM:<evil@b.fr>\r\nRCPT TO:<c@d.fr>\r\nDATA\r\nforged\r\n.\r\n"
VARIANTS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.CR": b"\r.\r",
    "LF.CR": b"\n.\r",
    "CR.LF": b"\r.\n",
    "LFCR.LFCR": b"\n\r.\n\r",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "LF..CRLF": b"\n..\r\n",
    "CRNULLF.CRLF": b"\r\0\n.\r\n",
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("step", [0, 1, 2, 3, 5, 7])
def test_smuggling_variant_ends_the_session_with_5xx_and_delivers_nothing(name: str, step: int) -> None:
    """Each forged end of data is a violation, at every cutting, and its commands are never read."""
    data = HEAD + b"Subject: x\r\n\r\ntext" + VARIANTS[name] + INNER
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    outcome = Run().feed(*pieces).end()
    assert outcome.violation == "bare-line-end-in-data"
    assert outcome.core.closing
    assert outcome.codes[-1] == "550 5.5.2"
    assert not any(isinstance(event, DataEnd) for event in outcome.events)
    assert sum(isinstance(event, MailFrom) for event in outcome.events) == 1


@pytest.mark.parametrize("name", VARIANTS)
def test_smuggling_variant_at_every_single_cut(name: str) -> None:
    """One cut anywhere around the forged end changes nothing."""
    data = HEAD + VARIANTS[name] + INNER
    for place in range(len(HEAD) - 2, len(HEAD) + 12):
        assert Run().feed(*cut(data, [place])).end().violation == "bare-line-end-in-data"


def test_nul_before_the_dot_is_no_end_and_refuses_the_message() -> None:
    """CRLF NUL . CRLF is content; NUL may not travel in DATA."""
    outcome = run(HEAD + b"text\r\n\0.\r\n" + INNER + b"QUIT\r\n")
    assert isinstance(outcome.events[-2], DataDropped)
    assert sum(isinstance(event, MailFrom) for event in outcome.events) == 1
    assert "550 5.6.0" in outcome.codes


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"\n", b"NO\rOP\r\n", b"RSET\r\r\n"])
def test_bare_line_end_in_a_command_ends_the_session(line: bytes) -> None:
    """A command line ends with CR LF and holds no other CR or LF."""
    outcome = run(b"EHLO c.test\r\n" + line + b"NOOP\r\n")
    assert outcome.violation == "bare-line-end-in-command"
    assert outcome.codes[-1] == "500 5.5.2"


def test_dots_are_unstuffed_only_at_line_starts() -> None:
    """Leading dots lose one, other dots stay; the first line of the content counts as a line start."""
    body = b"..a\r\n.\t.b.\r\n...\r\nc.\r\n"
    for step in range(1, 9):
        data = HEAD + body + b".\r\n"
        pieces = [data[at : at + step] for at in range(0, len(data), step)]
        outcome = Run(OPEN).feed(*pieces)
        assert b".a\r\n\t.b.\r\n..\r\nc.\r\n" in outcome.events
        assert outcome.events[-1] == DataEnd(18)


def test_empty_message_is_whole() -> None:
    """A dot right after 354 ends an empty message."""
    assert run(HEAD + b".\r\n").events[-1] == DataEnd(0)
