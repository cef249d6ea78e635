"""Transfer encodings: what is well-formed decodes exactly, what is not stays visible."""

from __future__ import annotations

import base64
from binascii import b2a_qp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.mail.parttable import Encoding
from mss_gateway.mail.transfer import decode_transfer, decoder


@given(st.binary(max_size=4000))
def test_well_formed_content_decodes_exactly(data: bytes) -> None:
    """Base64 in lines, quoted-printable and identity give the octets back."""
    lines = base64.encodebytes(data).replace(b"\n", b"\r\n")
    assert decode_transfer(lines, Encoding.BASE64) == data
    assert decode_transfer(b2a_qp(data, istext=False), Encoding.QUOTED_PRINTABLE) == data
    assert decode_transfer(data, Encoding.IDENTITY) == data


@given(st.binary(max_size=400), st.sampled_from(Encoding))
def test_any_octets_are_read_without_an_exception(data: bytes, encoding: Encoding) -> None:
    """Only an unknown encoding has no answer."""
    assert (decode_transfer(data, encoding) is None) == (encoding is Encoding.UNKNOWN)


def test_a_cut_document_is_not_hidden() -> None:
    """A base64 part that lost its last characters still shows what came before."""
    whole = base64.b64encode(b"x" * 300)
    assert decode_transfer(whole[:-3], Encoding.BASE64) == b"x" * 297


def _in_pieces(data: bytes, encoding: Encoding, size: int) -> bytes:
    decoding = decoder(encoding)
    return b"".join(decoding.feed(data[at : at + size]) for at in range(0, len(data), size)) + decoding.end()


@given(st.binary(max_size=3000), st.integers(1, 100))
def test_pieces_of_any_size_decode_the_same(data: bytes, size: int) -> None:
    """A decoder fed in pieces gives the octets of the whole, for each encoding."""
    assert _in_pieces(base64.encodebytes(data), Encoding.BASE64, size) == data
    assert _in_pieces(data, Encoding.IDENTITY, size) == data
    assert _in_pieces(b2a_qp(data, istext=False), Encoding.QUOTED_PRINTABLE, size) == data


_QUOTED = st.lists(
    st.sampled_from(
        [
            b"=",
            b"==",
            b"=4",
            b"=41",
            b"=\r\n",
            b"=\n",
            b"= \r\n",
            b"=\r",
            b" ",
            b"\t",
            b"\r\n",
            b"\n",
            b"\r",
            b"A",
            b"=G",
            b"\xe9",
            b"\0",
        ]
    )
)


@given(_QUOTED, st.integers(1, 7))
def test_broken_quoted_printable_decodes_the_same_in_pieces(lines: list[bytes], size: int) -> None:
    """Where a piece ends makes no difference, however broken the text."""
    data = b"".join(lines)
    assert _in_pieces(data, Encoding.QUOTED_PRINTABLE, size) == _in_pieces(
        data, Encoding.QUOTED_PRINTABLE, 10**6
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a=20\r\n", b"a \r\n"),
        (b"a  \t\r\nb", b"a\r\nb"),
        (b"a=  \r\nb", b"ab"),
        (b"a=\nb", b"ab"),
        (b"50 = 50", b"50 = 50"),
        (b"a=4", b"a=4"),
        (b"a==41", b"a=A"),
        (b"=c3=A9", b"\xc3\xa9"),
        (b"a=\rb\n", b"a=\rb\n"),
        (b"a=", b"a="),
        (b"a_b", b"a_b"),
    ],
)
def test_quoted_printable(data: bytes, expected: bytes) -> None:
    """Rules 1 to 5 of RFC 2045 section 6.7; what escapes nothing stays to be seen."""
    assert decode_transfer(data, Encoding.QUOTED_PRINTABLE) == expected
    assert _in_pieces(data, Encoding.QUOTED_PRINTABLE, 1) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"QUJD", b"ABC"),
        (b"Q\r\nU J!D*", b"ABC"),
        (b"QUI=QUJD", b"AB"),
        (b"QUI", b"AB"),
        (b"QUJDQ", b"ABC"),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64_in_pieces(data: bytes, expected: bytes) -> None:
    """Foreign characters are passed over, padding ends the data, a missing end hides nothing."""
    for size in (1, 2, 3, 100):
        assert _in_pieces(data, Encoding.BASE64, size) == expected


@pytest.mark.parametrize(
    "data", [b"=" * 60_000, b" " * 60_000, b"= " * 30_000, b"=\r" * 30_000, b"A" * 60_000]
)
def test_hostile_pieces_hold_nothing_back(data: bytes) -> None:
    """However long the run, the decoder holds back less than a line."""
    decoding = decoder(Encoding.QUOTED_PRINTABLE)
    given_back = sum(len(decoding.feed(data[at : at + 1000])) for at in range(0, len(data), 1000))
    assert len(data) - given_back <= 80
