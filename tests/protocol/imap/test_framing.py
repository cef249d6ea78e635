"""The four contracts of a protocol core, for IMAP."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.protocol.imap import ImapOptions, ImapServer
from mss_gateway.protocol.imap.framing import split_literal
from tests.support.imap import Log, drive, logged_in

WORDS = st.sampled_from(
    [
        b"a ",
        b"b2 ",
        b"+",
        b"LOGIN ",
        b"NOOP",
        b"SELECT ",
        b"APPEND ",
        b"SEARCH ",
        b"FETCH ",
        b"UID ",
        b"IDLE",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"INBOX",
        b'"',
        b"\\",
        b"(",
        b")",
        b"{3}",
        b"{3+}",
        b"{0+}",
        b"~{4+}",
        b"{99999+}",
        b"{70000}",
        b"{5-}",
        b"{12345678901+}",
        b"x NOOP\r\n",
        b"DONE",
        b"*",
        b"1:*",
        b"$",
        b"BODY[",
        b"]",
        b"<0.",
        b"\x00",
        b"\xff",
        b"STARTTLS",
        b"AUTHENTICATE PLAIN",
        b"abc",
        b"LOGOUT",
    ]
)
STREAMS = st.lists(WORDS | st.binary(max_size=6), max_size=40).map(b"".join)


def _core(authenticated: bool) -> ImapServer:
    options = ImapOptions(max_append=100, literal=50, line=2000, command=200, bad_commands=5)
    return logged_in(options) if authenticated else ImapServer(options, tls=True)


def _cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[left:right] for left, right in itertools.pairwise(edges)]


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=8), st.booleans())
@example(b"a NOOP\r\nb NOOP\r\n", [7, 8], True)
def test_any_way_of_cutting_gives_the_same_events_and_answers(
    data: bytes, points: list[int], authenticated: bool
) -> None:
    """Contract 1, and contract 3: nothing but ProtocolViolation escapes (`drive` lets everything else through)."""
    whole = drive(_core(authenticated), [data])
    pieces = drive(_core(authenticated), _cut(data, points))
    single = drive(_core(authenticated), [data[at : at + 1] for at in range(len(data))])
    assert whole == pieces == single


@settings(max_examples=100, deadline=None)
@given(STREAMS, st.booleans())
def test_what_is_held_is_bounded_by_the_limits(data: bytes, authenticated: bool) -> None:
    """Contract 2: after each small read, what is held stays under the line and command limits."""
    log = drive(_core(authenticated), [data[at : at + 7] for at in range(0, len(data), 7)])
    assert log.most_held <= (2000 + 200 + 7 if authenticated else 16384 + 7)


def test_a_giant_literal_after_login_is_swallowed_with_flat_memory() -> None:
    """Contract 2 with a 20 MB refused literal: nothing of it is kept, and the next command is answered."""
    chunk = b"y NOOP\r\n" * 8192
    size = len(chunk) * 320
    data = [b"a SELECT {%d+}\r\n" % size, *[chunk] * 320, b"\r\nz NOOP\r\n"]
    log = drive(logged_in(), data)
    assert log.tags == [b"z"]
    assert log.out.startswith(b"a BAD [TOOBIG]")
    assert log.most_held <= len(chunk) + 100


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=400).map(lambda noise: b"evil LOGOUT\r\n" + noise + b"\r\nevil LOGOUT\r\n"),
    st.sampled_from(
        [
            b"SELECT ",
            b"LOGIN u ",
            b"FOO ",
            b"APPEND INBOX ",
            b"APPEND INBOX (\\Seen) ",
            b"APPEND /bad/ x ",
            b"",
            b"SEARCH TEXT ",
            b"SEARCH TEXT (",
            b"FETCH 1 BODY[",
            b"CREATE ",
        ]
    ),
    st.sampled_from([b"", b"~"]),
    st.booleans(),
    st.booleans(),
)
def test_literal_data_is_never_a_command(
    data: bytes, verb: bytes, tilde: bytes, accept: bool, authenticated: bool
) -> None:
    """Contract 4: accepted, refused or oversized, the octets of a literal are not read as commands."""
    log = drive(
        _core(authenticated),
        [b"a %b%b{%d+}\r\n%b\r\nz NOOP\r\n" % (verb, tilde, len(data), data)],
        accept=accept,
    )
    assert b"evil" not in log.tags
    assert b"evil" not in log.out
    assert b"z" in log.tags


def test_a_synchronising_literal_that_is_refused_gets_its_answer_instead_of_the_go_ahead() -> None:
    """The client then sends a new command, not the literal."""
    log = drive(logged_in(), [b"a SELECT {70000}\r\n", b"b NOOP\r\n"])
    assert log.out == b"a BAD [TOOBIG] Literal too large\r\nb OK done\r\n"


def test_a_large_non_synchronising_literal_before_login_ends_the_connection() -> None:
    """Nothing is swallowed for strangers."""
    log = drive(ImapServer(tls=True), [b"a LOGIN {300000000+}\r\n" + b"x" * 100])
    assert log.violation == "imap-literal-before-login"
    assert log.out.startswith(b"* BYE ")
    assert log.most_held < 200


def test_held_literals_have_small_limits() -> None:
    """4 KiB each before login, 64 KiB after, 256 KiB for a whole command, 64 of them; literal8 only for messages."""
    log = drive(ImapServer(tls=True), [b"a LOGIN {4097}\r\n"])
    assert log.out == b"a BAD [TOOBIG] Literal too large\r\n"
    four = b"a SEARCH" + b" TEXT {65000+}\r\n%b" % (b"x" * 65000) * 4 + b" TEXT {3000+}\r\nabc"
    log = drive(logged_in(), [four + b"x" * 2997 + b"\r\nb NOOP\r\n"])
    assert log.out == b"a BAD [TOOBIG] Literal too large\r\nb OK done\r\n"
    log = drive(logged_in(), [b"a SEARCH" + b" TEXT {0+}\r\n" * 65 + b"\r\nb NOOP\r\n"])
    assert log.out == b"a BAD [TOOBIG] Literal too large\r\nb OK done\r\n"
    log = drive(logged_in(), [b"a SELECT ~{3+}\r\nabc\r\nb NOOP\r\n"])
    assert log.out.startswith(b"a BAD literal8 is for APPEND")
    assert log.out.endswith(b"\r\nb OK done\r\n")


def test_every_literal_of_a_refused_command_is_swallowed() -> None:
    """The second literal of a command refused at its first is no command either; a waiting one ends it."""
    log = drive(logged_in(), [b"a FOO {3+}\r\nabc {8+}\r\nb NOOP\r\n x\r\nc NOOP\r\n"])
    assert log.out == b"a BAD Unknown command\r\nc OK done\r\n"
    log = drive(logged_in(), [b"a FOO {3+}\r\nabc {8}\r\nb NOOP\r\n"])
    assert log.out == b"a BAD Unknown command\r\nb OK done\r\n"


def test_bare_cr_and_bare_lf_end_the_connection() -> None:
    """Line ends are CRLF and nothing else."""
    for line in (b"a NOOP\n", b"a NO\rOP\r\n", b"a NOOP\r\r\n", b"\n", b"a NOOP\r\nb NOOP\n"):
        assert drive(logged_in(), [line]).violation == "imap-bare-cr-or-lf"


def test_line_limits_grow_after_login() -> None:
    """8 KiB before login, 16 KiB for AUTHENTICATE, 64 KiB after."""
    long = b"a NOOP " + b"x" * 9000 + b"\r\n"
    assert drive(ImapServer(tls=True), [long]).violation == "imap-line-too-long"
    assert drive(logged_in(), [long]).violation is None
    token = b"a AUTHENTICATE PLAIN " + b"QUFB" * 3000 + b"\r\n"
    assert drive(ImapServer(tls=True), [token]).tags == [b"a"]
    assert drive(logged_in(), [b"x" * 65539]).violation == "imap-line-too-long"


@settings(max_examples=200)
@given(st.binary(max_size=30), st.integers(0, 10**10 - 1), st.booleans(), st.booleans())
def test_every_announcement_is_recognised(head: bytes, size: int, waiting: bool, binary: bool) -> None:
    """split_literal undoes the writing of an announcement."""
    line = head.rstrip(b"~") + (b"~" if binary else b"") + b"{%d%b}" % (size, b"" if waiting else b"+")
    text, spec = split_literal(line)
    assert spec is not None
    assert (text, spec.size, spec.waiting, spec.binary) == (head.rstrip(b"~"), size, waiting, binary)


def test_announcements_that_nobody_understands_end_the_connection() -> None:
    """Octets may already be on their way behind them."""
    for end in (b"{99999999999+}", b"{1x+}", b"{1++}", b"{-1+}", b"{18446744073709551616+}"):
        with pytest.raises(ProtocolViolation) as caught:
            split_literal(b"a SELECT " + end)
        assert caught.value.reason == "imap-bad-literal"


@pytest.mark.req("IMP-1")
def test_absurd_sizes_of_clients_that_wait_get_bad() -> None:
    """Nothing follows them, so the next line is a command."""
    for end in (b"{-1}", b"{5-}", b"{1x}", b"{18446744073709551616}", b"{4294967296}", b"~{-1}", b"{}", b"{"):
        log = drive(logged_in(), [b"a SELECT " + end + b"\r\n", b"b NOOP\r\n"])
        assert log.out.startswith(b"a BAD ")
        assert log.tags == [b"b"]


def test_log_compares_by_content() -> None:
    """The helper's equality is not identity: other input gives another log."""
    assert drive(logged_in(), [b"a NOOP\r\n"]) != drive(logged_in(), [b"b NOOP\r\n"])
    assert isinstance(drive(logged_in(), []), Log)
