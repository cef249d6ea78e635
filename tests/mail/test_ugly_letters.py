"""Ugly letters: every one is read, its sections are exact and add up, its IMAP texts can be parsed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail import spans
from mss_gateway.mail.imaptext import body_text
from mss_gateway.mail.message import split_message
from mss_gateway.mail.parttable import PartTable, load_parts
from mss_gateway.mail.prepare import Prepared, prepare
from mss_gateway.mail.preview import preview_of
from mss_gateway.mail.structure import MESSAGE, MULTIPART
from tests.support.imapvalues import is_multipart, part_numbers, read_value
from tests.support.parts import locate
from tests.support.ugly import LETTERS, forwarded, many, message, mixed, nested


class Read:
    """A letter as the store keeps it."""

    def __init__(self, letter: bytes) -> None:
        size = split_message(letter)
        self.header, self.text = letter[:size], letter[size:]
        self.prepared: Prepared = prepare(self.header, self.text)
        self.table: PartTable = load_parts(self.prepared.structure)
        self.structure: Any = read_value(self.prepared.bodystructure)

    def section(self, name: str) -> bytes | None:
        """The octets of a section."""
        found = locate(self.table, name)
        if found is None:
            return None
        return b"".join(
            (self.header if span.in_header else self.text)[span.start : span.end] for span in found
        )


def _depth(body: Any) -> int:
    return 1 + max((_depth(item) for item in body if isinstance(item, list)), default=0) if body else 0


def _check(letter: bytes) -> Read:
    """What holds for every letter whatsoever."""
    read = Read(letter)
    assert read.section("") == letter
    assert (read.section("HEADER") or b"") + (read.section("TEXT") or b"") == letter
    assert read.prepared.bodystructure.isascii()
    assert isinstance(read_value(read.prepared.envelope), list)
    assert len(read_value(read.prepared.envelope)) == 10
    short = read_value(body_text(read.prepared.bodystructure))
    paths = list(part_numbers(read.structure))
    assert [path for path, _ in part_numbers(short)] == [path for path, _ in paths]
    for path, body in paths[:300]:
        name = ".".join(map(str, path))
        octets = read.section(name)
        assert octets is not None, name
        assert read.section(name + ".MIME") is not None, name
        if not is_multipart(body):
            assert int(body[6]) == len(octets), name
    _check_message_parts(read)
    preview_of(read.header, read.table, read.text)
    return read


def _check_message_parts(read: Read) -> None:
    """A nested message is its header and its text, a part its MIME header and its content, and nothing overlaps."""
    rows = read.table.rows
    for index, row in enumerate(rows):
        if row.kind == MESSAGE:
            inner = rows[index + 1]
            assert (inner.start, inner.end) == (row.body, row.end)
        if row.kind == MULTIPART:
            children = []
            for at in range(index + 1, len(rows)):
                if rows[at].depth <= row.depth:
                    break
                if rows[at].depth == row.depth + 1:
                    children.append(rows[at])
            ends = [row.body, *(end for child in children for end in (child.start, child.end)), row.end]
            assert ends == sorted(ends)


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("name", LETTERS)
def test_every_ugly_letter_is_read_and_adds_up(name: str) -> None:
    """Sections name exactly their octets and join to the whole, sizes are those of the sections."""
    _check(LETTERS[name])


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_read_in_pieces_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in a file and is read in pieces of 7 octets has the structure of the same octets in memory."""
    letter = LETTERS[name][:3000]
    whole = Read(letter).prepared
    monkeypatch.setattr(spans, "_PIECE", 7)
    size = split_message(letter)
    assert prepare(letter[:size], memoryview(letter), size) == whole


def test_boundaries_in_continuations_are_found() -> None:
    """RFC 2231 forms of the boundary lead to the parts."""
    assert Read(LETTERS["boundary in RFC 2231 form"]).section("1") == b"a"
    assert Read(LETTERS["boundary continued"]).section("1") == b"a"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name in RFC 2231", [b"name*", b"utf-8'fr'%C3%A9t%C3%A9.pdf"]),
        ("name continued", [b"name", b"a long name.pdf"]),
        ("name continued and encoded", [b"name*", b"utf-8''%C3%A9t%C3%A9.pdf"]),
        ("type with 8-bit name", [b"name", b"=?uTF-8?Q?=C3=A9t=C3=A9=2Epdf?="]),
    ],
)
def test_names_in_bodystructure(name: str, expected: list[bytes]) -> None:
    """Continuations are joined (RFC 9051 section 7.5.2), extended values stay ASCII."""
    assert Read(LETTERS[name]).structure[2] == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (b"a*1=y; a*0=x", [b"a", b"xy"]),
        (b"a*0=x; a*2=z", [b"a", b"x"]),
        (b"a*1=y; b=c", [b"a*1", b"y", b"b", b"c"]),
        (b"a*0*=utf-8''x; a*1=\"y z\"", [b"a*", b"utf-8''xy%20z"]),
        (b"a*00=x; a**=y", [b"a*00", b"x", b"a**", b"y"]),
        (b"a*0=x; a*0=y; b=c", [b"a", b"x", b"b", b"c"]),
    ],
)
def test_continuations_that_are_odd(parameters: bytes, expected: list[bytes]) -> None:
    """Sections may come in any order; one that leads nowhere ends the row, one without a start stays."""
    assert Read(message(b"a/b; " + parameters, b"x")).structure[2] == expected


