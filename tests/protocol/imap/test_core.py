"""Transcripts: what the core answers by itself and what it hands to the door."""

from __future__ import annotations

import pytest

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.protocol.imap import (
    NEED_DATA,
    AppendEnd,
    AppendMessage,
    Ending,
    IdleDone,
    ImapOptions,
    ImapServer,
    Request,
    State,
    commands,
)
from tests.support.imap import drive, logged_in


@pytest.mark.req("ACC-1")
def test_no_credentials_before_tls() -> None:
    """LOGIN and AUTHENTICATE get PRIVACYREQUIRED in clear, and capabilities say so."""
    core = ImapServer()
    assert b"LOGINDISABLED" in core.capabilities()
    assert b"AUTH=" not in core.capabilities()
    log = drive(core, [b"a LOGIN u p\r\nb AUTHENTICATE PLAIN\r\n"])
    assert log.out == (
        b"a NO [PRIVACYREQUIRED] Use STARTTLS first\r\nb NO [PRIVACYREQUIRED] Use STARTTLS first\r\n"
    )
    assert log.tags == []


def test_nothing_sent_before_tls_survives_it() -> None:
    """Commands pipelined behind STARTTLS are dropped, and so is what comes before the handshake ends."""
    core = ImapServer()
    core.receive_data(b"a STARTTLS\r\nb NOOP\r\nc LOG")
    event = core.next_event()
    assert event == Request(b"a", commands.StartTls())
    core.tagged(Ending.OK, "go")
    core.receive_data(b"d NOOP\r\n")
    assert core.next_event() is NEED_DATA
    core.tls_started()
    core.receive_data(b"e STARTTLS\r\nf NOOP\r\n")
    assert core.next_event() == Request(b"f", commands.Noop())
    assert core.data_to_send() == b"a OK go\r\ne BAD TLS is already on\r\n"
    assert b"AUTH=PLAIN" in core.capabilities()
    assert b"STARTTLS" not in core.capabilities()


def test_pipelined_commands_come_one_after_another() -> None:
    """The second command waits until the first is finished."""
    core = logged_in()
    core.receive_data(b"a NOOP\r\nb CHECK\r\n")
    assert core.next_event() == Request(b"a", commands.Noop())
    assert core.next_event() is NEED_DATA
    core.tagged(Ending.OK, "done")
    assert core.next_event() == Request(b"b", commands.Check())


def test_states_follow_the_answers() -> None:
    """OK of LOGIN, SELECT, CLOSE, LOGOUT; a NO of SELECT leaves the mailbox."""
    core = ImapServer(tls=True)
    steps = [
        (b"a SELECT x\r\n", None, State.NOT_AUTHENTICATED),
        (b"a LOGIN u p\r\n", Ending.NO, State.NOT_AUTHENTICATED),
        (b"a LOGIN u p\r\n", Ending.OK, State.AUTHENTICATED),
        (b"a LOGIN u p\r\n", None, State.AUTHENTICATED),
        (b"a FETCH 1 FLAGS\r\n", None, State.AUTHENTICATED),
        (b"a SELECT x\r\n", Ending.OK, State.SELECTED),
        (b"a SELECT y\r\n", Ending.NO, State.AUTHENTICATED),
        (b"a EXAMINE x\r\n", Ending.OK, State.SELECTED),
        (b"a UNSELECT\r\n", Ending.OK, State.AUTHENTICATED),
        (b"a LOGOUT\r\n", Ending.OK, State.LOGOUT),
    ]
    for line, ending, state in steps:
        core.receive_data(line)
        event = core.next_event()
        assert isinstance(event, Request) is (ending is not None)
        if ending is None:
            assert core.data_to_send().startswith(b"a BAD ")
        else:
            core.tagged(ending, "x")
            core.data_to_send()
        assert core.state is state
    core.receive_data(b"z NOOP\r\n")
    assert core.next_event() is NEED_DATA


def test_literals_in_login() -> None:
    """The core asks for each synchronising literal."""
    log = drive(ImapServer(tls=True), [b"a LOGIN {5}\r\n", b"alice {6+}\r\nsecret\r\n"])
    assert log.out == b"+ OK\r\na OK done\r\n"
    login = log.commands[0]
    assert isinstance(login, commands.Login)
    assert (login.user, login.password.reveal()) == ("alice", "secret")


def test_append_streams_its_message() -> None:
    """RFC 9051's example: flags, date, literal; the octets come as they are."""
    log = drive(
        logged_in(),
        [
            b'a APPEND saved (\\Seen) "17-Jul-1996 02:44:25 -0700" {12}\r\n',
            b"hello\r\n",
            b"you\r\n",
            b"\r\nb NOOP\r\n",
        ],
    )
    assert log.commands[0] == commands.Append("saved")
    assert log.heads == [AppendMessage(frozenset({"\\Seen"}), 837596665.0)]
    assert log.messages == [b"hello\r\nyou\r\n"]
    assert log.notes == ["AppendEnd"]
    assert log.out == b"+ OK\r\na OK done\r\nb OK done\r\n"


