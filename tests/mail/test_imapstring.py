"""IMAP strings for both kinds of clients: ASCII with encoded words, or UTF-8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.mail.imapstring import quoted, utf8_form
from mss_gateway.mail.words import decode_words
from tests.support.imapvalues import read_value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=200))
def test_text_comes_back_as_utf8(text: str) -> None:
    """What was encoded for rev1 reads the same in both forms."""
    stored = quoted(text.encode())
    assert stored.isascii()
    assert read_value(utf8_form(stored)) == text.encode()
    if not text.isascii():
        assert decode_words(read_value(stored)) == text


@given(st.binary(max_size=200))
def test_any_octets_stay_one_quoted_string(data: bytes) -> None:
    """No octets open or close a string, in either form."""
    for form in (quoted(data), utf8_form(quoted(data))):
        assert form.startswith(b'"')
        assert form.endswith(b'"')
        assert not any(octet in form for octet in (b"\0", b"\r", b"\n"))
        form.decode("utf-8")
        assert quoted(read_value(form)).isascii()


@pytest.mark.parametrize(
    "word", [b"=?uTF-8?Q?=22=5C=0D=0A=00?=", b"=?uTF-8?B?IlwNCgA=?=", b"=?uTF-8?Q?=FF?=", b"=?uTF-8?B?A?="]
)
def test_a_forged_word_does_no_harm(word: bytes) -> None:
    """Somebody who spells as we do gets his text shown, and no way out of the string."""
    form = utf8_form(quoted(word))
    assert isinstance(read_value(form), bytes)
    assert not any(octet in form for octet in (b"\0", b"\r", b"\n"))
    form.decode("utf-8")
