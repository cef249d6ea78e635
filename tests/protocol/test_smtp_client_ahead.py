"""A content in the flight of its envelope: octets, order of the answers, what may not go so (RFC 2920, RFC 3030)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue, ProtocolViolation
from mss_gateway.protocol.smtp import (
    NEED_DATA,
    ClientEvent,
    MessageAnswered,
    NothingAccepted,
    RecipientAnswered,
    SenderAnswered,
    Signal,
    SmtpClient,
)
from tests.support.smtp_client import PLAIN, A, B, fitted, replies, wish
from tests.support.smtp_dialog import cut

CONTENT = b"Subject: x\r\n\r\n.\r\nfin\r\n"
GREETED = replies("220 mx", "250-mx", "250-PIPELINING", "250-CHUNKING", "250 8BITMIME")


def events(core: SmtpClient, *pieces: bytes) -> list[ClientEvent]:
    """What these octets tell."""
    found: list[ClientEvent] = []
    for piece in pieces:
        core.receive_data(piece)
        while not isinstance(event := core.next_event(), Signal):
            found.append(event)
    return found


def greeted(greeting: bytes = GREETED) -> SmtpClient:
    """A core that knows what the server offers."""
    core = SmtpClient(PLAIN)
    events(core, *greeting.splitlines(keepends=True)[:1])
    core.data_to_send()
    events(core, *greeting.splitlines(keepends=True)[1:])
    return core


def begun(content: bytes = CONTENT) -> SmtpClient:
    """A core that has sent a letter to A and B in one flight."""
    core = greeted()
    core.begin(fitted(wish(content, A, B), core.capabilities), content)
    return core


def test_all_goes_at_once() -> None:
    """Envelope, command, content; nothing is wanted afterwards."""
    core = begun()
    flight = (
        b"MAIL FROM:<moi@ici.fr> BODY=8BITMIME\r\nRCPT TO:<a@x.fr>\r\nRCPT TO:<b@x.fr>\r\nBDAT 24 LAST\r\n"
    )
    assert core.data_to_send() == flight.replace(b"24", b"%d" % len(CONTENT)) + CONTENT
    assert not core.idle
    with pytest.raises(RuntimeError):
        core.send_content(b"x")
    told = events(core, replies("250 OK", "250 OK", "550 no", "250 taken"))
    assert [type(one) for one in told] == [
        SenderAnswered,
        RecipientAnswered,
        RecipientAnswered,
        MessageAnswered,
    ]
    assert core.idle
    core.begin(fitted(wish(CONTENT), core.capabilities))
    assert core.data_to_send().startswith(b"MAIL")


def test_a_letter_for_nobody_is_over_with_the_answer_to_its_content() -> None:
    """Then RSET is due."""
    core = begun()
    core.data_to_send()
    assert isinstance(events(core, replies("250 OK", "550 no", "550 no"))[-1], RecipientAnswered)
    assert not core.idle
    assert events(core, replies("554 nobody")) == [NothingAccepted()]
    assert core.idle
    core.begin(fitted(wish(CONTENT), core.capabilities), CONTENT)
    assert core.data_to_send().startswith(b"RSET\r\nMAIL")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("250 OK", "550 no", "550 no", "250 taken"), "taken-for-nobody"),
        (("550 no", "250 OK"), "recipient-without-sender"),
        (("250 OK", "250 OK", "250 OK", "354 go"), "wrong-code"),
        (("250 OK", "250 OK", "250 OK", "250 taken", "250 again"), "unsolicited-reply"),
    ],
)
def test_what_no_server_may_say(lines: tuple[str, ...], reason: str) -> None:
    """The session is over."""
    core = begun()
    core.data_to_send()
    with pytest.raises(ProtocolViolation) as broken:
        events(core, replies(*lines))
    assert broken.value.reason == reason


@pytest.mark.parametrize("content", [b"a\nb\r\n", b"a\rb\r\n", b"a\r"])
def test_a_bare_line_end_goes_nowhere(content: bytes) -> None:
    """Nothing has begun; the session may go on."""
    core = greeted()
    with pytest.raises(InvalidValue):
        core.begin(fitted(wish(content), core.capabilities), content)
    assert core.data_to_send() == b""
    assert core.idle


@pytest.mark.parametrize(
    ("size", "chunking", "greeting"),
    [
        (len(CONTENT) + 1, True, GREETED),
        (len(CONTENT), False, GREETED),
        (len(CONTENT), True, GREETED.replace(b"PIPELINING", b"X")),
    ],
)
def test_what_cannot_go_ahead(size: int, chunking: bool, greeting: bytes) -> None:
    """A part of a content, a content for DATA, a server that does not pipeline."""
    core = greeted(greeting)
    given_fit = fitted(wish(b"x" * size), core.capabilities, use_chunking=chunking)
    with pytest.raises(RuntimeError):
        core.begin(given_fit, CONTENT)
    assert core.idle


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["250 OK", "550 5.1.1 no", "421 bye", "354 go", "250-a\r\n250 b"]), max_size=6),
    st.lists(st.integers(min_value=0, max_value=200), max_size=6),
)
def test_any_cutting_of_the_answers_tells_the_same(lines: list[str], places: list[int]) -> None:
    """And only `ProtocolViolation` escapes."""

    def told(*pieces: bytes) -> tuple[list[ClientEvent], str]:
        core, found = begun(), []
        core.data_to_send()
        try:
            for piece in pieces:
                core.receive_data(piece)
                while not isinstance(event := core.next_event(), Signal):
                    found.append(event)
                if event is not NEED_DATA:
                    return found, "closed"
        except ProtocolViolation as violation:
            return found, violation.reason
        return found, ""

    octets = replies(*lines)
    assert told(*cut(octets, places)) == told(octets)
