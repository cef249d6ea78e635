"""URLs of CATENATE: what names a message on this server, and what is refused (RFC 4469, RFC 5092)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap.fetchitems import SectionText
from mss_gateway.protocol.imap.urls import MessageUrl, parse_url


@pytest.mark.parametrize(
    ("url", "box", "validity", "uid"),
    [
        (b"/Drafts;UIDVALIDITY=385759045/;UID=20", "Drafts", 385759045, 20),
        (b"/inbox/;uid=1", "INBOX", None, 1),
        (
            b"/Shared/cab%40hopital.example/INBOX/;UID=4294967295",
            "Shared/cab@hopital.example/INBOX",
            None,
            4294967295,
        ),
        (b"/%C3%89t%C3%A9/x;UIDVALIDITY=1/;UID=2", "Été/x", 1, 2),
        (b"/;UID=7", None, None, 7),
        (b";UID=7", None, None, 7),
    ],
)
def test_messages(url: bytes, box: str | None, validity: int | None, uid: int) -> None:
    """A mailbox in percent-encoded UTF-8, or the one in hand."""
    found = parse_url(url)
    assert (found.mailbox, found.uid_validity, found.uid) == (box, validity, uid)
    assert (found.section.part, found.section.text) == ((), SectionText.WHOLE)


def test_sections_and_parts() -> None:
    """Part numbers, HEADER, fields, MIME; a stretch with and without its length."""
    found = parse_url(b"/x/;UID=1/;SECTION=1.2.MIME/;PARTIAL=0.1024")
    assert (found.section.part, found.section.text) == ((1, 2), SectionText.MIME)
    assert (found.offset, found.length) == (0, 1024)
    found = parse_url(b"/x/;UID=1/;section=HEADER.FIELDS%20(To%20From)/;partial=10")
    assert found.section.fields == ("to", "from")
    assert (found.offset, found.length) == (10, None)


@pytest.mark.parametrize(
    "url",
    [
        b"",
        b"/Drafts",
        b"/Drafts;UID=x",
        b"imap://mail.example/Drafts/;UID=1",
        b"imap://user@mail.example/INBOX/;uid=20/;section=1.2;urlauth=anonymous:internal:91354a473744909de610943775f92038",
        b"/x/;UID=1/;SECTION=",
        b"/x/;UID=1/;SECTION=HEADER.FIELDS",
        b"/x/;UID=1/;SECTION=1]",
        b"/x/;UID=1/;SECTION=1%5D%20BODY%5B2",
        b"/x/;UID=1/;SECTION=1<0.5>",
        b"/x/;UID=1/;SECTION=BINARY",
        b"/x/;UID=1/;PARTIAL=0.0",
        b"/x/;UID=1/;PARTIAL=-1.5",
        b"/%ZZ/;UID=1",
        b"/%FF/;UID=1",
        b"/x;UIDVALIDITY=99999999999/;UID=1",
    ],
)
def test_what_names_nothing_here(url: bytes) -> None:
    """Other servers, authorised URLs, bad sections and bad escapes raise ValueError."""
    with pytest.raises(ValueError):
        parse_url(url)


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [b"/", b";UID=", b"1", b"%", b"41", b";SECTION=", b"HEADER", b"/;PARTIAL=", b".", b"x"]
        )
    )
)
def test_nothing_but_value_error(parts: list[bytes]) -> None:
    """Any octets give a URL or ValueError."""
    with contextlib.suppress(ValueError):
        assert isinstance(parse_url(b"".join(parts)), MessageUrl)
