"""SASLprep (RFC 4013): the examples of its section 3, and what hostile texts cost."""

import stringprep
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol import saslprep as room
from mss_gateway.protocol.saslprep import saslprep


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", None),
        ("\u0627\u0031", None),
        ("a\u200bb\u3000c", "ab c"),
        ("\u0627\u0644", "\u0627\u0644"),
        ("\u0627a\u0627", None),
    ],
)
def test_examples(text: str, prepared: str | None) -> None:
    """Mapped to nothing, kept, compatibility forms, prohibited, mixed directions."""
    assert saslprep(text) == prepared


@settings(max_examples=200)
@given(st.text(max_size=12))
def test_as_the_rfc_tells_it_letter_by_letter(text: str) -> None:
    """Against the four steps of RFC 4013 section 2, done the slow way."""
    if text.isascii():
        return
    mapped = [one for one in text if not stringprep.in_table_b1(one)]
    spaced = "".join(" " if stringprep.in_table_c12(one) else one for one in mapped)
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", spaced)
    bad = any(table(one) for one in prepared for table in room._PROHIBITED)
    expected = None if bad or not room._directed(prepared) else prepared
    assert saslprep(text) == expected


@pytest.mark.req("ACC-3")
def test_a_text_that_grows_under_nfkc_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """One letter of Arabic becomes eighteen: a stranger's login of 1,020 octets must not hold the mail up."""
    asked = 0

    def counted(letter: str) -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr(room, "_PROHIBITED", (counted,))
    assert len(saslprep("\ufdfa" * 340) or "") == 18 * 340
    assert asked <= 18
