"""Transfer encodings: what is well-formed decodes exactly, what is not stays visible."""

from __future__ import annotations

import base64
import quopri

from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.mail.parttable import Encoding
from mss_gateway.mail.transfer import decode_transfer


@given(st.binary(max_size=4000))
def test_well_formed_content_decodes_exactly(data: bytes) -> None:
    """Base64 in lines, quoted-printable and identity give the octets back."""
    lines = base64.encodebytes(data).replace(b"\n", b"\r\n")
    assert decode_transfer(lines, Encoding.BASE64) == data
    assert decode_transfer(quopri.encodestring(data), Encoding.QUOTED_PRINTABLE) == data
    assert decode_transfer(data, Encoding.IDENTITY) == data


@given(st.binary(max_size=400), st.sampled_from(Encoding))
def test_any_octets_are_read_without_an_exception(data: bytes, encoding: Encoding) -> None:
    """Only an unknown encoding has no answer."""
    assert (decode_transfer(data, encoding) is None) == (encoding is Encoding.UNKNOWN)


def test_a_cut_document_is_not_hidden() -> None:
    """A base64 part that lost its last characters still shows what came before."""
    whole = base64.b64encode(b"x" * 300)
    assert decode_transfer(whole[:-3], Encoding.BASE64) == b"x" * 297
