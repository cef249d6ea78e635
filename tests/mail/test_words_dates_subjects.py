"""Encoded words, dates, base subjects, MIME parameters and IMAP strings."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.dates import format_date, parse_date
from mss_gateway.mail.imapstring import host, quoted
from mss_gateway.mail.imaptext import envelope_of
from mss_gateway.mail.message import Header
from mss_gateway.mail.mime import decoded_parameter, parse_content_type, parse_disposition
from mss_gateway.mail.subject import base_subject
from mss_gateway.mail.words import decode_words


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("é".encode(), "é"),
        (b"\xe9", "é"),
        (b"=?iso-8859-1?Q?=E9t=E9?=", "été"),
        (b"=?utf-8?b?w6k=?= =?utf-8?b?w6k=?=", "éé"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"=?utf-8?b?ww==?= =?utf-8?b?qQ==?=", "é"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?q?a?=b=?utf-8?q?c?=", "abc"),
        (b"=?windows-1252?q?=80?=", "€"),
        (b"=?utf-8?q?a b?=", "=?utf-8?q?a b?="),
        (b"=?nope?q?a?=", "=?nope?q?a?="),
        (b"=?idna?q?a?=", "=?idna?q?a?="),
        (b"=?utf-8?b?w6k=x?=", "=?utf-8?b?w6k=x?="),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q?a", "=?utf-8?q?a"),
        (b"=?utf-8?q?=C3?=", "\ufffd"),
    ],
)
def test_encoded_words(raw: bytes, text: str) -> None:
    """Good words are decoded, broken ones stay."""
    assert decode_words(raw) == text


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"=?",
                b"?=",
                b"utf-8",
                b"?q?",
                b"?b?",
                b"hz",
                b"iso-2022-jp",
                b" ",
                b"=C3",
                b"\xff",
                b"A",
                b"~{",
            ]
        )
    )
)
def test_any_arrangement_of_words_is_text(pieces: list[bytes]) -> None:
    """Nothing raises."""
    decode_words(b"".join(pieces))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Sat, 21 Nov 2026 06:37:32 +0100", 1795239452),
        (b"21 Nov 2026 05:37:32 GMT", 1795239452),
        (b"21 Nov 26 05:37 UT", 1795239420),
        (b"Sat, 21 Nov 2026 06:37:32 CET", 1795239452),
        (b"Sat, 21 Nov 2026 00:37:32 -0500 (EST)", 1795239452),
        (b"Sat (x), 21 (y) Nov 2026 05:37:32 +0000", 1795239452),
        (b"Sat Nov 21 05:37:32 2026", 1795239452),
        (b"Thu, 1 Jan 70 00:00:00 +0000", 0),
        (b"31 Feb 2026 00:00:00 +0000", None),
        (b"21 Xyz 2026 00:00:00 +0000", None),
        (b"21 Nov 2026 25:00:00 +0000", None),
        (b"yesterday", None),
        (b"", None),
        (b"(" * 5000, None),
    ],
)
def test_dates(raw: bytes, expected: int | None) -> None:
    """Well-formed, obsolete and broken dates."""
    assert parse_date(raw) == expected


def in_zone(minutes: int) -> timezone:
    """A zone so far east of UTC: a date in mail has no other."""
    return timezone(timedelta(minutes=minutes))


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        datetime.fromtimestamp, st.integers(31_536_000, 3_786_912_000), st.integers(-1439, 1439).map(in_zone)
    )
)
def test_dates_agree_with_the_standard_library(moment: datetime) -> None:
    """What the standard library writes is read as it reads it; what we write comes back."""
    text = format_datetime(moment)
    at = parse_date(text.encode())
    assert at == parsedate_to_datetime(text).timestamp()
    assert at is not None
    assert parse_date(format_date(at, 330).encode()) == at


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_octets_are_a_date_or_none(raw: bytes) -> None:
    """Nothing raises."""
    parse_date(raw)


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Hello", "Hello"),
        ("Re: Hello", "Hello"),
        ("RE: Fwd:  re[2]: Hello (fwd)", "Hello"),
        ("[list] Re: Hello", "Hello"),
        ("[list]", "[list]"),
        ("[FIN]", "[FIN]"),
        ("[Fwd: Re: Hello]", "Hello"),
        ("Re:", ""),
        ("  a \t b ", "a b"),
        ("", ""),
    ],
)
def test_base_subject(subject: str, base: str) -> None:
    """The steps of RFC 5256 section 2.1."""
    assert base_subject(subject) == base


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["re", ":", "[", "]", "fwd", "(fwd)", " ", "x", "[fwd:"])).map("".join))
def test_base_subject_is_stable(subject: str) -> None:
    """Taking the base twice changes nothing."""
    assert base_subject(base_subject(subject)) == base_subject(subject)


def test_parameters() -> None:
    """Quoted, bare, without semicolon, with RFC 2231 forms."""
    typed = parse_content_type(b'Text/HTML; charset="utf-8" name=a.txt; x="a\\"b"')
    assert typed == (b"text", b"html", ((b"charset", b"utf-8"), (b"name", b"a.txt"), (b"x", b'a"b')))
    named = parse_disposition(b"attachment; filename*0*=utf-8''%C3%A9; filename*1=.pdf")
    assert named is not None
    assert decoded_parameter(named, b"filename") == "é.pdf"
    assert named.parameters[0][0] == b"filename*0*"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_any_octets_are_a_type(value: bytes) -> None:
    """Nothing raises."""
    decoded_parameter(parse_content_type(b"a/b;" + value), b"name")
    parse_disposition(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"a", b'"a"'),
        (b'a"\\', b'"a\\"\\\\"'),
        (b"a\x00\rb", b'"a??b"'),
        ("é".encode(), b'"=?uTF-8?Q?=C3=A9?="'),
        (b"", b'""'),
    ],
)
def test_imap_strings(value: bytes, text: bytes) -> None:
    """Always quoted, always ASCII."""
    assert quoted(value) == text


def test_international_domains_in_envelopes() -> None:
    """A domain in UTF-8 is shown as its A-label."""
    assert host("é.fr".encode()) == b'"xn--9ca.fr"'


def test_envelope() -> None:
    """Sender and Reply-To default to From; absent fields are NIL, empty ones empty."""
    assert envelope_of(Header(b"Subject:\r\nFrom: A <a@b.fr>\r\nTo: g: c@d.fr;\r\n\r\n")) == (
        b'(NIL "" (("A" NIL "a" "b.fr")) (("A" NIL "a" "b.fr")) (("A" NIL "a" "b.fr"))'
        b' ((NIL NIL "g" NIL)(NIL NIL "c" "d.fr")(NIL NIL NIL NIL)) NIL NIL NIL NIL)'
    )
