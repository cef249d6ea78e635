"""PREVIEW's text: the first readable words of a message, whatever its form (RFC 8970)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.message import split_message
from mss_gateway.mail.parttable import load_parts
from mss_gateway.mail.prepare import prepare
from mss_gateway.mail.preview import LENGTH, READ, preview_of
from tests.support.ugly import LETTERS, message, mixed, nested


def preview(letter: bytes) -> str:
    """As the door makes it."""
    size = split_message(letter)
    header, text = letter[:size], letter[size:]
    return preview_of(header, load_parts(prepare(header, text).structure), text[:READ])


HTML = (
    b"<html><head><style>p { color: red }</style></head><body><!-- <p>hidden</p> --><script>if (a < b) {}</script>"
    b"<p class='x'>Bonjour&nbsp;Docteur&#44;</p><br/>voici l&rsquo;avis</body></html>"
)


@pytest.mark.parametrize(
    ("letter", "expected"),
    [
        (message(b"text/plain", b"Bonjour,", b"", b"\tvoici   l'avis."), "Bonjour, voici l'avis."),
        (message(b"text/html", HTML), "Bonjour Docteur, voici l\u2019avis"),
        (
            message(b"text/html\r\nContent-Transfer-Encoding: base64", base64.b64encode(HTML)),
            "Bonjour Docteur, voici l\u2019avis",
        ),
        (message(b"text/plain\r\nContent-Transfer-Encoding: quoted-printable", b"=C3=A9t=", b"=C3=A9"), "été"),
        (message(b"text/plain; charset=iso-8859-15", "à 5 €".encode("iso-8859-15")), "à 5 €"),
        (message(b"text/plain", "été".encode("cp1252")), "été"),
        (message(b"text/plain; charset=x-unknown", "été".encode()), "été"),
        (message(b"text/plain", b"> cite", b"> encore", b"oui"), "oui"),
        (message(b"text/plain", b"> cite"), "> cite"),
        (mixed(b"--b", b"Content-Type: application/pdf", b"", b"%PDF", b"--b", b"", b"le texte", b"--b--"), "le texte"),
        (mixed(b"--b", b"Content-Disposition: attachment", b"", b"joint", b"--b", b"", b"texte", b"--b--"), "texte"),
        (mixed(b"--b", b"", b"   ", b"--b", b"Content-Type: text/html", b"", b"<b>gras</b>", b"--b--"), "gras"),
        (message(b"message/rfc822", b"Subject: dedans", b"", b"texte"), "texte"),
        (message(b"application/pdf", b"%PDF"), ""),
        (message(b"text/calendar", b"BEGIN:VCALENDAR"), ""),
        (message(b"text/plain\r\nContent-Transfer-Encoding: x-odd", b"abc"), ""),
        (message(b"text/plain", "\u200b\ufeffa\u00adb\u00a0c".encode()), "ab c"),
        (message(b"text/html", b"<p>a<p"), "a"),
        (message(b"text/html", b"a < b &amp; c &lt;d&gt;"), "a < b & c <d>"),
        (b"", ""),
    ],
)  # fmt: skip
def test_previews(letter: bytes, expected: str) -> None:
    """Charsets, encodings, HTML, quotes, attachments."""
    assert preview(letter) == expected


def test_at_most_200_characters() -> None:
    """RFC 8970 section 3.2 allows 256; blanks in between are one."""
    assert preview(message(b"text/plain", ("é " * 500).encode())) == ("é " * 100).strip()
    assert preview(message(b"text/plain", b" " * 5000 + b"a" + b" " * 3000 + b"b")) == "a b"
    assert len(preview(message(b"text/plain", b"a" * 5000))) == LENGTH


def test_what_is_cut_off_in_a_character_is_still_utf8() -> None:
    """The end of what is read may fall into a character."""
    for shift in range(3):
        text = b"x" * (8 * 1024 - 1 - shift) + "€".encode() * 5
        assert preview(message(b"text/plain; charset=utf-8", text)).startswith("xxx")
    assert preview(message(b"text/plain", b" " * (8 * 1024 - 4) + "€€".encode())) == "€"


@pytest.mark.parametrize("name", LETTERS)
def test_ugly_letters_have_a_preview(name: str) -> None:
    """Never an exception, always short, never a control character, always UTF-8."""
    _check(preview(LETTERS[name]))


def _check(found: str) -> None:
    assert len(found) <= LENGTH
    assert found == found.strip()
    assert not any(ord(character) < 32 for character in found)
    found.encode()


@pytest.mark.parametrize(
    "text",
    [b"<!--" * 15_000, b"<" * 60_000, b"<style>" * 9_000, b"</style " * 9_000, b"&" * 60_000, b">\r\n" * 20_000],
    ids=["comments", "tags", "styles", "ends", "entities", "quotes"],
)  # fmt: skip
def test_hostile_html(text: bytes) -> None:
    """What would make a careless pattern take quadratic time ends at once."""
    _check(preview(message(b"text/html", text)))
    _check(preview(message(b"text/plain", text)))


def test_deep_letters() -> None:
    """The text below a hundred levels is found, or there is none."""
    assert preview(nested(90)) == "au fond"
    assert preview(nested(150)) == ""


_PIECES = st.sampled_from(
    [
        b"<p>",
        b"<!--",
        b"-->",
        b"<style",
        b"&#x110000;",
        b"&#xD800;",
        b"\xff",
        b"=",
        b"\r\n",
        b">",
        b"mot ",
        b"\0",
        "\u200b".encode(),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_PIECES, max_size=60),
    st.sampled_from([b"plain", b"html"]),
    st.sampled_from([b"utf-8", b"utf-16", b"x", b"iso-2022-jp"]),
)
def test_anything_has_a_preview(pieces: list[bytes], sub: bytes, charset: bytes) -> None:
    """No text raises."""
    _check(preview(message(b"text/" + sub + b"; charset=" + charset, b"".join(pieces))))
