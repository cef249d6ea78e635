"""The MIME scanner: spans, sections, caps, and agreement with the standard library on well-formed mail."""

from __future__ import annotations

import base64
import email
import mmap
import quopri
import tempfile
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.imaptext import body_text, bodystructure_text
from mss_gateway.mail.message import Header, select_fields, split_message
from mss_gateway.mail.parttable import PartTable, dump_parts, find_part, load_parts
from mss_gateway.mail.prepare import prepare
from mss_gateway.mail.spans import Text
from mss_gateway.mail.structure import MAX_DEPTH, MAX_PARTS, MimePart, scan_structure
from tests.support.parts import locate


def _table(data: bytes) -> tuple[PartTable, bytes, bytes]:
    size = split_message(data)
    return load_parts(prepare(data[:size], data[size:]).structure), data[:size], data[size:]


def _section(data: bytes, section: str) -> bytes | None:
    table, header, text = _table(data)
    spans = locate(table, section)
    if spans is None:
        return None
    return b"".join((header if span.in_header else text)[span.start : span.end] for span in spans)


MIXED = (
    b"From: a@b.fr\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\npreamble\r\n--out\r\n\r\nfirst\r\n"
    b"--out\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n"
    b"Content-Type: multipart/alternative; boundary=in\r\n\r\n"
    b"--in\r\nContent-Type: text/plain\r\n\r\nplain\r\n--in\r\nContent-Type: text/html\r\n\r\n<p>\r\n--in--\r\n"
    b"--out--\r\nepilogue\r\n"
)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("1", b"first"),
        ("1.MIME", b"\r\n"),
        ("2.MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ("2.HEADER", b"Subject: in\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n"),
        ("2.1", b"plain"),
        ("2.2", b"<p>"),
        ("2.2.MIME", b"Content-Type: text/html\r\n\r\n"),
        ("2.3", None),
        ("3", None),
        ("1.1", None),
        ("1.HEADER", None),
        ("0", None),
        ("1.NONSENSE", None),
        ("", MIXED),
    ],
)
def test_sections_of_a_nested_message(section: str, expected: bytes | None) -> None:
    """Every section names exactly its octets (RFC 9051 section 6.4.5)."""
    assert _section(MIXED, section) == expected


def test_sections_of_a_plain_message() -> None:
    """A message that is no multipart has the one part 1, whose MIME header is its own."""
    data = b"Subject: x\r\n\r\nhello\r\n"
    assert _section(data, "1") == _section(data, "TEXT") == b"hello\r\n"
    assert _section(data, "1.MIME") == _section(data, "HEADER") == b"Subject: x\r\n\r\n"
    assert _section(data, "1.1") is None


def test_bodystructure_of_a_nested_message_and_its_short_form() -> None:
    """The stored form holds the extension data, BODY leaves it out, envelopes keep their blanks."""
    table, header, text = _table(MIXED)
    stored = prepare(header, text).bodystructure
    assert stored.count(b"(") == stored.count(b")")
    assert body_text(stored) == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1)("message" "rfc822" NIL NIL NIL "7bit" 184'
        b' (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
        b' (("text" "plain" NIL NIL NIL "7bit" 5 1)("text" "html" NIL NIL NIL "7bit" 3 1) "alternative") 12) "mixed")'
    ).replace(b'"7bit" 184', b'"7bit" %d' % _size(table))


def _size(table: PartTable) -> int:
    row = find_part(table, (2,))
    assert row is not None
    return row.end - row.body


def _walk(root: MimePart) -> list[MimePart]:
    found, pending = [], [root]
    while pending:
        part = pending.pop()
        found.append(part)
        pending.extend(part.children)
    return found


UGLY = {
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\na\r\n--x--\r\n",
    "boundary never used": b"Content-Type: multipart/mixed; boundary=zz\r\n\r\nhello\r\n",
    "boundary never closed": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb",
    "delimiter at the end": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x",
    "adjacent delimiters": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n--x--",
    "same boundary twice": (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/mixed; boundary=x\r\n"
        b"\r\n--x\r\n\r\na\r\n--x--"
    ),
    "prefix boundary": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--xy\r\n--x--",
    "no headers in part": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\njust text\r\n\r\nmore\r\n--x--",
    "header only part": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nX: y\r\n--x--",
    "bare LF": b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x\n\nb\n--x--\n",
    "missing semicolon": b'Content-Type: multipart/mixed boundary="x"\r\n\r\n--x\r\n\r\na\r\n--x--',
    "no type": b"Content-Type: ;;;\r\n\r\na",
    "empty": b"",
    "no empty line": b"Subject: only",
    "message cut short": b"Content-Type: message/rfc822\r\n\r\nSubject",
    "encoded message": b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdA==",
    "digest": b"Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nSubject: a\r\n\r\nb\r\n--x--",
}


def _check(data: bytes) -> MimePart:
    """The invariants of every scan."""
    size = split_message(data)
    text = data[size:]
    prepared = prepare(data[:size], text)
    root = scan_structure(Header(data[:size]), Text(text))
    parts = _walk(root)
    assert len(parts) <= MAX_PARTS
    for part in parts:
        assert 0 <= part.start <= part.body <= part.end <= len(text)
        assert part.depth <= MAX_DEPTH
        for child in part.children:
            assert part.body <= child.start <= child.end <= part.end
    dumped = dump_parts(root, size, len(text))
    assert dumped == prepared.structure
    assert len(load_parts(dumped).rows) == len(parts)
    assert prepared.bodystructure == bodystructure_text(root)
    assert prepared.bodystructure.isascii()
    assert prepared.envelope.isascii()
    assert b"\n" not in prepared.bodystructure + prepared.envelope
    short = body_text(prepared.bodystructure)
    assert short.startswith(b"(")
    assert short.endswith(b")")
    return root


