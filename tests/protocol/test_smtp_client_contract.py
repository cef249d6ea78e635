"""The contracts of the SMTP client core: any cutting, bounded memory, one exception, octets exact."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.protocol.smtp import ContentSurvey, MessageAnswered, ReplyLimits, ServerConfig
from mss_gateway.protocol.smtp.client_content import ContentWriter
from tests.support.smtp_client import PLAIN, A, B, BackToBack, Talk, wish
from tests.support.smtp_dialog import cut

WORDS = [
    b"220 mx.test\r\n", b"250 OK\r\n", b"250-PIPELINING\r\n", b"250-CHUNKING\r\n", b"250 8BITMIME\r\n",
    b"250-SIZE 1000\r\n", b"354 go\r\n", b"550 5.1.1 no\r\n", b"421 bye\r\n", b"452 4.2.2 full\r\n", b"250",
    b"-", b" ", b"\r\n", b"\n", b"\r", b"2", b"x" * 3000, b"250-" + b"y" * 900 + b"\r\n", b"\xff", b"\0",
    b"221 bye\r\n", b"251 x\r\n", b"999 x\r\n", b"250-a\r\n250 STARTTLS\r\n",
]  # fmt: skip
BYTES = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=5)), max_size=30).map(b"".join)
HEADS = [
    b"220 mx.test\r\n|250-mx.test\r\n250 8BITMIME\r\n|250 OK\r\n|250 OK\r\n|354 go\r\n|",
    b"220 mx.test\r\n|250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n|250 OK\r\n550 5.1.1 no\r\n354 go\r\n|",
    b"220 mx.test\r\n|250-mx\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 8BITMIME\r\n|250 OK\r\n250 OK\r\n|",
    b"220 mx.test\r\n|",
]
CUTS = st.lists(st.integers(min_value=0, max_value=20_000), max_size=12)
UNTIMELY = {"reply-before-command", "starttls-injection", "unsolicited-reply"}
SMALL = dataclasses.replace(PLAIN, limits=ReplyLimits(line=100, lines=5))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(HEADS), BYTES, CUTS, st.sampled_from([PLAIN, SMALL]))
def test_any_cutting_gives_the_same_events(head: bytes, tail: bytes, places: list[int], config) -> None:  # type: ignore[no-untyped-def]
    """Only ProtocolViolation escapes; the buffer never holds more than a line; cutting changes nothing.

    What came before it was asked for is the exception, and the point of it: there the moment counts.
    """
    steps = head.split(b"|")[:-1]
    whole = Talk(config=config).feed(*steps).feed(tail).end()
    pieces = Talk(config=config)
    for step in steps:
        pieces.feed(*cut(step, places))
    pieces.feed(*cut(tail, places)).end()
    assert max(whole.largest_buffer, pieces.largest_buffer) <= config.limits.line
    if not {whole.violation, pieces.violation} & UNTIMELY:
        assert pieces.outcome() == whole.outcome()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(HEADS[:3]), BYTES)
def test_octet_by_octet_gives_the_same_events(head: bytes, tail: bytes) -> None:
    """The worst cutting."""
    steps = head.split(b"|")[:-1]
    whole = Talk().feed(*steps).feed(tail).end()
    single = Talk()
    for octets in (*steps, tail):
        single.feed(*(octets[at : at + 1] for at in range(len(octets))))
    single.end()
    if not {whole.violation, single.violation} & UNTIMELY:
        assert single.outcome() == whole.outcome()


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("head", HEADS)
def test_a_server_that_closes_at_every_octet_never_makes_a_yes(head: bytes) -> None:
    """A message is taken over only by a whole reply to its end."""
    script = head.replace(b"|", b"") + b"250 2.0.0 taken\r\n"
    steps = [*head.split(b"|")[:-1], b"250 2.0.0 taken\r\n"]
    ends = len(script)
    for end in range(ends):
        talk, left = Talk(), end
        for step in steps:
            talk.feed(step[:left])
            left = max(0, left - len(step))
        talk.end()
        assert talk.closed
        assert not any(isinstance(event, MessageAnswered) for event in talk.events)


LINES = st.lists(
    st.one_of(st.sampled_from([b".", b"..", b".\r\n.", b"", b"x" * 990]), st.binary(max_size=20)), max_size=12
)
CONTENT = LINES.map(
    lambda lines: b"\r\n".join(bytes(x for x in line if x not in b"\r\n\0") for line in lines) + b"\r\n"
)
SERVER = ServerConfig("mx.test", max_size=200_000)


@pytest.mark.req("RTE-7")
@settings(max_examples=120, deadline=None)
@given(st.lists(CONTENT, min_size=1, max_size=3), st.booleans(), CUTS, st.sampled_from([1, 3, 17, 1 << 16]))
def test_what_we_send_our_server_receives(
    contents: list[bytes], use_chunking: bool, places: list[int], size: int
) -> None:
    """Octet for octet, by DATA and by BDAT, lines of dots included, several messages on one session."""
    session = BackToBack(SERVER, use_chunking=use_chunking)
    session.carry([(wish(content, A, B), cut(content, places)) for content in contents], size)
    assert session.received == contents
    assert [event.reply.code for event in session.told if isinstance(event, MessageAnswered)] == [250] * len(
        contents
    )


@pytest.mark.req("RTE-7")
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), CUTS)
def test_binary_content_travels_by_bdat(content: bytes, places: list[int]) -> None:
    """With BINARYMIME any octet passes (RFC 3030); the survey has said when it is needed."""
    survey = ContentSurvey()
    for piece in cut(content, places):
        survey.add(piece)
    survey.end()
    given_wish = wish(content, binary=survey.binary, eight_bit=survey.eight_bit)
    session = BackToBack(SERVER, use_chunking=True)
    session.carry([(given_wish, cut(content, places))])
    assert session.received == [content]
    pairs = content.count(b"\r\n")
    bare = content.count(b"\r") != pairs or content.count(b"\n") != pairs
    assert survey.binary == (bare or b"\0" in content)
    assert survey.eight_bit == (not content.isascii())


ENDS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\r", b".", b"a", b"\0", b"\xff"]), max_size=14
).map(b"".join)


@pytest.mark.req("RTE-7")
@settings(max_examples=300, deadline=None)
@given(ENDS, CUTS, st.booleans())
def test_every_bare_line_end_is_seen_wherever_the_pieces_end(
    content: bytes, places: list[int], stuff: bool
) -> None:
    """By the survey before and by the writer while sending, exactly as a plain search finds it."""
    bare = b"\r" in (rest := content.replace(b"\r\n", b"")) or b"\n" in rest
    writer = ContentWriter(stuff=stuff)
    refused = False
    try:
        for piece in cut(content, places):
            writer.write(piece)
        writer.end()
    except InvalidValue:
        refused = True
    assert refused == bare
    survey = ContentSurvey()
    for piece in cut(content, places):
        survey.add(piece)
    survey.end()
    assert survey.binary == (bare or b"\0" in content)


@settings(max_examples=100, deadline=None)
@given(CONTENT, CUTS, st.booleans())
def test_cutting_does_not_change_what_is_sent(content: bytes, places: list[int], stuff: bool) -> None:
    """Dots are stuffed across the borders of pieces."""
    whole, pieces = ContentWriter(stuff=stuff), ContentWriter(stuff=stuff)
    sent = whole.write(content) + whole.end()
    assert b"".join(map(pieces.write, cut(content, places))) + pieces.end() == sent
    if stuff:
        assert sent.find(b"\r\n.\r\n") in (-1, len(sent) - 5)


def test_one_refused_recipient_of_our_own_server() -> None:
    """Partial acceptance, end to end."""
    session = BackToBack(SERVER, use_chunking=True, refused=("a@x.fr",))
    session.carry([(wish(b"x\r\n", A, B), [b"x\r\n"])])
    assert session.received == [b"x\r\n"]