def test_extension_data() -> None:
    """MD5, disposition, language and location, in that order (RFC 9051 section 7.5.2)."""
    assert Read(LETTERS["disposition"]).structure[8:] == [
        b"Q2hlY2sgSW50ZWdyaXR5IQ==",
        [b"attachment", [b"filename", b"a.txt", b"size", b"3"]],
        [b"fr", b"en"],
        b"a.txt",
    ]


def test_a_source_route_is_told() -> None:
    """The obsolete route stands in the second place of an address (RFC 9051 section 7.5.2)."""
    envelope = read_value(Read(LETTERS["source route"]).prepared.envelope)
    assert envelope[2] == [[None, b"@x.example,@y.example", b"a", b"b.example"]]


def test_a_digest_holds_messages() -> None:
    """Parts of a digest that say nothing are messages (RFC 2046 section 5.1.5)."""
    read = Read(LETTERS["digest"])
    assert read.structure[0][:2] == [b"message", b"rfc822"]
    assert read.section("1.HEADER") == b"Subject: a\r\n\r\n"


@pytest.mark.parametrize("make", [nested, forwarded])
def test_a_hundred_levels_can_be_fetched(make: Any) -> None:
    """The innermost text of 99 levels has a part number and its octets."""
    read = _check(make(99))
    path, body = max(part_numbers(read.structure), key=lambda pair: len(pair[0]))
    assert body[0] == b"text"
    assert (read.section(".".join(map(str, path))) or b"").startswith(b"au fond")


def test_below_the_hundredth_level_is_one_opaque_part() -> None:
    """Nothing is lost below the cap: the rest is one part that can be fetched."""
    for letter in (nested(150), forwarded(150)):
        read = _check(letter)
        path, body = max(part_numbers(read.structure), key=lambda pair: len(pair[0]))
        assert body[:2] == [b"application", b"octet-stream"]
        assert b"au fond" in (read.section(".".join(map(str, path))) or b"")


def test_ten_thousand_parts() -> None:
    """The cap on parts is just above; the last part found has its octets."""
    read = _check(many(9_999))
    assert len(read.table.rows) == 10_000
    assert read.section("9999") == b"9998"


class _Counted(spans.Text):
    """Counts the octets that the scanner looks at."""

    looked = 0

    def slice(self, start: int, end: int) -> bytes:
        found = super().slice(start, end)
        type(self).looked += len(found)
        return found

    def find(self, needle: bytes, start: int, end: int) -> int:
        found = super().find(needle, start, end)
        type(self).looked += (end if found < 0 else found) - start
        return found

    def count_lines(self, start: int, end: int) -> int:
        type(self).looked += end - start
        return super().count_lines(start, end)


def _looked(letter: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("mss_gateway.mail.prepare.Text", _Counted)
    _Counted.looked = 0
    size = split_message(letter)
    prepare(letter[:size], letter[size:])
    return _Counted.looked


@pytest.mark.parametrize(
    "make",
    [
        lambda n: many(n),
        lambda n: mixed(*[b"--bx"] * n),
        lambda n: mixed(*[b"--b", b"Content-Type: multipart/mixed; boundary=c", b""] * n),
        lambda n: mixed(*[b"--b", b"X: y"] * n),
        lambda n: mixed(*[b"\n\n--b"] * n),
        lambda n: message(b"message/rfc822", *[b"Content-Type: message/rfc822", b""] * 50, b"x" * 20 * n),
    ],
    ids=["parts", "near delimiters", "opened multiparts", "headers", "bare ends", "messages"],
)
def test_twice_the_letter_is_twice_the_work(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The octets looked at grow with the letter, not with its square."""
    small, large = _looked(make(1000), monkeypatch), _looked(make(2000), monkeypatch)
    assert large < 2.2 * small + 20_000


@pytest.mark.parametrize("make", [nested, forwarded])
def test_nesting_does_not_multiply_the_work(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large text below 99 levels is searched a fixed number of times, and what is then not split is one part."""
    monkeypatch.setattr("mss_gateway.mail.structure._FREE_LOOKS", 10_000)
    tail = b"xxxxxxx\r\n" * 20_000
    letter = make(99).replace(b"au fond", tail)
    assert _looked(letter, monkeypatch) < 40 * len(letter)
    read = _check(letter)
    path, body = max(part_numbers(read.structure), key=lambda pair: len(pair[0]))
    assert body[:2] == [b"application", b"octet-stream"]
    assert tail in (read.section(".".join(map(str, path))) or b"")


_LINES = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"--c",
        b"--c--",
        b"",
        b"text",
        b"Content-Type: multipart/digest; boundary=c",
        b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=b",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/html; charset*0*=utf-8''a; charset*1=\"",
        b"Content-Transfer-Encoding: base64",
        b"Content-MD5: \xff\x00",
        b"From: <@a,@b:c@d>, e:f@g;",
        b"<p>&#x41;<!--",
        b"\xe9=\r=",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_LINES, max_size=30), st.sampled_from([b"\r\n", b"\n"]))
def test_any_lines_are_read_and_add_up(lines: list[bytes], end: bytes) -> None:
    """Whatever the order of lines, the same holds."""
    _check(mixed(*lines).replace(b"\r\n", end))
