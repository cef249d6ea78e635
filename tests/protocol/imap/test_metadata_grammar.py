"""GETMETADATA, SETMETADATA and RETURN (METADATA) as they come, METADATA as it goes (RFC 5464, RFC 9590)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap import metadata_lines
from mss_gateway.protocol.imap.commands import Command, List
from mss_gateway.protocol.imap.commands_metadata import GetMetadata, SetMetadata
from tests.support.imap import drive, logged_in

pytestmark = pytest.mark.req("IMP-1")

C, P = "/shared/comment", "/private/comment"


def parsed(line: bytes) -> Command:
    """The one command that a line is."""
    log = drive(logged_in(selected=False), [b"a " + line + b"\r\n"])
    (command,) = log.commands
    return command


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'GETMETADATA "" /shared/comment', GetMetadata("", (C,))),
        (b'GETMETADATA "INBOX" /private/comment', GetMetadata("INBOX", (P,))),
        (b"GETMETADATA INBOX (/shared/comment /private/comment)", GetMetadata("INBOX", (C, P))),
        (b"GETMETADATA (MAXSIZE 1024) INBOX (/shared/comment)", GetMetadata("INBOX", (C,), 0, 1024)),
        (b"GETMETADATA INBOX (maxsize 1024) (/shared/comment)", GetMetadata("INBOX", (C,), 0, 1024)),
        (b"GETMETADATA (DEPTH infinity) INBOX (/private)", GetMetadata("INBOX", ("/private",), None)),
        (b"GETMETADATA (DEPTH 1 MAXSIZE 5) INBOX /private/a", GetMetadata("INBOX", ("/private/a",), 1, 5)),
        (b'GETMETADATA inbox "/Shared/COMMENT"', GetMetadata("INBOX", (C,))),
        (b"GETMETADATA INBOX (/shared/comment /SHARED/comment)", GetMetadata("INBOX", (C,))),
    ],
)
def test_getmetadata(line: bytes, expected: GetMetadata) -> None:
    """The forms of the RFC, options before the mailbox and, as its examples have them, after it."""
    assert parsed(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"SETMETADATA INBOX (/private/comment NIL)", ((P, None),)),
        (
            b'SETMETADATA INBOX (/private/comment "My \\"own\\"" /shared/comment "")',
            ((P, b'My "own"'), (C, b"")),
        ),
        (b"SETMETADATA INBOX (/private/comment {4+}\r\na\r\nb)", ((P, b"a\r\nb"),)),
        (
            b"SETMETADATA INBOX (/private/comment ~{3+}\r\n\0\xff\n /shared/comment nil)",
            ((P, b"\0\xff\n"), (C, None)),
        ),
        (b'SETMETADATA INBOX (/shared/comment "1" /SHARED/COMMENT "2")', ((C, b"2"),)),
        (b'SETMETADATA INBOX (/private/comment "NIL")', ((P, b"NIL"),)),
    ],
)
def test_setmetadata(line: bytes, expected: tuple[tuple[str, bytes | None], ...]) -> None:
    """Values are NIL, strings, literals and literal8 with any octet."""
    assert parsed(line) == SetMetadata("INBOX", expected)


@pytest.mark.parametrize(
    "name",
    [
        b"/comment",
        b"comment",
        b"/shared",
        b"/shared/",
        b"/shared//comment",
        b"/shared/comment/",
        b'"/shared/comm*nt"',
        b'"/shared/comm%nt"',
        b'"/shared/a\x01"',
        b"/shared/vendor",
        b"/shared/vendor/token",
        b"/sharedcomment",
        b"/private/vendor/token",
        b"{10+}\r\n/shared/\xc3\xa9",
    ],
)
def test_a_name_that_is_none(name: bytes) -> None:
    """BAD in every command that takes names (RFC 5464 section 3.2), and the session stays in step."""
    core = logged_in(selected=False)
    lines = (
        b"a GETMETADATA INBOX " + name,
        b"b SETMETADATA INBOX (" + name + b' "x")',
        b'c LIST "" * RETURN (METADATA (' + name + b"))",
        b"d NOOP",
    )
    log = drive(core, [line + b"\r\n" for line in lines])
    assert [line[:5] for line in log.out.split(b"\r\n") if line] == [b"a BAD", b"b BAD", b"c BAD", b"d OK "]


@pytest.mark.parametrize(
    "line",
    [
        b"GETMETADATA INBOX",
        b"GETMETADATA INBOX ()",
        b"GETMETADATA (DEPTH 2) INBOX /shared/comment",
        b"GETMETADATA (MAXSIZE) INBOX /shared/comment",
        b"GETMETADATA (SIZE 1) INBOX /shared/comment",
        b"GETMETADATA (MAXSIZE 1) (DEPTH 1) INBOX /shared/comment",
        b"GETMETADATA (MAXSIZE 1) INBOX (DEPTH 1) /shared/comment",
        b"GETMETADATA INBOX /shared/comment /private/comment",
        b"SETMETADATA INBOX /shared/comment NIL",
        b"SETMETADATA INBOX (/shared/comment)",
        b"SETMETADATA INBOX (/shared/comment value)",
        b"SETMETADATA INBOX ()",
        b'LIST "" * RETURN (METADATA)',
        b'LIST "" * RETURN (METADATA ())',
    ],
)
def test_malformed(line: bytes) -> None:
    """BAD, and nothing reaches the door."""
    log = drive(logged_in(selected=False), [b"a " + line + b"\r\n"])
    assert log.commands == []
    assert log.out.startswith(b"a BAD")


def test_bounds() -> None:
    """So many entries, so long a name: NO with LIMIT."""
    many = b" ".join(b"/shared/e%d" % number for number in range(65))
    log = drive(logged_in(selected=False), [b"a GETMETADATA INBOX (" + many + b")\r\n"])
    assert log.out.startswith(b"a NO [LIMIT]")
    log = drive(logged_in(selected=False), [b"a GETMETADATA INBOX /shared/" + b"x" * 300 + b"\r\n"])
    assert log.out.startswith(b"a NO [LIMIT]")


def test_literal8_stays_out_of_other_commands() -> None:
    """Only values may hold any octet."""
    log = drive(logged_in(selected=False), [b"a SUBSCRIBE ~{3+}\r\nabc\r\n"])
    assert log.out.startswith(b"a BAD")


def test_list_returns_metadata() -> None:
    """RFC 9590 section 4, beside other options."""
    command = parsed(
        b'LIST "" % RETURN (CHILDREN METADATA ("/shared/vendor/x/color" /private/comment) SUBSCRIBED)'
    )
    assert isinstance(command, List)
    assert command.metadata == ("/shared/vendor/x/color", P)
    assert command.returns == {"CHILDREN", "SUBSCRIBED"}


def test_answers() -> None:
    """Strings that can be quoted are, others go as literals, NUL as literal8; names come out as they are."""
    values = {C: b"text", P: None, "/shared/a": b"1\r\n2", "/shared/b": b"\0", "/shared/c": "é".encode()}
    assert metadata_lines.values("", values) == (
        b'* METADATA "" (/shared/comment "text" /private/comment NIL /shared/a {4}\r\n1\r\n2'
        b" /shared/b ~{1}\r\n\0 /shared/c {2}\r\n\xc3\xa9)\r\n"
    )
    assert metadata_lines.changed("INBOX", [C, P]) == b"* METADATA INBOX /shared/comment /private/comment\r\n"
    assert metadata_lines.changed("Été", ["/shared/a)b"]) == b'* METADATA &AMk-t&AOk- "/shared/a)b"\r\n'


@settings(max_examples=60)
@given(
    st.binary(max_size=40),
    st.sampled_from([b"GETMETADATA ", b"SETMETADATA INBOX ", b'LIST "" * RETURN (METADATA ']),
)
def test_any_octets_are_answered(tail: bytes, head: bytes) -> None:
    """Whatever follows the verb, there is an answer or a command, and never an exception."""
    tail = tail.replace(b"{", b"(")
    log = drive(logged_in(selected=False), [b"a " + head + tail + b"\r\n", b"z NOOP\r\n"])
    assert log.tags[-1:] == [b"z"] or log.violation is not None