@pytest.mark.parametrize("data", UGLY.values(), ids=UGLY.keys())
def test_ugly_mail_is_read(data: bytes) -> None:
    """Broken mail keeps the invariants."""
    _check(data)


def test_an_unclosed_multipart_keeps_its_last_part() -> None:
    """Without the closing delimiter the last part runs to the end."""
    assert _section(UGLY["boundary never closed"], "2") == b"b"


def test_text_without_headers_in_a_part_is_its_content() -> None:
    """Deployed software writes parts without headers (IG-MDN): nothing of the text is lost."""
    assert _section(UGLY["no headers in part"], "1") == b"just text\r\n\r\nmore"


def test_bare_line_feeds_are_understood() -> None:
    """What a client appended with LF alone still has its parts."""
    assert _section(UGLY["bare LF"], "2") == b"b"


_PIECES = st.sampled_from(
    [
        b"--x",
        b"--y",
        b"--",
        b"\r\n",
        b"\n",
        b"\r",
        b"a",
        b"Content-Type: multipart/mixed; boundary=y\r\n",
        b": ",
        b"\xff",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"From: a@b, c:;\r\n",
        b"\x00",
        b"Content-Disposition: x; y=z\r\n",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=40))
def test_any_arrangement_is_read(pieces: list[bytes]) -> None:
    """No arrangement of delimiters, headers and rubbish breaks an invariant."""
    _check(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + b"".join(pieces))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read(data: bytes) -> None:
    """Arbitrary octets break no invariant."""
    _check(data)


def _nested(levels: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels)
    )


@pytest.mark.parametrize(
    "data",
    [
        _nested(3000),
        b"Content-Type: message/rfc822\r\n\r\n" * 3000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 50_000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x--y\r\n" * 300_000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n" * 20_000,
        b"Content-Type: text/plain" + b"; a=b" * 50_000 + b"\r\n\r\nx",
        b"From: " + b"a@b.fr," * 60_000 + b"\r\n\r\nx",
        b"To: " + b"(" * 5000 + b"\r\n\r\nx",
        b"Subject: " + b"=?" * 100_000 + b"\r\n\r\nx",
        b"Subject: " + b"=?utf-8?q?a?= " * 20_000 + b"\r\n\r\nx",
        b"Subject: " + b"[a]" * 60_000 + b"\r\n\r\nx",
    ],
    ids=[
        "levels",
        "messages",
        "parts",
        "near",
        "siblings",
        "params",
        "from",
        "comments",
        "words",
        "encoded",
        "blobs",
    ],
)
def test_hostile_mail_stays_within_the_caps(data: bytes) -> None:
    """However hostile the message, parts and depth are capped and the derived texts stay in proportion."""
    _check(data)
    size = split_message(data)
    prepared = prepare(data[:size], data[size:])
    assert len(prepared.envelope) + len(prepared.bodystructure) < 4 * len(data) + 10_000


_TEXT = st.text(alphabet="abé\n -=.", max_size=80)


@settings(max_examples=60, deadline=None)
@given(_TEXT, st.lists(st.binary(max_size=200), max_size=4), st.booleans())
def test_parts_agree_with_the_standard_library(text: str, files: list[bytes], nested: bool) -> None:
    """For generated multiparts each located part has the octets that the standard library finds."""
    message = EmailMessage()
    message["From"] = "a@b.fr"
    message.set_content(text)
    for content in files:
        message.add_attachment(content, maintype="application", subtype="pdf", filename="é.pdf")
    if nested:
        inner = EmailMessage()
        inner["Subject"] = "inner"
        inner.set_content("x")
        message.add_attachment(inner)
    data = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    expected = [part for part in email.message_from_bytes(data).walk() if not part.is_multipart()]
    table, _, body = _table(data)
    leaves = [row for row in table.rows if row.kind == 0]
    assert len(leaves) == len(expected)
    for row, part in zip(leaves, expected, strict=True):
        raw = body[row.body : row.end]
        decode = {1: base64.b64decode, 2: quopri.decodestring}.get(row.encoding, bytes)
        assert decode(raw) == part.get_payload(decode=True)


def test_a_mapped_file_gives_the_same_as_bytes() -> None:
    """A text read out of a map in pieces, and at an offset, is prepared like the same octets in memory."""
    body = (
        b"--x\r\n\r\n"
        + b"line of text\r\n" * 250_000
        + b"--x\r\nContent-Type: text/plain\r\n\r\nend\r\n--x--\r\n"
    )
    header = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    with tempfile.TemporaryFile() as file:
        file.write(header + body)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert prepare(header, mapped, len(header)) == prepare(header, body)


def test_header_fields_are_selected_as_they_stand() -> None:
    """HEADER.FIELDS keeps folds and order and ends in an empty line; the opposite keeps the others."""
    block = b"A: 1\r\nB: 2\r\n 3\r\na: 4\r\n\r\n"
    assert select_fields(block, [b"a"]) == b"A: 1\r\na: 4\r\n\r\n"
    assert select_fields(block, [b"A"], others=True) == b"B: 2\r\n 3\r\n\r\n"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_splitting_is_idempotent(data: bytes) -> None:
    """The header split off splits off whole again."""
    size = split_message(data)
    assert split_message(data[:size]) == size
