"""COMPRESS=DEFLATE over real sockets: order with TLS and login, IDLE, literals, bombs, draining (RFC 4978)."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable

import pytest

from mss_gateway.dev.wire import tls
from tests.support.deflating import DeflatingImap
from tests.support.doors import Served
from tests.support.wires import Imap, literal

TEXT = b"From: a@x.example\r\nSubject: deflate\r\n\r\nhello\r\n"
Start = Callable[..., Served]


def session(door: Served, *, select: str = "") -> DeflatingImap:
    """The sample professional, compressed."""
    account = door.account("PER")
    wire = DeflatingImap(door.handout.ports.imaps, tls(door.handout))
    wire.ok(f"LOGIN {account.login} {account.password}")
    wire.compress()
    if select:
        wire.ok(f"SELECT {select}")
    return wire


@pytest.mark.req("IMP-1")
def test_commands_answers_and_messages_are_compressed(door: Served) -> None:
    """Both ways, with literals; a large message comes back byte for byte."""
    wire = session(door)
    wire.ok("CREATE deflated")
    large = TEXT + bytes(range(32, 127)) * 30_000 + b"\r\n"
    assert wire.append("deflated", large).startswith(b"OK [APPENDUID ")
    tag = wire.begin(f"APPEND deflated {{{len(TEXT)}}}")
    assert wire.response().startswith(b"+")
    wire.send(TEXT + b"\r\n")
    assert wire.until(tag)[1].startswith(b"OK")
    wire.ok("SELECT deflated")
    assert [literal(line) for line in wire.fetch("1:2", "BODY.PEEK[]")] == [large, TEXT]
    assert wire.ok("LOGOUT")[0].startswith(b"* BYE")
    assert wire.rest() == b""


@pytest.mark.req("IMP-1")
def test_announced_after_login_and_not_twice(door: Served) -> None:
    """RFC 4978 section 3: COMPRESSIONACTIVE; not before login; unknown mechanisms are refused."""
    wire = door.imap()
    assert b"COMPRESS" not in wire.greeting + wire.ok("CAPABILITY")[0]
    assert wire.ending("COMPRESS DEFLATE").startswith(b"BAD")
    account = door.account("PER")
    assert b" COMPRESS=DEFLATE" in wire.ending(f"LOGIN {account.login} {account.password}")
    assert wire.ending("COMPRESS LZMA").startswith(b"NO [CANNOT]")
    compressed = session(door)
    assert b"COMPRESS" not in compressed.ok("CAPABILITY")[0]
    assert compressed.ending("COMPRESS DEFLATE").startswith(b"NO [COMPRESSIONACTIVE]")
    assert compressed.ending("STARTTLS").startswith(b"BAD")
    compressed.ok("NOOP")


@pytest.mark.req("IMP-1")
def test_after_starttls_on_the_plain_port(door: Served) -> None:
    """TLS first, then login, then DEFLATE inside of TLS."""
    account = door.account("PER")
    wire = DeflatingImap(door.handout.ports.imap)
    wire.ok("STARTTLS")
    wire.wrap(tls(door.handout))
    wire.ok(f"LOGIN {account.login} {account.password}")
    wire.compress()
    assert wire.ok("NOOP") == []
    assert wire.socket.compression() is None  # type: ignore[attr-defined]


@pytest.mark.req("IMP-1")
def test_what_stands_behind_the_command_is_compressed(door: Served) -> None:
    """A client that does not wait for the OK is understood, and never as plain text."""
    wire = door.imap(door.account("PER"))
    codec = zlib.compressobj(9, zlib.DEFLATED, -15)
    wire.send(b"c COMPRESS DEFLATE\r\n" + codec.compress(b"n NOOP\r\n") + codec.flush(zlib.Z_SYNC_FLUSH))
    assert wire.response().startswith(b"c OK")
    peer = zlib.decompressobj(-15)
    while not wire.buffer:
        wire._more()
    assert peer.decompress(wire.buffer).startswith(b"n OK")


@pytest.mark.req("IMP-1")
def test_idle_tells_at_once_and_ends_by_one_packet(door: Served) -> None:
    """Pushes are flushed; DONE and commands behind it come in one compressed packet."""
    wire = session(door)
    wire.ok("CREATE pushed")
    wire.ok("SELECT pushed")
    other = door.imap(door.account("PER"))
    for round_ in range(1, 4):
        tag = wire.begin("IDLE")
        assert wire.response() == b"+ idling"
        other.append("pushed", TEXT)
        assert wire.response() == b"* %d EXISTS" % round_
        wire.send(b"DONE\r\nx%d NOOP\r\n" % round_)
        assert wire.until(tag)[1].startswith(b"OK")
        assert wire.until(b"x%d" % round_)[1].startswith(b"OK")


def test_many_commands_in_one_packet(door: Served) -> None:
    """More than one piece of inflated commands is answered in order without another packet."""
    wire = session(door)
    wire.send(b"".join(b"n%d NOOP\r\n" % number for number in range(20_000)))
    for number in range(20_000):
        assert wire.response().startswith(b"n%d OK" % number)


def test_nonsense_ends_the_connection(door: Served) -> None:
    """Plain text where DEFLATE is due."""
    wire = session(door)
    wire.send_raw(b"a NOOP\r\n" * 4)
    assert wire.rest() == b""


def test_a_client_that_only_reads_on(door: Served) -> None:
    """What was sent before the end is answered; then the session ends without a fault."""
    wire = session(door)
    wire.send(b"a NOOP\r\n")
    assert wire.response().startswith(b"a OK")
    socket.socket.shutdown(wire.socket, socket.SHUT_WR)
    assert wire.rest() == b""


@pytest.mark.req("IMP-1")
def test_unauthenticate_ends_it(door: Served) -> None:
    """RFC 8437 section 4.1: plain again behind the tagged OK, and COMPRESS may come again after the next login."""
    wire = session(door)
    wire.ok("UNAUTHENTICATE")
    wire.plain()
    account = door.account("PER")
    assert b" COMPRESS=DEFLATE" in wire.ending(f"LOGIN {account.login} {account.password}")
    wire.compress()
    wire.ok("SELECT INBOX")


def test_a_stopping_gateway_says_bye_compressed(special: Start) -> None:
    """BYE in the compressed stream."""
    served = special()
    wire = session(served)
    served.ask_to_stop()
    assert wire.rest().startswith(b"* BYE ")


@pytest.mark.req("IMP-1")
def test_plain_sessions_stay_plain(door: Served) -> None:
    """Compression belongs to one connection."""
    compressed, plain = session(door), door.imap(door.account("PER"))
    assert isinstance(plain, Imap)
    compressed.ok("NOOP")
    assert plain.ok("NOOP") == []


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH])
@pytest.mark.parametrize("late", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("together", [True, False])
def test_the_end_of_the_compression_may_come_behind_the_answer(
    door: Served, flush: int, late: int, together: bool
) -> None:
    """A burst gives its text before its last octets are there: these are no part of the plain command behind them."""
    account = door.account("PER")
    wire = session(door)
    codec = zlib.compressobj(9, zlib.DEFLATED, -15)
    squeezed = codec.compress(b"y UNAUTHENTICATE\r\n") + codec.flush(flush)
    wire.send_raw(squeezed[:-late])
    if late < 5:
        assert wire.response().startswith(b"y OK")
        wire.plain()
    login = f"z LOGIN {account.login} {account.password}\r\n".encode()
    for piece in (
        (squeezed[-late:] + login,) if together else (*(b"%c" % one for one in squeezed[-late:]), login)
    ):
        wire.send_raw(piece)
    if late == 5:
        assert wire.response().startswith(b"y OK")
        wire.plain()
    assert b" COMPRESS=DEFLATE" in wire.until(b"z")[1]


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])
@pytest.mark.parametrize("cut", [0, -3, 2])
def test_what_stands_behind_unauthenticate_is_plain(door: Served, flush: int, cut: int) -> None:
    """The client's compression ends behind that line, and it need not wait for the answer (RFC 8437 sections 3, 4.1);
    wherever packets begin."""
    account = door.account("PER")
    wire = session(door)
    codec = zlib.compressobj(9, zlib.DEFLATED, -15)
    squeezed = codec.compress(b"x NOOP\r\ny UNAUTHENTICATE\r\n") + codec.flush(flush)
    whole = squeezed + f"z LOGIN {account.login} {account.password}\r\n".encode()
    at = len(squeezed) + cut
    wire.send_raw(whole[:at])
    wire.send_raw(whole[at:])
    assert wire.response().startswith(b"x OK")
    assert wire.response().startswith(b"y OK")
    wire.plain()
    assert b" COMPRESS=DEFLATE" in wire.until(b"z")[1]
    wire.ok("SELECT INBOX")
