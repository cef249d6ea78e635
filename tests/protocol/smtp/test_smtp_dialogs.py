"""Transcripts: what a client says and what it hears, line by line."""

from __future__ import annotations

import dataclasses

import pytest

from mss_gateway.mail.address import Address
from mss_gateway.mail.envelope import Notify
from mss_gateway.protocol.smtp import (
    CLOSED,
    Auth,
    AuthCancelled,
    AuthResponse,
    DataDropped,
    DataEnd,
    DataStart,
    Limits,
    MailFrom,
    RcptTo,
    Refused,
    Reply,
    Reset,
    ServerConfig,
    SmtpServer,
    StartTls,
    ascii_text,
)
from tests.support.smtp_dialog import LOGIN, OPEN, Run, play, refusing, run

MTA = ServerConfig("mx.example.test", max_size=1000)
HELLO = b"EHLO c.test\r\n"
BEGUN = HELLO + b"MAIL FROM:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\n"


@pytest.mark.req("TRU-1")
def test_port_25_says_530_until_tls() -> None:
    """Before TLS only EHLO, NOOP, QUIT and STARTTLS are heard (TRU-1)."""
    play(
        """
        S: 220 mx.example.test ESMTP
        C: MAIL FROM:<a@b.fr>
        S: 530 5.7.0 Must issue a STARTTLS command first
        C: EHLO c.test
        S: 250-mx.example.test
        S: 250-SIZE 1000
        S: 250-STARTTLS
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-PIPELINING
        S: 250-CHUNKING
        S: 250-BINARYMIME
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250 LIMITS RCPTMAX=1000
        C: MAIL FROM:<a@b.fr>
        S: 530 5.7.0 Must issue a STARTTLS command first
        C: VRFY root
        S: 530 5.7.0 Must issue a STARTTLS command first
        C: NOOP
        S: 250 2.0.0 OK
        C: QUIT
        S: 221 2.0.0 Bye
        """,
        MTA,
    )


@pytest.mark.req("ACC-1")
def test_submission_wants_a_login_and_shows_auth_only_under_tls() -> None:
    """530 before AUTH, 504 for a foreign mechanism, once only (ACC-1)."""
    play(
        """
        S: 220 mx.example.test ESMTP
        C: EHLO c.test
        S: 250-mx.example.test
        S: 250-SIZE 36700160
        S: 250-AUTH PLAIN XOAUTH2
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-PIPELINING
        S: 250-CHUNKING
        S: 250-BINARYMIME
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250 LIMITS RCPTMAX=1000
        C: MAIL FROM:<a@b.fr>
        S: 530 5.7.0 Authentication required
        C: AUTH CRAM-MD5
        S: 504 5.5.4 Mechanism not offered
        C: AUTH PLAIN not/base64!
        S: 501 5.5.2 Invalid base64
        C: AUTH PLAIN
        S: 334
        C: *
        S: 501 5.0.0 Authentication cancelled
        C: auth plain
        S: 334
        C: AGEAYg==
        S: 235 2.7.0 Authentication successful
        C: AUTH PLAIN AGEAYg==
        S: 503 5.5.1 Already authenticated
        C: MAIL FROM:<a@b.fr>
        S: 250 2.1.0 Sender OK
        """,
        LOGIN,
    )
    without_tls = dataclasses.replace(LOGIN, tls_active=False, require_tls=False)
    outcome = run(HELLO + b"AUTH PLAIN AGEAYg==\r\n", without_tls)
    assert outcome.codes[-1] == "538 5.7.1"
    assert b"AUTH" not in outcome.sent


@pytest.mark.req("RTE-3")
def test_vrfy_and_expn_disclose_nothing() -> None:
    """The same answer whoever exists (RTE-3)."""
    known, unknown = run(HELLO + b"VRFY postmaster\r\n"), run(HELLO + b"VRFY nobody\r\n")
    assert known.sent == unknown.sent
    assert known.codes[-1] == "252 2.0.0"
    assert run(HELLO + b"EXPN staff\r\n").codes[-1] == "502 5.5.1"


