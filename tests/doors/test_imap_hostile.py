"""Bad input over real sockets: each malformed command gets BAD and the session stays in step; memory stays small.

Work is bounded by counts of octets and answers, never by a clock.
"""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections.abc import Callable, Iterator

import pytest

from mss_gateway.dev.wire import tls
from mss_gateway.net.deflate import PIECE
from mss_gateway.trust import anchors
from tests.support.deflating import DeflatingImap
from tests.support.doors import Served
from tests.support.memory import MIB, little_memory
from tests.support.wires import Imap

Start = Callable[..., Served]
BEFORE, AFTER = "before", "after"


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trust room reads its files now and then into a buffer of the largest size: not what is measured here."""
    monkeypatch.setattr(anchors, "MAX_FILE", MIB)


def session(door: Served, when: str) -> Imap:
    """A connection over TLS, before or after its login with INBOX open."""
    return door.imap() if when == BEFORE else door.imap(door.account("PER"), select="INBOX")


def last(wire: Imap) -> bytes:
    """All that the gateway said before it closed."""
    return wire.rest()


MALFORMED = [
    b"",
    b" ",
    b"\0",
    b"a\0b NOOP",
    b"x",
    b"x ",
    b"x  NOOP",
    b"x NOOP ",
    b"x NO\0OP",
    b"x NOOP\0",
    b"+ NOOP",
    b"* NOOP",
    b"(x NOOP",
    b"\xff\xfe NOOP",
    b"x \xc3\xa9",
    b"T" * 8000 + b" NOOP",
    b"x " + b"V" * 5000,
    b"x CAPABILITY {-1}",
    b"x ID {18446744073709551616}",
    b"x LOGIN {4294967296}",
    b"x LOGIN {99999999999999999999999999}",
    b"x LOGIN ~{-1}",
    b"x LOGIN {",
    b"x LOGIN }",
    b"x LOGIN {}",
    b"x LOGIN {+}",
    b"x LOGIN {1 }",
    b"x LOGIN {0x10}",
    b"x LOGIN {1-}",
    b'x LOGIN "' + b'\\"' * 2000,
    b'x LOGIN "a\0b" c',
    b"x ID " + b"(" * 4000,
    b"x ID (" + b'"a" ' * 1000 + b")",
    b"x ENABLE",
    b"x AUTHENTICATE",
    b"x LOGOUT now",
]
SELECTED = [
    b"x SEARCH " + b"(" * 60_000,
    b"x SEARCH " + b"(" * 30_000 + b"ALL" + b")" * 30_000,
    b"x SEARCH " + b"NOT " * 15_000 + b"ALL",
    b"x SEARCH " + b"OR " * 20_000 + b"ALL",
    b"x SEARCH OR",
    b"x UID",
    b"x UID UID FETCH 1 FLAGS",
    b"x FETCH 1 " + b"(" * 60_000,
    b"x FETCH 0 FLAGS",
    b"x FETCH 4294967296 FLAGS",
    b"x FETCH 18446744073709551616 FLAGS",
    b"x FETCH 1:2:3 FLAGS",
    b"x FETCH -1 FLAGS",
    b"x FETCH 1 BODY[" + b"1." * 30_000 + b"]",
    b"x FETCH 1 BODY[99999999999999999999]",
    b"x FETCH 1 BODY[]<18446744073709551616.1>",
    b"x FETCH 1 BODY[]<0.0>",
    b"x FETCH 1 BODY[HEADER.FIELDS (" + b"x " * 30_000 + b")]",
    b"x STORE 1 FLAGS (" + b"\\Seen " * 9000 + b")",
    b"x STORE 1 FLAGS (" * 2000,
    b"x LIST " + b"(" * 60_000,
    b'x LIST "" (' + b"a " * 30_000 + b")",
    b"x STATUS INBOX (" + b"MESSAGES " * 7000 + b")",
    b"x SELECT INBOX (QRESYNC (1 1 " + b"(" * 50_000,
    b"x APPEND INBOX",
    b"x APPEND INBOX (\\Seen {-1}",
    b"x APPEND INBOX {18446744073709551616}",
    b"x APPEND INBOX CATENATE (" + b"URL " * 10_000 + b")",
    b"x APPEND INBOX CATENATE " + b"(" * 60_000,
    b"x REPLACE 99999999999999999999 INBOX {3}",
    b"x COMPRESS",
]


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_every_malformed_command_gets_bad_and_the_session_stays_in_step(door: Served, when: str) -> None:
    """One answer, BAD or a NO with its reason, then the next command as if nothing had been."""
    wire = session(door, when)
    for line in MALFORMED + (SELECTED if when == AFTER else []):
        if when == BEFORE:  # malformed commands of strangers count together
            wire.close()
            wire = session(door, when)
        wire.send(line + b"\r\n")
        answer = wire.response()
        assert answer.startswith((b"* BAD ", b"x BAD ", b"x NO [", b"T" * 64)), (line[:60], answer[:100])
        assert wire.run("NOOP")[1].startswith(b"OK"), line[:60]
    wire.close()


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_ten_bad_commands_in_a_row_end_the_session(door: Served, when: str) -> None:
    """The tenth is answered and BYE follows; a good one in between forgives those of who is logged in."""
    wire = session(door, when)
    if when == AFTER:
        for _ in range(4):
            for _ in range(9):
                assert wire.ending("FOO").startswith(b"BAD")
            wire.ok("NOOP")
    for _ in range(10):
        assert wire.ending("FOO").startswith(b"BAD")
    assert wire.response() == b"* BYE Too many bad commands"
    assert last(wire) == b""


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize(
    "line",
    [
        b"a NOOP\n",
        b"a NO\rOP\r\n",
        b"a NOOP\r\r\n",
        b"\n",
        b"a LOGIN {5}\n",
        b"a LOGIN {-1+}\r\n",
        b"a LOGIN {18446744073709551616+}\r\n",
        b"a LOGIN {4294967296+}\r\n",
        b"a LOGIN {1++}\r\n",
    ],
)
def test_what_leaves_no_way_to_go_on_ends_with_bye(door: Served, when: str, line: bytes) -> None:
    """Lone CR or LF, and sizes that nobody can swallow while octets may be on their way: never a guess."""
    wire = session(door, when)
    wire.send(line + b"evil NOOP\r\n")
    said = last(wire)
    assert said.startswith(b"* BYE ")
    assert b"evil" not in said


@pytest.mark.req("IMP-1")
def test_oversized_literals_are_swallowed(door: Served) -> None:
    """30 MB that hold commands, refused before they come: nothing of them is kept or run."""
    wire = session(door, AFTER)
    chunk = b"evil LOGOUT\r\n" * 10_000
    count = 30 * MIB // len(chunk)
    with little_memory(4 * MIB):
        wire.send(b"a SELECT {%d+}\r\n" % (len(chunk) * count))
        for _ in range(count):
            wire.send(chunk)
        wire.send(b"\r\nb NOOP\r\n")
        assert wire.response().startswith(b"a BAD [TOOBIG]")
        assert wire.response().startswith(b"b OK")
    assert wire.ending("SELECT {70000}").startswith(b"BAD [TOOBIG]")
    wire.ok("NOOP")


@pytest.mark.req("IMP-1")
def test_ten_thousand_literals(door: Served) -> None:
    """Of one command: refused at the bound, the others swallowed; then the next command."""
    wire = session(door, AFTER)
    with little_memory(4 * MIB):
        wire.send(b"a SEARCH" + b" TEXT {1+}\r\nx" * 10_000 + b"\r\nb NOOP\r\n")
        assert wire.response().startswith(b"a BAD [TOOBIG]")
        assert wire.response().startswith(b"b OK")
        wire.send(b"c APPEND INBOX" + b" {1+}\r\nx" * 10_000 + b"\r\nd NOOP\r\n")
        assert wire.response().startswith(b"c NO [")
        assert wire.response().startswith(b"d OK")
        wire.send(
            b"e APPEND INBOX CATENATE (TEXT {1+}\r\nx" + b" TEXT {1+}\r\nx" * 10_000 + b")\r\nf NOOP\r\n"
        )
        assert wire.response().startswith(b"e NO [LIMIT]")
        assert wire.response().startswith(b"f OK")
    assert door.spooled == []


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("start", [b"a ", b"a LOGIN ", b"a SEARCH TEXT ", b'a LIST "" ', b"", b"a IDLE\r\n"])
def test_endless_lines_end_the_connection(door: Served, when: str, start: bytes) -> None:
    """BYE after the bound; what comes of 4 MB behind it is not kept."""
    wire = session(door, when)
    with little_memory(6 * MIB):
        wire.send(start)
        with contextlib.suppress(OSError):
            for _ in range(60):
                wire.send(b"x" * 65536)
        assert b"BYE Line too long" in last(wire)


@pytest.mark.req("IMP-1")
def test_commands_before_the_greeting(door: Served) -> None:
    """Sent with the first packet after the handshake: answered in order behind the greeting."""
    wire = Imap.__new__(Imap)
    super(Imap, wire).__init__(door.handout.ports.imaps)
    wire.wrap(tls(door.handout))
    wire.send(b"a NOOP\r\nb FOO\r\nc LOGOUT\r\n")
    assert [wire.response()[:6] for _ in range(5)] == [b"* OK [", b"a OK d", b"b BAD ", b"* BYE ", b"c OK d"]


@pytest.mark.req("ACC-1")
@pytest.mark.parametrize(
    "behind", [b"y NOOP\r\n", b"y LOGIN a b\r\n", b"y LOGIN {5+}\r\n", b"\0" * 50, b"y " + b"x" * 9000]
)
def test_nothing_behind_starttls_survives_it(door: Served, behind: bytes) -> None:
    """Whatever was injected in clear is forgotten, whole commands and half ones."""
    wire = Imap(door.handout.ports.imap)
    wire.send(b"x STARTTLS\r\n" + behind)
    assert wire.response().startswith(b"x OK")
    wire.wrap(tls(door.handout))
    assert wire.run("NOOP") == ([], b"OK done")
    wire.close()


@pytest.mark.req("IMP-1")
def test_wildcards_without_end(door: Served) -> None:
    """Long runs of `*%` are refused; as many as are taken match in time linear in names and patterns."""
    wire = session(door, AFTER)
    assert wire.ending('LIST "" ' + "*%" * 1000).startswith(b"NO [LIMIT]")
    assert wire.ending('LIST "*%*%*%*%*%*%" *%*%*%*%*%').startswith(b"OK")
    long = "n" * 380
    wire.ok(f"CREATE {long}")
    pattern = "*n" * 10 + "%n" * 10 + "x"
    assert wire.ok(f'LIST "" ({" ".join([pattern] * 15)})') == []
    wire.ok(f"DELETE {long}")


@pytest.mark.req("IMP-1")
def test_answers_of_many_commands_in_one_packet_do_not_pile_up(door: Served) -> None:
    """170 KB of commands whose answers take 60 times as much: sent as they are made, no faster than they are read."""
    wire = session(door, AFTER)
    count = 12_000
    other = session(door, AFTER)
    with little_memory(6 * MIB):
        wire.send(b"c CAPABILITY\r\n" * count)
        for _ in range(20):  # meanwhile nothing is read of the answers
            other.ok("NOOP")
        answers = taken = 0
        while answers < count:
            wire._more()
            taken += len(wire.buffer)
            answers += wire.buffer.count(b"c OK")
            wire.buffer = wire.buffer[-3:] if not wire.buffer.endswith(b"\n") else b""
    assert taken > 10 * 14 * count


def bomb(data: Iterator[bytes]) -> bytes:
    """A compressed stream."""
    codec = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join([*map(codec.compress, data), codec.flush(zlib.Z_SYNC_FLUSH)])


def compressed(door: Served) -> DeflatingImap:
    """The sample professional, compressed."""
    account = door.account("PER")
    wire = DeflatingImap(door.handout.ports.imaps, tls(door.handout))
    wire.ok(f"LOGIN {account.login} {account.password}")
    wire.compress()
    return wire


@pytest.mark.req("IMP-1")
def test_a_deflate_bomb_without_line_ends(door: Served) -> None:
    """200 MB of one line in 200 KB: over after the first pieces."""
    data = bomb(itertools.repeat(b"x" * MIB, 200))
    wire = compressed(door)
    with little_memory(4 * MIB):
        wire.send_raw(data)
        assert last(wire).startswith(b"* BYE Line too long")


@pytest.mark.req("IMP-1")
def test_a_deflate_bomb_as_a_message(door: Served) -> None:
    """A message over the limit is swallowed piece by piece, one under it goes to a file: memory stays flat."""
    wire = compressed(door)
    text = b"Subject: bomb\r\n\r\n"
    piece = b"\x20" * MIB
    small = bomb(iter([b"a APPEND INBOX {%d+}\r\n" % (len(text) + 30 * MIB), text, *[piece] * 30, b"\r\n"]))
    with little_memory(6 * MIB + 4 * PIECE):
        wire.send_raw(small)
        assert wire.response().startswith(b"a OK [APPENDUID")
    wire = compressed(door)
    large = bomb(iter([b"a APPEND INBOX {%d+}\r\n" % (100 * MIB), *[piece] * 100, b"\r\nb NOOP\r\n"]))
    with little_memory(6 * MIB):
        wire.send_raw(large)
        assert wire.response().startswith(b"a NO [TOOBIG]")
        assert wire.response().startswith(b"b OK")
    assert door.spooled == []


@pytest.mark.req("IMP-1")
def test_a_deflate_bomb_of_commands_lets_others_work(door: Served) -> None:
    """120 KB of NOOPs in one packet: another session is answered long before their end."""
    wire = compressed(door)
    other = session(door, AFTER)
    count = 15_000
    wire.send_raw(bomb(iter([b"n NOOP\r\n" * count])))
    for _ in range(5):
        other.ok("NOOP")
    answers = 0
    with little_memory(8 * MIB):
        while answers < count:
            wire._more()
            answers += wire.buffer.count(b"n OK done\r\n")
            wire.buffer = wire.buffer[wire.buffer.rfind(b"\n") + 1 :]
    assert answers == count
