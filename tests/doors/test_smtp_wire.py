"""The SMTP door over real sockets: what arrives as bytes is one message or none (issue 2, point 1)."""

from __future__ import annotations

import contextlib
import time

import pytest

from mss_gateway.dev.wire import tls
from tests.support.doors import Served
from tests.support.letters import HOSTED, MEDECIN, OPERATOR, SENDER, letter, unique
from tests.support.wires import Closed, Smtp, literal

ENDS = {
    "bare LF on both sides": b"\n.\n",
    "bare LF before the dot": b"\n.\r\n",
    "bare LF after the dot": b"\r\n.\n",
    "bare CR on both sides": b"\r.\r",
    "bare CR before the dot": b"\r.\r\n",
    "bare CR after the dot": b"\r\n.\r",
    "doubled CR": b"\r\r\n.\r\r\n",
    "NUL in front": b"\r\n\0.\n",
}


def inbox(door: Served) -> int:
    """Messages in the sample professional's INBOX."""
    imap = door.imap(door.account("PER"))
    try:
        (line,) = imap.ok("STATUS INBOX (MESSAGES)")
        return int(line.rsplit(b" ", 1)[1].rstrip(b")"))
    finally:
        imap.close()


def found(door: Served, message_id: str, kind: str = "PER") -> int:
    """How many messages of this id the mailbox of that account holds."""
    imap = door.imap(door.account(kind), select="INBOX")
    try:
        answers = imap.ok(f'SEARCH HEADER Message-ID "{message_id}"')
        (line,) = [line for line in answers if line.startswith(b"* SEARCH")]  # mail may come meanwhile
        return len(line.split()) - 2
    finally:
        imap.close()


@pytest.mark.req("RTE-4")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_smuggling_ends_the_session_and_stores_nothing(door: Served, end: bytes) -> None:
    """Two messages in one: neither is stored, the session ends with a 5xx."""
    first, second = unique("smuggle"), unique("smuggle")
    wire = door.operator()
    wire.envelope(SENDER, MEDECIN)
    assert wire.command("DATA").startswith("354")
    smuggled = (
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{MEDECIN}>\r\nDATA\r\n".encode()
        + letter(message_id=second)
        + b"\r\n.\r\nQUIT\r\n"
    )
    wire.send(letter(message_id=first, text=b"Bonjour") + end + smuggled)
    replies = [line for line in wire.rest().decode().split("\r\n") if line]
    wire.close()
    assert replies
    assert all(line[0] == "5" for line in replies), replies
    assert found(door, first) == found(door, second) == 0
    assert door.spooled == []


@pytest.mark.parametrize("command", [b"NOOP\nMAIL FROM:<>\r\n", b"NOOP\rNOOP\r\n", b"RSET\n"])
def test_bare_line_end_in_a_command_ends_the_session(door: Served, command: bytes) -> None:
    """CR and LF stand together or the session ends."""
    wire = door.operator()
    wire.send(command)
    assert wire.rest().startswith(b"500 5.5.2")
    wire.close()


