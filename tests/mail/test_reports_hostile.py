"""No octets make the reading of reports raise or grow (RCP-5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.message import MAX_HEADER, Header, split_message
from mss_gateway.mail.reports import ReportKind, ReportReading, looks_like_report, read_report

CORPUS = {
    file.stem: file.read_bytes()
    for file in sorted((Path(__file__).parents[1] / "data" / "reports").glob("*.eml"))
}
MIB = 1 << 20


def _bounded(reading: ReportReading | None) -> None:
    """Whatever came in, what goes on a timeline is short, printable and of known form."""
    if reading is None:
        return
    assert len(reading.originals) <= 20
    assert all(2 < len(one) <= 1000 for one in reading.originals)
    assert len(reading.recipients) <= 200
    for one in reading.recipients:
        assert 0 < len(one.address) <= 520
        assert len(one.action) <= 40
        assert len(one.status) <= 9
        assert len(one.diagnostic) <= 400
        assert one.diagnostic == "" or one.diagnostic.isprintable()
    assert len(reading.code) <= 20
    assert len(reading.label) <= 200
    assert len(reading.closed_address) <= 520
    if reading.disposition:
        assert len(reading.disposition.mode) <= 80
        assert len(reading.disposition.type) <= 40
        assert len(reading.disposition.modifier) <= 40


def _read(data: bytes) -> None:
    at = split_message(data)
    _bounded(read_report(data[:at], data[at:]))
    _bounded(read_report(data[:at], data[at:], sender_null=True))
    looks_like_report(Header(data[:at]), sender_null=False)


def _delete(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + data[at + len(piece) :]


def _insert(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at:]


def _overwrite(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at + len(piece) :]


def _double(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + data[at : at + 10 * len(piece)] * 3 + data[at:]


def _cut(data: bytes, at: int, _: bytes) -> bytes:
    return data[:at]


_pieces = st.one_of(
    st.binary(min_size=1, max_size=20),
    st.sampled_from(
        [b"\r\n\r\n", b"\n", b"\0", b"--limite\r\n", b"--limite--", b"=?", b"?=", b"^", b"|", b";", b"<"]
    ),
    st.sampled_from(
        [b"Content-Type: multipart/mixed; boundary=limite\r\n\r\n", b"Content-Transfer-Encoding: base64\r\n"]
    ),
    st.sampled_from(
        [b"\xff\xfe", b"\xcc\x80", b"\xed\xa0\x80", b"\\x{D800}", b"&#99999999999;", b"=E9", "é".encode()]
    ),
)
_change = st.tuples(
    st.sampled_from([_delete, _insert, _overwrite, _double, _cut]), st.floats(0, 1, exclude_max=True), _pieces
)


@pytest.mark.req("RCP-5")
@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(CORPUS)), st.lists(_change, min_size=1, max_size=6))
def test_no_mutation_of_a_report_raises(
    name: str, changes: list[tuple[Callable[[bytes, int, bytes], bytes], float, bytes]]
) -> None:
    """Octets deleted, inserted, overwritten, repeated and cut anywhere in the corpus."""
    data = CORPUS[name]
    for change, where, piece in changes:
        data = change(data, int(where * len(data)), piece)
    _read(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=2000), st.booleans())
def test_no_octets_raise(header: bytes, text: bytes, null: bool) -> None:
    """Neither do octets that never were mail."""
    _bounded(read_report(header, text, sender_null=null))
    looks_like_report(Header(header), null)


DAEMON = b"From: <mailer-daemon@x.example>\r\nAuto-Submitted: auto-replied\r\nSubject: Undelivered\r\n"
KO = b"Subject: [KO Integration systeme !]\r\n\r\n"
REPORT = DAEMON + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
HTML = DAEMON + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
PLAIN = DAEMON + b"\r\n"
STATUS = b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
NOTICE = b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
NESTED = b"".join(
    b"--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n" % (b"b" * n, b"b" * (n + 1))
    for n in range(1, 240)
)
# Each is the worst that could be thought of for one of the expressions or loops; all are about one MiB.
HOSTILE = {
    "beginnings of the sentence": (PLAIN, b"message que vous avez envoye a "),
    "sentences without an end": (PLAIN, b"message que vous avez envoye a x n'a pas pu etre distribue "),
    "open style elements": (HTML, b"<style "),
    "open tags": (HTML, b"<"),
    "endless numbers": (HTML, b"&#" + b"9" * 5000),
    "combining marks": (HTML, "\u0300\u0316".encode()),
    "combining marks in a subject": (b"Subject: " + "\u0300\u0316".encode() * 100_000 + b"\r\n\r\n", b"x"),
    "blank lines": (REPORT + STATUS, b"\r\n"),
    "recipients": (REPORT + STATUS, b"Final-Recipient: a%s@b.example\nAction: failed\n\n"),
    "fields": (REPORT + STATUS, b"A:\n"),
    "folds": (REPORT + STATUS, b"\n x"),
    "encoded words": (REPORT + NOTICE + b"Disposition: ", b"=?utf-8?Q?a?= "),
    "slashes": (REPORT + NOTICE + b"Disposition: ", b"a/"),
    "delimiters": (REPORT, b"--b\r\n\r\n"),
    "the same boundary within": (REPORT, b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"),
    "nesting": (REPORT + NESTED, b"x"),
    "delimiters to guess": (
        REPORT,
        b"--c\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--d\r\nContent-",
    ),
    "messages": (REPORT, b"--b\r\nContent-Type: message/rfc822\r\n\r\n"),
    "digits": (KO, b"9"),
    "labels": (KO, b"9^aa"),
    "labels of an acknowledgement": (
        KO[:-2] + b'Content-Type: text/plain; name="ack.hl7"\r\n\r\n',
        b"ERR|9^aa" * 200 + b"\r",
    ),
    "codes": (KO, b"902^\n"),
    "words before a code": (KO, b"code" + b" " * 10),
    "reasons": (KO, b"raison suivante : "),
    "blanks": (KO, b" "),
    "addresses": (PLAIN, b"<a@b>: x (\n"),
    "ids": (PLAIN, b"Message-ID: <a\n"),
    "soft breaks": (DAEMON + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n", b"="),
    "brackets in a subject": (b"Subject: " + b"[" * 400_000 + b"\r\n\r\n", b"x"),
    "parameters": (DAEMON + b"Content-Type: multipart/report; " + b"a=b " * 100_000 + b"\r\n\r\n", b"x"),
    "comments": (DAEMON + b"Content-Type: " + b"(" * 400_000 + b"\r\n\r\n", b"x"),
    "failed recipients": (DAEMON + b"X-Failed-Recipients: " + b"a@b, " * 90_000 + b"\r\n\r\n", b"x"),
    "references": (b"Auto-Submitted: auto-replied\r\nReferences: " + b"<a" * 200_000 + b"\r\n\r\n", b"x"),
    "a header without end": (b"X: " + b"a" * (2 * MAX_HEADER), b""),
}


@pytest.mark.req("RCP-5")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_report_is_read_within_bounds(what: str) -> None:
    """A MiB that aims at one expression or loop; a quadratic one would take minutes."""
    start, piece = HOSTILE[what]
    data = start + piece * (MIB // max(1, len(piece)))
    at = min(split_message(data), 2 * MAX_HEADER)
    _bounded(read_report(data[:at], data[at:]))
    looks_like_report(Header(data[: min(at, MAX_HEADER)]), sender_null=False)


@pytest.mark.req("RCP-5")
def test_only_the_first_mib_is_read() -> None:
    """What comes after it is delivered, and not looked at."""
    fields = b"\r\n" + STATUS + b"Final-Recipient: a@b.example\r\nAction: failed\r\n"
    near = read_report(REPORT, b"--b\r\n\r\n" + b"x" * 1000 + fields)
    far = read_report(REPORT, b"--b\r\n\r\n" + b"x" * MIB + fields)
    assert near is not None
    assert near.recipients
    assert far is not None
    assert far.kind is ReportKind.DSN
    assert not far.recipients
    assert near.recipients[0].address == "a@b.example"


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize(("levels", "read"), [(8, True), (12, False)])
def test_nesting_is_followed_ten_levels_deep(levels: int, read: bool) -> None:
    """Machine fields deeper than that are left where they are."""
    text = b"Content-Type: multipart/mixed; boundary=n0\r\n\r\n"
    for level in range(levels):
        text += b"--n%d\r\nContent-Type: multipart/mixed; boundary=n%d\r\n\r\n" % (level, level + 1)
    text += b"--n%d\r\nContent-Type: message/delivery-status\r\n\r\n" % levels
    text += b"Final-Recipient: a@b.example\r\nAction: failed\r\n"
    at = split_message(text)
    assert (read_report(text[:at], text[at:], sender_null=True) is not None) is read


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize(("others", "read"), [(40, True), (60, False)])
def test_fifty_parts_are_looked_at(others: int, read: bool) -> None:
    """A report has three parts; one after fifty others is not looked for."""
    header = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    text = b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * others + STATUS
    text += b"Final-Recipient: a@b.example\r\nAction: failed\r\n--b--\r\n"
    assert (read_report(header, text, sender_null=True) is not None) is read