@pytest.mark.req("BAL-10")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("MAIL FROM:<a@b.fr> SIZE=100001", "552 5.3.4"),
        ("MAIL FROM:<a@b.fr> SIZE=x", "501 5.5.4"),
        ("MAIL FROM:<a@b.fr> FOO=1", "555 5.5.4"),
        ("MAIL FROM:<a@b.fr> SIZE=1 SIZE=1", "501 5.5.4"),
        ("MAIL FROM:<a@b.fr> BODY=9BIT", "501 5.5.4"),
        ("MAIL FROM:<a@b.fr> ENVID=a+0Db", "501 5.5.4"),
        ("MAIL FROM:<a@b.fr>SIZE=1", "501 5.5.4"),
        ("MAIL FROM: a@b.fr", "501 5.5.4"),
        ("MAIL FROM:<é@b.fr>", "553 5.6.7"),
        ("MAIL FROM:<é@b.fr> SMTPUTF8", "250 2.1.0"),
        ("MAIL FROM:<@x.fr:a@b.fr>", "553 5.1.7"),
        ("MAIL FROM:<a@[192.0.2.1]>", "553 5.1.7"),
        ("MAIL FROM:<a b@c.fr>", "553 5.1.7"),
        ('MAIL FROM:<"a> b"@c.fr> RET=hdrs', "250 2.1.0"),
        ("MAIL FROM:<> AUTH=<>", "250 2.1.0"),
        ("MAIL FROM:<" + "a" * 65 + "@b.fr>", "553 5.1.7"),
        ("MAIL FROM:<a@b.fr> ENVID=" + "a" * 2100, "500 5.5.2"),
        ("MAIL FROM:<a\x00@b.fr>", "500 5.5.2"),
    ],
)
def test_mail_grammar(line: str, code: str) -> None:
    """Each fault of MAIL has its status and is not echoed (BAL-10)."""
    outcome = run(HELLO + line.encode() + b"\r\n")
    assert outcome.codes[-1] == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<postmaster>", "553 5.1.3"),
        ("RCPT TO:<@x.fr:a@b.fr>", "553 5.1.3"),
        ("RCPT TO:<a@b.fr> NOTIFY=NEVER,FAILURE", "501 5.5.4"),
        ("RCPT TO:<a@b.fr> NOTIFY=SOMETIMES", "501 5.5.4"),
        ("RCPT TO:<a@b.fr> ORCPT=rfc822", "501 5.5.4"),
        ("RCPT TO:<a@b.fr> SIZE=1", "555 5.5.4"),
        ("RCPT TO:<é@b.fr>", "553 5.6.7"),
        ("RCPT TO:<a@b.fr> NOTIFY=success,delay ORCPT=rfc822;a+2Bb@c.fr", "250 2.1.5"),
    ],
)
def test_rcpt_grammar(line: str, code: str) -> None:
    """Each fault of RCPT has its status."""
    assert run(HELLO + b"MAIL FROM:<a@b.fr>\r\n" + line.encode() + b"\r\n").codes[-1] == code


def test_recipient_carries_its_dsn_wishes_and_postmaster_where_configured() -> None:
    """NOTIFY and ORCPT arrive decoded; <postmaster> goes where the configuration says."""
    config = dataclasses.replace(OPEN, postmaster=Address("post", "x.fr"))
    begun = HELLO + b"MAIL FROM:<a@b.fr>\r\n"
    asked = run(begun + b"RCPT TO:<a@b.fr> NOTIFY=DELAY ORCPT=rfc822;a+2Bb\r\n").events[-1]
    assert isinstance(asked, RcptTo)
    assert asked.recipient.notify == {Notify.DELAY}
    assert asked.recipient.orcpt == "rfc822;a+b"
    master = run(begun + b"RCPT TO:<PostMaster>\r\n", config).events[-1]
    assert isinstance(master, RcptTo)
    assert master.recipient.address == Address("post", "x.fr")


def test_pipelined_group_is_answered_in_one_write() -> None:
    """Replies of a group wait, in order, until the input runs dry (RFC 2920)."""
    outcome = Run().feed(BEGUN + b"RCPT TO:<bad\r\nDATA\r\n")
    assert outcome.codes[-4:] == ["250 2.1.0", "250 2.1.5", "501 5.5.4", "354 End d"]


