"""The SMTP client core against scripted servers: what it says, what it makes of each answer."""

from __future__ import annotations

import pytest

from mss_gateway.base.errors import InvalidValue
from mss_gateway.protocol.smtp import (
    ClientConfig,
    ContentRefused,
    HandshakeDue,
    MessageAnswered,
    NothingAccepted,
    PeerCloses,
    Ready,
    RecipientAnswered,
    Reply,
    SenderAnswered,
    SmtpClient,
    Unwelcome,
)
from tests.support.smtp_client import (
    A,
    B,
    C,
    Talk,
    answered,
    fitted,
    listening,
    replies,
    wanting_content,
    wish,
)

HELLO = ("220 mx.test ESMTP", "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME")
SLOW = ("220 mx.test ESMTP", "250-mx.test\r\n250 8BITMIME")
CHUNKS = ("220 mx.test ESMTP", "250-mx.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME")
DONE = ("250 OK", "250 OK", "354 go", "250 taken", "221 bye")


def told(talk: Talk) -> list[type]:
    """The kinds of events in order."""
    return [type(event) for event in talk.events]


@pytest.mark.req("TRU-5")
def test_a_whole_session_over_tls() -> None:
    """Greeting, EHLO, STARTTLS, EHLO again, one pipelined transaction, QUIT."""
    script = [
        "220 mx.test",
        "250-mx.test\r\n250 STARTTLS",
        "220 go",
        "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME",
        *DONE,
    ]
    talk = answered(*script, config=ClientConfig("client.test"), contents=(b"hello\r\n.dot\r\n",))
    assert talk.sent == (
        b"EHLO client.test\r\nSTARTTLS\r\nEHLO client.test\r\nMAIL FROM:<moi@ici.fr> BODY=8BITMIME\r\n"
        b"RCPT TO:<a@x.fr>\r\nDATA\r\nhello\r\n..dot\r\n.\r\nQUIT\r\n"
    )
    assert talk.closed
    assert talk.violation is None
    assert told(talk)[:3] == [Ready, HandshakeDue, Ready]


@pytest.mark.req("TRU-5")
def test_no_transaction_begins_in_the_clear() -> None:
    """The core itself refuses: no skin can forget TLS."""
    core = SmtpClient(ClientConfig("client.test"))
    core.receive_data(replies(HELLO[0]))
    core.next_event()
    core.receive_data(replies(HELLO[1]))
    ready = core.next_event()
    assert isinstance(ready, Ready)
    assert not core.idle
    with pytest.raises(RuntimeError):
        core.begin(fitted(wish(), ready.capabilities))


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize("together", [True, False])
def test_octets_in_the_clear_after_starttls_end_the_session(together: bool) -> None:
    """An attacker's injected replies must not be read under TLS (RFC 3207 section 6)."""
    core = SmtpClient(ClientConfig("client.test"))
    core.receive_data(replies("220 mx.test"))
    core.next_event()
    core.receive_data(replies("250-mx.test", "250 STARTTLS"))
    core.next_event()
    core.start_tls()
    answer, injected = replies("220 go"), replies("250 mx.evil")
    if together:
        core.receive_data(answer + injected)
    else:
        core.receive_data(answer)
        assert isinstance(core.next_event(), HandshakeDue)
        core.receive_data(injected)
        core.tls_started()
        assert not core.tls_active
    assert listening(core, b"").violation == "starttls-injection"


def test_what_was_offered_before_tls_is_forgotten() -> None:
    """RFC 3207 section 4.2: only the second EHLO counts."""
    talk = answered(
        "220 mx.test",
        "250-mx.test\r\n250-STARTTLS\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10",
        "220 go",
        "250-mx.test\r\n250 8BITMIME",
        *DONE,
        config=ClientConfig("client.test"),
        contents=(b"x" * 100 + b"\r\n",),
    )
    assert b"SIZE" not in talk.sent
    assert MessageAnswered in told(talk)


