"""FETCH of sections: byte exact against the standard library's own parser, and large texts in pieces."""

from __future__ import annotations

import binascii
import quopri
from email import message_from_bytes
from email.message import Message

import pytest

from tests.support.doors import Served
from tests.support.letters import letter
from tests.support.wires import Imap, literal

INNER = (
    b"From: <a@b.example>\r\nSubject: inside\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="in"\r\n\r\n'
    b"--in\r\nContent-Type: text/plain\r\n\r\nplain inside\r\n"
    b"--in\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<p>=C3=A9t=C3=A9</p>=\r\n more\r\n--in--\r\n"
)
NESTED = (
    b"From: <a@b.example>\r\nTo: <c@d.example>\r\nSubject: =?utf-8?Q?nest=C3=A9?=\r\n folded\r\n"
    b"X-Twice: 1\r\nX-Twice: 2\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="out"\r\n\r\npreamble\r\n'
    b"--out\r\n\r\nfirst without header\r\n"
    b"--out\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + b"\r\n"
    b"--out\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + binascii.b2a_base64(bytes(range(256)) * 3, newline=False)
    + b"\r\n--out--\r\nepilogue\r\n"
)


@pytest.fixture
def nested(door: Served) -> Imap:
    """A session whose mailbox holds the nested message alone."""
    imap = door.imap(door.account("PER"))
    imap.run("DELETE sections")
    imap.ok("CREATE sections")
    assert imap.append("sections", NESTED).startswith(b"OK")
    imap.ok("SELECT sections")
    return imap


def section(imap: Imap, name: str) -> bytes:
    """One section's octets."""
    return literal(imap.fetch("1", f"(BODY.PEEK[{name}])")[0])


def part(*path: int) -> Message:
    """The same part as the standard library finds it."""
    found: Message = message_from_bytes(NESTED)
    for number in path:
        inner = found.get_payload()
        if found.get_content_type() == "message/rfc822":
            assert isinstance(inner, list)
            found = inner[0]
            inner = found.get_payload()
        assert isinstance(inner, list)
        found = inner[number - 1]
    return found


def text_of(message: Message) -> bytes:
    """The undecoded text of a part, line ends as sent."""
    payload = message.get_payload()
    assert isinstance(payload, str)
    return payload.encode("ascii", "surrogateescape")


def test_whole_header_and_text(nested: Imap) -> None:
    """BODY[], HEADER and TEXT join to the stored octets; RFC822.SIZE is their length."""
    assert section(nested, "") == NESTED
    head, _, text = NESTED.partition(b"\r\n\r\n")
    assert section(nested, "HEADER") == head + b"\r\n\r\n"
    assert section(nested, "TEXT") == text
    assert b"RFC822.SIZE %d" % len(NESTED) in nested.fetch("1", "(RFC822.SIZE)")[0]
    assert literal(nested.fetch("1", "(RFC822.HEADER)")[0]) == head + b"\r\n\r\n"
    nested.close()