def test_oversized_message_is_swallowed_then_refused() -> None:
    """552 at the end, content dropped, the session goes on; nothing piles up on the way."""
    config = dataclasses.replace(OPEN, max_size=1000)
    session = Run(config).feed(BEGUN + b"DATA\r\n")
    for _ in range(100):
        session.feed(b"MAIL FROM:<evil@b.fr>\r\n" * 50)
        assert session.core.buffered <= 2
    session.feed(b".\r\nNOOP\r\n")
    assert isinstance(session.events[-1], DataDropped)
    assert session.codes[-2:] == ["552 5.3.4", "250 2.0.0"]


def test_bdat_sequence_and_its_refusals() -> None:
    """Chunks count octets; DATA is not mixed in; bare LF only for BINARYMIME (RFC 3030)."""
    good = run(BEGUN + b"BDAT 7\r\nhello\r\nBDAT 3\r\n.\r\nBDAT 0 LAST\r\n")
    assert good.events[-3:] == [DataStart(True), b"hello\r\n.\r\n", DataEnd(10)]
    mixed = run(BEGUN + b"BDAT 2\r\nhiDATA\r\n")
    assert mixed.codes[-1] == "503 5.5.1"
    bare = run(BEGUN + b"BDAT 3 LAST\r\na\nbNOOP\r\n")
    assert bare.codes[-2:] == ["550 5.6.0", "250 2.0.0"]
    binary = HELLO + b"MAIL FROM:<a@b.fr> BODY=BINARYMIME\r\nRCPT TO:<c@d.fr>\r\n"
    assert run(binary + b"BDAT 4 LAST\r\na\n\0b").events[-1] == DataEnd(4)
    assert run(binary + b"DATA\r\n").codes[-1] == "503 5.5.1"
    assert run(HELLO + b"BDAT 6\r\nQUIT\r\nNOOP\r\n").codes[-2:] == ["503 5.5.1", "250 2.0.0"]
    assert run(BEGUN + b"BDAT six\r\nQUIT\r\n").violation == "bdat-syntax"


def test_bdat_refused_by_the_skin_fails_until_rset() -> None:
    """Later chunks of a failed message are swallowed with 503; RSET clears the way."""
    no = refusing(DataStart, Reply(452, "4.3.1", "Disk full"))
    outcome = run(BEGUN + b"BDAT 6\r\nQUIT\r\nBDAT 6\r\nQUIT\r\nRSET\r\nMAIL FROM:<a@b.fr>\r\n", OPEN, no)
    assert outcome.codes[-4:] == ["452 4.3.1", "503 5.5.1", "250 2.0.0", "250 2.1.0"]
    assert Reset() in outcome.events


@pytest.mark.req("TRU-1")
def test_nothing_said_before_the_handshake_survives_it() -> None:
    """STARTTLS resets the session; octets behind the command are an injection."""
    session = Run(MTA).feed(HELLO + b"STARTTLS\r\n")
    assert session.events[-1] == StartTls()
    session.core.tls_started()
    session.feed(b"MAIL FROM:<a@b.fr>\r\n")
    assert session.codes[-1] == "503 5.5.1"
    session.feed(HELLO + b"MAIL FROM:<a@b.fr>\r\n")
    assert isinstance(session.events[-1], MailFrom)
    injected = Run(MTA).feed(HELLO + b"STARTTLS\r\nMAIL FROM:<evil@b.fr>\r\n")
    assert injected.violation == "starttls-injection"
    assert StartTls() not in injected.events
    late = Run(MTA).feed(HELLO + b"STARTTLS\r\n", b"NOOP\r\n")
    assert late.violation == "starttls-injection"


def test_long_token_fits_under_tls_and_long_lines_do_not() -> None:
    """A token of 8 kB passes AUTH; other lines end at 4096 octets (ACC-2)."""
    token = b"QUFB" * 2700
    auth = run(HELLO + b"AUTH XOAUTH2 " + token + b"\r\n", LOGIN).events[-1]
    assert isinstance(auth, Auth)
    assert auth.initial == b"AAA" * 2700
    assert "AAA" not in repr(auth)
    response = run(HELLO + b"AUTH XOAUTH2\r\n" + token + b"\r\n", LOGIN).events[-1]
    assert isinstance(response, AuthResponse)
    assert run(HELLO + b"NOOP " + b"x" * 4096 + b"\r\n").violation == "line-too-long"
    assert run(HELLO + b"AUTH PLAIN\r\n" + b"QUFB" * 7000, LOGIN).codes[-1] == "500 5.5.6"
    cancelled = run(HELLO + b"AUTH PLAIN\r\n*\r\n", LOGIN)
    assert cancelled.events[-1] == AuthCancelled()