def test_without_pipelining_each_command_waits() -> None:
    """A refused MAIL stops RCPT and DATA."""
    core = Talk().feed(replies(SLOW[0]), replies(SLOW[1]))
    assert core.sent.endswith(b"MAIL FROM:<moi@ici.fr> BODY=8BITMIME\r\n")
    core.feed(replies("550 5.7.1 no"))
    assert told(core)[-2:] == [SenderAnswered, NothingAccepted]
    assert core.sent.endswith(b"MAIL FROM:<moi@ici.fr> BODY=8BITMIME\r\nQUIT\r\n")


def test_some_recipients_refused() -> None:
    """The content goes to those accepted; each answer belongs to its recipient."""
    talk = answered(
        *HELLO, "250 OK", "550 5.1.1 who", "250 OK", "452 4.2.2 full", *DONE[2:], recipients=(A, B, C)
    )
    answers = [event for event in talk.events if isinstance(event, RecipientAnswered)]
    assert [(one.index, one.reply.code, one.reply.enhanced) for one in answers] == [
        (0, 550, "5.1.1"),
        (1, 250, None),
        (2, 452, "4.2.2"),
    ]
    assert isinstance(talk.events[-1], MessageAnswered)


def test_pipelined_data_with_nobody_accepted_is_ended_by_an_empty_message() -> None:
    """RFC 2920 section 3.1: 354 has to be answered with a lone dot, and its reply means nothing."""
    talk = answered(
        *HELLO, "250 OK", "550 no", "354 go", "250 thanks for nothing", contents=(b"x\r\n", b"y\r\n")
    )
    assert told(talk)[-1] is NothingAccepted
    assert b"DATA\r\n.\r\nRSET\r\nMAIL FROM" in talk.sent
    assert b"x\r\n" not in talk.sent.replace(b"a@x", b"")


def test_pipelined_data_refused_with_nobody_accepted() -> None:
    """The usual case: 503 or 554 to DATA, then the next transaction begins with RSET."""
    talk = answered(
        *HELLO, "250 OK", "550 no", "554 no valid recipients", "250 reset", *DONE, contents=(b"x\r\n",) * 2
    )
    assert told(talk)[3:4] == [NothingAccepted]
    assert talk.sent.count(b"RSET") == 1
    assert isinstance(talk.events[-1], MessageAnswered)


def test_data_refused_with_recipients_accepted() -> None:
    """It means all of them."""
    talk = answered(*HELLO, "250 OK", "250 OK", "451 4.3.0 later")
    refusal = talk.events[-1]
    assert isinstance(refusal, ContentRefused)
    assert refusal.reply.enhanced == "4.3.0"


def test_a_connection_serves_again_without_reset() -> None:
    """After an answered message nothing has to be undone."""
    talk = answered(*HELLO, *DONE[:4], *DONE, contents=(b"one\r\n", b"two\r\n"))
    assert told(talk).count(MessageAnswered) == 2
    assert b"RSET" not in talk.sent
    assert talk.violation is None


def test_chunking_sends_exact_octets() -> None:
    """BDAT carries the content as it is, last line without CRLF included (RFC 3030)."""
    talk = answered(*CHUNKS, "250 OK", "250 OK", "250 taken", "221 bye", contents=(b".\r\n..\r\nend",))
    assert talk.sent.endswith(b"RCPT TO:<a@x.fr>\r\nBDAT 10 LAST\r\n.\r\n..\r\nendQUIT\r\n")


def test_a_refused_chunk_is_reset() -> None:
    """RFC 3030 section 2: after a failed BDAT only RSET brings the server back."""
    talk = answered(*CHUNKS, "250 OK", "250 OK", "451 later", contents=(b"x\r\n", b"y\r\n"))
    assert b"BDAT 3 LAST\r\nx\r\nRSET\r\nMAIL FROM" in talk.sent


@pytest.mark.parametrize("use_chunking", [False, True])
def test_an_early_refusal_is_told_and_ends_the_session(use_chunking: bool) -> None:
    """A server may say no before the content is whole."""
    script = (*CHUNKS, "250 OK", "250 OK", *([] if use_chunking else ["354 go"]))
    core = wanting_content(*script, use_chunking=use_chunking)
    core.send_content(b"h")
    talk = listening(core, replies("552 5.3.4 too big"))
    assert talk.events == [MessageAnswered(Reply(552, "5.3.4", "too big"), early=True)]
    assert talk.closed
    assert talk.violation is None