def test_append_with_its_mailbox_in_a_literal_and_utf8() -> None:
    """The first literal is the name, the second the message."""
    log = drive(logged_in(), [b"a APPEND {5+}\r\ninbox UTF8 (~{3+}\r\na\x00b)\r\n"])
    assert log.commands == [commands.Append("INBOX")]
    assert log.heads == [AppendMessage(frozenset(), None, True)]
    assert log.messages == [b"a\x00b"]
    assert log.out == b"a OK done\r\n"


def test_append_that_the_door_refuses() -> None:
    """The tagged answer replaces the go-ahead; a message that comes anyway is dropped."""
    log = drive(
        logged_in(), [b"a APPEND x {9}\r\nb APPEND x {9+}\r\nz NOOP\r\nz\r\nc NOOP\r\n"], accept=False
    )
    assert log.out == (
        b"a NO [TRYCREATE] no such mailbox\r\nb NO [TRYCREATE] no such mailbox\r\nc OK done\r\n"
    )
    assert log.tags == [b"a", b"b", b"c"]


def test_append_limits_belong_to_the_core() -> None:
    """Too large and empty messages; what stands behind a message is another one or the end."""
    log = drive(logged_in(ImapOptions(max_append=5)), [b"a APPEND x {6}\r\nb APPEND x {0+}\r\n\r\n"])
    assert log.out == b"a NO [TOOBIG] Message too large\r\nb NO An empty message cannot be stored\r\n"
    log = drive(logged_in(), [b"a APPEND x {1+}\r\nA x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"])
    assert log.notes == ["AppendAbandoned"]
    assert log.out == b"a BAD Expected a message\r\nc OK done\r\n"


def test_idle() -> None:
    """`+` at once, untagged data meanwhile, DONE or nonsense at the end."""
    core = logged_in()
    core.receive_data(b"a IDLE\r\n")
    assert core.next_event() == Request(b"a", commands.Idle())
    core.send(b"* 4 EXISTS\r\n")
    assert core.next_event() is NEED_DATA
    core.receive_data(b"done\r\nb IDLE\r\nb2 NOOP\r\n")
    assert core.next_event() == IdleDone(True)
    core.tagged(Ending.OK, "done")
    assert core.next_event() == Request(b"b", commands.Idle())
    assert core.next_event() == IdleDone(False)
    core.tagged(Ending.BAD, "expected DONE")
    assert core.data_to_send() == (
        b"+ idling\r\n* 4 EXISTS\r\na OK done\r\n+ idling\r\nb BAD expected DONE\r\n"
    )


def test_authenticate_in_two_steps() -> None:
    """An empty challenge, then the answer; `*` and nonsense give None."""
    log = drive(
        ImapServer(tls=True),
        [
            b"a AUTHENTICATE PLAIN\r\n",
            b"AGEAYg==\r\n",
            b"b AUTHENTICATE PLAIN\r\n*\r\nc AUTHENTICATE PLAIN\r\n!\r\n",
        ],
    )
    assert log.notes == ["AuthResponse b'\\x00a\\x00b'", "AuthResponse None", "AuthResponse None"]
    assert log.out == b"+ \r\na NO no\r\n+ \r\nb BAD no\r\n+ \r\nc BAD no\r\n"


def test_bad_lines_are_answered_and_counted() -> None:
    """Untagged BAD without a tag; too many end the connection, a good command forgives them after login."""
    log = drive(
        logged_in(ImapOptions(bad_commands=4)), [b"\r\n", b"a FOO\r\n", b"b NOOP x\r\n", b"c NOOP\r\n"]
    )
    assert log.out == (
        b"* BAD A command starts with a tag\r\na BAD Unknown command\r\n"
        b"b BAD Unexpected text after the arguments\r\nc OK done\r\n"
    )
    core = ImapServer(ImapOptions(bad_commands=3), tls=True)
    log = drive(core, [b"a FOO\r\nb NOOP\r\n" * 9])
    assert log.violation == "imap-too-many-bad-commands"
    assert log.out.endswith(b"* BYE Too many bad commands\r\n")
    with pytest.raises(ProtocolViolation):
        core.next_event()


def test_the_door_cannot_misuse_the_core() -> None:
    """Finishing nothing, or accepting a literal that is not there, is our own bug and says so."""
    core = logged_in()
    for call in (lambda: core.tagged(Ending.OK, "x"), core.accept_literal, core.challenge):
        with pytest.raises(RuntimeError):
            call()
    core.receive_data(b"a APPEND x {1+}\r\nA\r\n")
    core.next_event()
    core.accept_literal()
    core.next_event()
    core.next_event()
    assert core.next_event() == AppendEnd()
    with pytest.raises(RuntimeError):
        core.accept_literal()