def test_too_many_errors_and_recipients() -> None:
    """452 past RCPTMAX without counting as an error; errors past the limit say 421 and close."""
    config = dataclasses.replace(OPEN, limits=Limits(bad_commands=3, recipients=1))
    crowd = run(BEGUN + b"RCPT TO:<x@d.fr>\r\n" * 9 + b"NOOP\r\n", config)
    assert crowd.codes[-2:] == ["452 4.5.3", "250 2.0.0"]
    noisy = run(HELLO + b"JUNK\r\n" * 9, config)
    assert noisy.codes[-4:] == ["500 5.5.1"] * 3 + ["421 4.7.0"]
    assert isinstance(noisy.events[-1], Refused)
    assert run(b"GET / HTTP/1.1\r\n").violation == "foreign-protocol"


def test_sequence_faults() -> None:
    """Verbs out of their place are told 503, DATA without recipient 554."""
    assert run(b"MAIL FROM:<a@b.fr>\r\n").codes == ["503 5.5.1"]
    assert run(HELLO + b"RCPT TO:<a@b.fr>\r\n").codes[-1] == "503 5.5.1"
    assert run(BEGUN + b"MAIL FROM:<a@b.fr>\r\n").codes[-1] == "503 5.5.1"
    assert run(HELLO + b"MAIL FROM:<a@b.fr>\r\nDATA\r\n").codes[-1] == "554 5.5.1"


def test_replies_are_ascii_and_cannot_be_forged() -> None:
    """Accents fold, a CR or another control never reaches the wire (RFC 5321 section 4.2)."""
    assert ascii_text("Échange clôturé : n’écrivez plus «\u00a0ici\u00a0»") == (
        'Echange cloture : n\'ecrivez plus " ici "'
    )
    assert Reply(550, "5.7.1", "a\r\n250 ok\x00").encode() == b"550-5.7.1 a\r\n550 5.7.1 250 ok?\r\n"
    assert all(len(line) <= 510 for line in Reply(550, "5.7.1", "x" * 2000).encode().split(b"\r\n"))


def test_skin_may_refuse_close_and_must_answer() -> None:
    """Message refused on its way, 421 at any time, and our own mistakes are RuntimeErrors."""
    session = Run().feed(BEGUN + b"DATA\r\nabc\r\n")
    session.core.refuse_message(Reply(452, "4.3.1", "Disk full"))
    session.feed(b"QUIT\r\n.\r\nNOOP\r\n")
    assert session.codes[-2:] == ["452 4.3.1", "250 2.0.0"]
    session.feed(BEGUN.removeprefix(HELLO) + b"BDAT 2\r\nhi")
    session.core.refuse_message(Reply(452, "4.3.1", "Disk full"))
    session.feed(b"BDAT 2 LAST\r\nhi")
    assert session.codes[-2:] == ["250 2.0.0", "452 4.3.1"]
    session.core.close(Reply(421, "4.3.2", "Shutting down"))
    assert session.core.next_event() is CLOSED
    core = SmtpServer(OPEN)
    with pytest.raises(RuntimeError):
        core.accept()
    core.receive_data(HELLO)
    core.next_event()
    with pytest.raises(RuntimeError):
        core.next_event()


def test_end_of_stream_in_content_delivers_nothing() -> None:
    """A peer that leaves before the dot gets no DataEnd, only CLOSED."""
    outcome = run(BEGUN + b"DATA\r\nabc\r\n")
    assert outcome.closed
    assert not any(isinstance(event, DataEnd) for event in outcome.events)


def test_line_length_in_content_is_bounded() -> None:
    """65536 octets with CRLF pass, one more is refused at the end, at any cutting."""
    config = dataclasses.replace(OPEN, max_size=1 << 20)
    for extra, code in ((0, "250 2.0.0"), (1, "550 5.6.0")):
        data = BEGUN + b"DATA\r\nab\r\n" + b"x" * (65534 + extra) + b"\r\n.\r\n"
        for step in (1000, 65536, len(data)):
            pieces = [data[at : at + step] for at in range(0, len(data), step)]
            assert Run(config).feed(*pieces).codes[-1] == code