def test_a_yes_before_the_end_is_no_answer() -> None:
    """It cannot be about a message that has not been sent."""
    core = wanting_content(*HELLO, "250 OK", "250 OK", "354 go")
    core.send_content(b"h")
    assert listening(core, replies("250 2.0.0 taken")).violation == "unsolicited-reply"


@pytest.mark.parametrize("after", range(7))
def test_421_at_any_time_closes(after: int) -> None:
    """RFC 5321 section 3.8."""
    script = [*HELLO, *DONE][:after]
    talk = answered(*script, "421 4.3.2 shutting down")
    assert isinstance(talk.events[-1], PeerCloses)
    assert talk.closed
    assert talk.violation is None


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (["250 not a greeting"], "wrong-code"),
        (["354 go"], "wrong-code"),
        (["220 hi", "220 hi again"], "wrong-code"),
        (["220 hi", "251 mx"], "wrong-code"),
        ([*HELLO, "354 go"], "wrong-code"),
        ([*HELLO, "250 OK", "354 go"], "wrong-code"),
        ([*HELLO, "250 OK", "250 OK", "250 OK"], "wrong-code"),
        ([*HELLO, "250 OK", "250 OK", "354 go", "354 go"], "wrong-code"),
        ([*HELLO, "550 no", "250 OK"], "recipient-without-sender"),
        ([*HELLO, "250 OK", "550 no", "554 no", "550 no RSET"], "rset-refused"),
        (["220 hi\r\n250 early"], "reply-before-command"),
        (["220 hi", "250-mx\r\n250 8BITMIME\r\n250 early"], "reply-before-command"),
        ([*HELLO, "250 OK", "250 OK", "354 go\r\n250 taken"], "reply-before-command"),
        ([*HELLO, "250 OK", "250 OK", "354 go\r\n250-tak"], "reply-before-command"),
        (["hello"], "reply-syntax"),
        (["199 what"], "reply-syntax"),
        (["600 what"], "reply-syntax"),
        (["2200 what"], "reply-syntax"),
        (["220-a\r\n250 b"], "reply-codes-differ"),
        (["220 a\n"], "bare-line-end-in-reply"),
        (["220 a\rb"], "bare-line-end-in-reply"),
        (["220 " + "x" * 3000], "reply-line-too-long"),
        (["220-x\r\n" * 200], "reply-too-many-lines"),
    ],
)
def test_what_breaks_the_protocol_ends_the_session(script: list[str], reason: str) -> None:
    """Wrong codes, replies out of order, replies nobody asked for: never guessed at."""
    talk = answered(*script, "250 OK", contents=(b"x\r\n", b"y\r\n"))
    assert talk.violation == reason


@pytest.mark.parametrize(
    ("script", "verb"),
    [
        (["554 go away"], ""),
        (["220 hi", "502 what"], "EHLO"),
        (["220 hi", "250-a\r\n250 STARTTLS", "454 no"], "STARTTLS"),
    ],
)
def test_an_unwelcoming_server_is_told_of(script: list[str], verb: str) -> None:
    """A no before the first transaction."""
    event = answered(*script).events[-1]
    assert isinstance(event, Unwelcome)
    assert event.verb == verb


@pytest.mark.parametrize("use_chunking", [False, True])
@pytest.mark.parametrize(
    "pieces", [(b"a\rb",), (b"a\nb",), (b"a\r", b"b"), (b"a\r\n", b"\n.\r\n"), (b"a\r",), (b"\r\r\n",)]
)
def test_a_bare_line_end_never_leaves(use_chunking: bool, pieces: tuple[bytes, ...]) -> None:
    """Not by DATA, where it could end the content for somebody, nor by BDAT, which the peer may relay by DATA."""
    script = (*CHUNKS, "250 OK", "250 OK", *([] if use_chunking else ["354 go"]))
    core = wanting_content(*script, size=sum(map(len, pieces)), use_chunking=use_chunking)

    def send() -> None:
        for piece in pieces:
            core.send_content(piece)
        core.end_content()

    with pytest.raises(InvalidValue) as refused:
        send()
    assert refused.value.reason == "bare-line-end-in-content"
    assert core.data_to_send() in (b"", b"a", b"a\r\n")
