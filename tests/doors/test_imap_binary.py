"""BINARY whole (RFC 3516): decoded parts, literal8 where it must be, large parts in bounded memory."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable, Iterator

import pytest

from tests.support.doors import Served
from tests.support.wires import Imap, literal


@pytest.fixture
def box(door: Served) -> Iterator[Imap]:
    """A session with an empty mailbox in hand."""
    imap = door.imap(door.account("PER"))
    imap.run("DELETE binary")
    imap.ok("CREATE binary")
    imap.ok("SELECT binary")
    yield imap
    imap.close()


def put(imap: Imap, encoding: bytes, content: bytes, kind: bytes = b"application/octet-stream") -> None:
    """File a letter of one part."""
    head = b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n" % (kind, encoding)
    assert imap.append("binary", head + content).startswith(b"OK")
    imap.ok("NOOP")


@pytest.mark.req("IMP-1")
def test_literal8_only_for_nul(box: Imap) -> None:
    """`~` stands before the literal when NUL is among the octets that are sent, not otherwise."""
    put(box, b"base64", base64.encodebytes(b"abc\0def"))
    assert box.fetch("1", "(BINARY.PEEK[1])") == [b"* 1 FETCH (BINARY[1] ~{7}\r\nabc\0def)"]
    assert box.fetch("1", "(BINARY.PEEK[1]<0.3>)") == [b"* 1 FETCH (BINARY[1]<0> {3}\r\nabc)"]
    assert box.fetch("1", "(BINARY.PEEK[1]<2.2>)") == [b"* 1 FETCH (BINARY[1]<2> ~{2}\r\nc\0)"]
    assert box.fetch("1", "(BINARY.PEEK[1]<7.9>)") == [b"* 1 FETCH (BINARY[1]<7> {0}\r\n)"]


def test_unknown_encoding(box: Imap) -> None:
    """NO with UNKNOWN-CTE for the octets and for their size, while BODY gives them (RFC 3516 section 4.3)."""
    put(box, b"x-uuencode", b"begin 644 a\r\n")
    for item in ("BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY[1]"):
        assert box.ending(f"FETCH 1 ({item})").startswith(b"NO [UNKNOWN-CTE]"), item
    assert b"FLAGS (\\Seen)" not in b"".join(box.fetch("1", "(FLAGS)"))
    assert literal(box.fetch("1", "(BODY.PEEK[1])")[0]) == b"begin 644 a\r\n"


def test_binary_marks_seen_and_peek_and_size_do_not(box: Imap) -> None:
    """As for BODY."""
    put(box, b"7bit", b"a\r\n")
    box.fetch("1", "(BINARY.PEEK[1] BINARY.SIZE[1])")
    assert box.fetch("1", "(FLAGS)") == [b"* 1 FETCH (FLAGS ())"]
    assert b"FLAGS (\\Seen)" in box.fetch("1", "(BINARY[1])")[0]


def test_missing_parts_and_the_whole(box: Imap) -> None:
    """NIL for a part that is not there; the empty section is the message as it stands."""
    put(box, b"quoted-printable", b"=C3=A9 \r\n", b"text/plain")
    assert box.fetch("1", "(BINARY.PEEK[2])") == [b"* 1 FETCH (BINARY[2] NIL)"]
    assert literal(box.fetch("1", "(BINARY.PEEK[])")[0]).endswith(b"=C3=A9 \r\n")
    assert literal(box.fetch("1", "(BINARY.PEEK[1])")[0]) == b"\xc3\xa9\r\n"
    assert b"BINARY.SIZE[1] 4)" in box.fetch("1", "(BINARY.SIZE[1])")[0]


def test_an_encoded_container_is_not_decoded(box: Imap) -> None:
    """RFC 2045 section 6.4 allows no such encoding of a multipart: its octets are as they stand."""
    content = b"--b\r\n\r\nabcd\r\n--b--\r\n"
    put(box, b"base64", content, b"multipart/mixed; boundary=b")
    assert literal(box.fetch("1", "(BINARY.PEEK[1])")[0]) == b"abcd"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "binary"])
def test_a_large_part_in_pieces(door: Served, box: Imap, encoding: str) -> None:
    """Parts much larger than a piece come whole, in any stretch, with the size that was announced."""
    octets = (
        bytes(range(1 if encoding == "binary" else 0, 256)) * 6000
    )  # APPEND takes no NUL in the message itself
    encoders: dict[str, Callable[[bytes], bytes]] = {
        "base64": base64.encodebytes,
        "quoted-printable": quopri.encodestring,
        "binary": bytes,
    }
    encoded = encoders[encoding](octets)
    put(box, encoding.encode(), encoded)
    assert b"BINARY.SIZE[1] %d)" % len(octets) in box.fetch("1", "(BINARY.SIZE[1])")[0]
    assert literal(box.fetch("1", "(BINARY.PEEK[1])")[0]) == octets
    for start, size in ((0, 400_000), (262_143, 5), (300_000, 900_000), (len(octets) - 1, 9)):
        line = box.fetch("1", f"(BINARY.PEEK[1]<{start}.{size}>)")[0]
        assert literal(line) == octets[start : start + size]