@pytest.mark.req("TRU-1")
def test_nothing_sent_before_the_handshake_survives(door: Served) -> None:
    """Commands injected behind STARTTLS are never executed, and what EHLO said before is forgotten."""
    wire = Smtp(door.handout.ports.mta)
    wire.hello("before.example")
    wire.send(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<" + SENDER.encode() + b">\r\n")
    assert wire.reply() == "503 5.5.2 Nothing may follow STARTTLS"
    assert wire.rest() == b""
    wire.close()
    clean = Smtp(door.handout.ports.mta)
    clean.hello("before.example")
    clean.start_tls(tls(door.handout, door.handout.operator))
    assert clean.command(f"MAIL FROM:<{SENDER}>").startswith("503")
    clean.close()


@pytest.mark.req("TRU-1")
def test_injected_plaintext_is_answered_by_nothing_inside_tls(door: Served) -> None:
    """A NOOP in a packet of its own right behind STARTTLS breaks the handshake or is dropped, never answered."""
    wire = Smtp(door.handout.ports.submission)
    wire.hello()
    wire.send(b"STARTTLS\r\n")
    wire.send(b"NOOP\r\nNOOP\r\n")
    with contextlib.suppress(OSError, Closed):
        assert wire.reply()[:3] in ("220", "503")
        wire.wrap(tls(door.handout))
        assert wire.command("QUIT")[:3] == "221"
    with contextlib.suppress(OSError):
        assert b"250" not in wire.rest()
    wire.close()


@pytest.mark.req("TRU-1", "ACC-1")
def test_before_tls_no_mail_and_no_login(door: Served) -> None:
    """MAIL is refused 530 and AUTH is neither announced nor taken."""
    mta = Smtp(door.handout.ports.mta)
    assert "AUTH" not in mta.hello()
    assert mta.command(f"MAIL FROM:<{SENDER}>") == "530 5.7.0 Must issue a STARTTLS command first"
    submission = Smtp(door.handout.ports.submission)
    assert "AUTH" not in submission.hello()
    assert submission.command("AUTH PLAIN AGEAYg==").startswith("530")
    mta.close()
    submission.close()


def test_keywords_of_the_issue_are_announced(door: Served) -> None:
    """EHLO says what the issue lists."""
    wire = Smtp(door.handout.ports.mta)
    assert "\n250 STARTTLS" in wire.hello().replace("250-", "250 ")
    wire.start_tls(tls(door.handout, door.handout.operator))
    words = {line[4:].split()[0] for line in wire.hello().split("\n")[1:]}
    assert words == {
        *(
            "SIZE",
            "8BITMIME",
            "SMTPUTF8",
            "PIPELINING",
            "CHUNKING",
            "BINARYMIME",
            "DSN",
            "ENHANCEDSTATUSCODES",
        ),
        "LIMITS",
    }
    wire.close()


def test_a_pipelined_group_is_answered_in_order(door: Served) -> None:
    """RFC 2920: one write, all replies, in order; then the message."""
    message_id = unique()
    wire = door.operator()
    wire.send(
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{MEDECIN}>\r\nRCPT TO:<nobody@{HOSTED}>\r\n"
        f"RCPT TO:<someone@gmail.example>\r\nDATA\r\n".encode()
    )
    codes = [wire.reply()[:9] for _ in range(5)]
    assert codes == ["250 2.1.0", "250 2.1.5", "550 5.1.1", "550 5.7.1", codes[4]]
    assert codes[4].startswith("354")
    wire.send(letter(message_id=message_id) + b".\r\nQUIT\r\n")
    assert wire.reply().startswith("250 2.0.0")
    assert wire.reply().startswith("221")
    assert wire.rest() == b""
    wire.close()
    assert found(door, message_id) == 1


@pytest.mark.req("RTE-5")
def test_replies_are_per_recipient(door: Served) -> None:
    """Each RCPT has its own answer, and the good ones get the message."""
    message_id = unique()
    wire = door.operator()
    assert wire.command(f"MAIL FROM:<{SENDER}>").startswith("250")
    answers = [
        wire.command(f"RCPT TO:<{address}>")[:9]
        for address in (MEDECIN, f"absent@{HOSTED}", "x@dehors.example", f"secretariat@{HOSTED}")
    ]
    assert answers == ["250 2.1.5", "550 5.1.1", "550 5.7.1", "250 2.1.5"]
    assert wire.data(letter(message_id=message_id)).startswith("250")
    wire.close()
    assert found(door, message_id) == found(door, message_id, "ORG") == 1


@pytest.mark.req("RTE-4")
def test_a_recipient_named_twice_gets_one_copy(door: Served) -> None:
    """The same address in two spellings is one row."""
    message_id = unique()
    wire = door.operator()
    wire.envelope(SENDER, MEDECIN, MEDECIN.upper(), MEDECIN)
    assert wire.data(letter(message_id=message_id)).startswith("250")
    wire.close()
    assert found(door, message_id) == 1


@pytest.mark.req("RTE-4")
def test_a_client_that_leaves_after_the_last_dot_does_not_undo_the_commit(door: Served) -> None:
    """CRLF.CRLF, then gone: the message is stored all the same, once."""
    message_id = unique()
    wire = door.operator()
    wire.envelope(SENDER, MEDECIN)
    wire.command("DATA")
    wire.send(letter(message_id=message_id) + b".\r\n")
    wire.close()
    deadline = time.monotonic() + 60
    while not found(door, message_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found(door, message_id) == 1
    assert door.spooled == []


@pytest.mark.req("RTE-4")
@pytest.mark.parametrize("size", [100, 600_000])
def test_a_client_that_leaves_in_the_middle_leaves_nothing(door: Served, size: int) -> None:
    """Neither a message nor a spool file."""
    message_id = unique()
    wire = door.operator()
    wire.envelope(SENDER, MEDECIN)
    wire.command("DATA")
    wire.send(letter(message_id=message_id) + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (size // 72))
    wire.close()
    wait_until(lambda: door.parts.intake is not None and not door.spooled)
    assert found(door, message_id) == 0


def wait_until(condition: object) -> None:
    """Wait for something that happens soon; fail when it does not."""
    deadline = time.monotonic() + 60
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_half_closed_client_gets_its_answers(door: Served) -> None:
    """Commands sent before the half-close are answered before the end."""
    wire = Smtp(door.handout.ports.mta)
    wire.send(b"EHLO half.example\r\nNOOP\r\n")
    wire.socket.shutdown(1)
    said = wire.rest().decode()
    assert "250 STARTTLS" in said.replace("250-", "250 ")
    assert said.endswith("250 2.0.0 OK\r\n"), said
    wire.close()


def test_size_declared_or_sent_over_the_limit_is_refused(door: Served) -> None:
    """552 at MAIL for the declared size; the session goes on."""
    wire = door.operator()
    limit = door.settings.mta.max_size
    assert wire.command(f"MAIL FROM:<{SENDER}> SIZE={limit + 1}").startswith("552 5.3.4")
    assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
    wire.close()


def test_bdat_and_binary_arrive_octet_by_octet(door: Served) -> None:
    """BDAT of octets that DATA cannot carry, in chunks that split anything, byte exact."""
    message_id = unique()
    octets = letter(
        message_id=message_id,
        more="MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
        "Content-Transfer-Encoding: binary\r\n",
        text=bytes(range(256)) * 4 + b"\r\n.\r\n\n.\n",
    )
    wire = door.operator()
    assert wire.command(f"MAIL FROM:<{SENDER}> BODY=BINARYMIME").startswith("250")
    assert wire.command(f"RCPT TO:<{MEDECIN}>").startswith("250")
    for at in range(0, len(octets), 333):
        piece = octets[at : at + 333]
        wire.send(b"BDAT %d\r\n" % len(piece) + piece)
        assert wire.reply().startswith("250")
    wire.send(b"BDAT 0 LAST\r\n")
    assert wire.reply().startswith("250 2.0.0 Stored")
    wire.close()
    imap = door.imap(door.account("PER"), select="INBOX")
    (line,) = [
        line
        for line in imap.ok(f'UID SEARCH HEADER Message-ID "{message_id}"')
        if line.startswith(b"* SEARCH")
    ]
    uid = line.split()[-1].decode()
    stored = literal(imap.ok(f"UID FETCH {uid} (BODY.PEEK[])")[0])
    imap.close()
    assert stored.endswith(octets)
    assert stored.startswith(b"Return-Path: <" + SENDER.encode())


@pytest.mark.req("BAL-7")
def test_a_foreign_operator_cannot_speak_for_another_domain(door: Served) -> None:
    """MAIL FROM of a domain whose DNs are others, or of ours, is refused."""
    wire = door.operator()
    assert wire.command(f"MAIL FROM:<x@{HOSTED}>").startswith("550 5.7.1")
    assert wire.command(f"MAIL FROM:<x@revoque.{OPERATOR}>").startswith("550 5.7.1")
    assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
    wire.close()


def test_quit_and_unknown_commands(door: Served) -> None:
    """500 for what is unknown, 502 or 252 for VRFY without disclosing anything, 221 for QUIT."""
    wire = door.operator()
    assert wire.command("BOGUS")[:3] == "500"
    assert wire.command(f"VRFY {MEDECIN}")[:3] in ("252", "502")
    assert wire.command("QUIT")[:3] == "221"
    with pytest.raises(Closed):
        wire.reply()
    wire.close()