def test_parts_are_those_of_the_standard_library(nested: Imap) -> None:
    """Leaves at every depth."""
    for path in ((1,), (2, 1), (2, 2), (3,)):
        name = ".".join(map(str, path))
        assert section(nested, name) == text_of(part(*path)), name
    assert section(nested, "2") == INNER
    assert section(nested, "2.HEADER") == INNER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert section(nested, "2.TEXT") == INNER.partition(b"\r\n\r\n")[2]
    assert section(nested, "2.2.MIME") == (
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    assert b"BODY[4] NIL" in nested.fetch("1", "(BODY.PEEK[4])")[0]
    nested.close()


def test_partials_are_slices(nested: Imap) -> None:
    """`<start.length>` anywhere, over the end too, with the origin in the label."""
    for start, size in ((0, 10), (5, 200), (len(NESTED) - 3, 100), (len(NESTED) + 5, 10), (100, 1)):
        (line,) = nested.fetch("1", f"(BODY.PEEK[]<{start}.{size}>)")
        assert b"BODY[]<%d> {" % start in line
        assert literal(line) == NESTED[start : start + size]
    (line,) = nested.fetch("1", "(BODY.PEEK[2.TEXT]<3.20>)")
    assert literal(line) == INNER.partition(b"\r\n\r\n")[2][3:23]
    nested.close()


def test_header_fields(nested: Imap) -> None:
    """Chosen fields in their own order and folding, any case; and all but those."""
    chosen = section(nested, "HEADER.FIELDS (SUBJECT x-twice Absent)")
    assert chosen == (b"Subject: =?utf-8?Q?nest=C3=A9?=\r\n folded\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n")
    others = section(nested, "HEADER.FIELDS.NOT (Subject X-Twice Content-Type)")
    assert others == b"From: <a@b.example>\r\nTo: <c@d.example>\r\nMIME-Version: 1.0\r\n\r\n"
    assert section(nested, "2.HEADER.FIELDS (Subject)") == b"Subject: inside\r\n\r\n"
    nested.close()


def test_binary_is_decoded(nested: Imap) -> None:
    """BINARY and BINARY.SIZE of base64 and quoted-printable (RFC 3516)."""
    octets = bytes(range(256)) * 3
    (line,) = nested.fetch("1", "(BINARY.SIZE[3] BINARY.PEEK[3])")
    assert b"BINARY.SIZE[3] %d " % len(octets) in line
    assert b"~{%d}" % len(octets) in line
    assert literal(line) == octets
    (line,) = nested.fetch("1", "(BINARY.PEEK[2.2])")
    assert literal(line) == quopri.decodestring(text_of(part(2, 2)))
    assert literal(nested.fetch("1", "(BINARY.PEEK[3]<250.10>)")[0]) == octets[250:260]
    nested.close()


def test_seen_is_set_without_peek_and_told(nested: Imap) -> None:
    """BODY[] sets \\Seen and says so in the same line; PEEK and the header do not."""
    assert b"FLAGS" not in nested.fetch("1", "(BODY.PEEK[] RFC822.HEADER)")[0]
    (line,) = nested.fetch("1", "(UID BODY[TEXT])")
    assert line.startswith(b"* 1 FETCH (UID 1 BODY[TEXT] {")
    assert line.endswith(b" FLAGS (\\Seen))")
    assert nested.ok("NOOP") == []
    nested.close()


def test_macros_and_structures(nested: Imap) -> None:
    """ALL, FAST, FULL; BODY without extension data is BODYSTRUCTURE's beginning."""
    (line,) = nested.fetch("1", "FULL")
    for item in (b"FLAGS (", b"INTERNALDATE ", b"RFC822.SIZE ", b"ENVELOPE (", b"BODY ("):
        assert item in line
    (line,) = nested.fetch("1", "(BODYSTRUCTURE)")
    assert b'"MIXED" ("BOUNDARY" "out")' in line.replace(b'"mixed"', b'"MIXED"').replace(
        b'"boundary"', b'"BOUNDARY"'
    )
    nested.close()


def test_many_messages_in_one_fetch_keep_their_octets(door: Served) -> None:
    """Batches with small and large texts in between, in order."""
    imap = door.imap(door.account("PER"))
    imap.run("DELETE many")
    imap.ok("CREATE many")
    sent = []
    for number in range(70):
        size = 100_000 if number % 20 == 7 else 50
        octets = letter(text=b"%03d " % number * (size // 4) + b"\r\n")
        assert imap.append("many", octets).startswith(b"OK")
        sent.append(octets)
    imap.ok("SELECT many")
    lines = imap.fetch("1:*", "(UID BODY.PEEK[])")
    assert [literal(line) for line in lines] == sent
    lines = imap.fetch("1:*", "(BODY.PEEK[TEXT])")
    assert [literal(line) for line in lines] == [octets.partition(b"\r\n\r\n")[2] for octets in sent]
    imap.close()
