"""Folding for search, and the text of whole messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.mail.htmltext import html_to_text
from mss_gateway.mail.message import Header
from mss_gateway.mail.parttable import dump_parts
from mss_gateway.mail.plaintext import IndexText, fold_body, index_text
from mss_gateway.mail.searchtext import SEPARATOR, fold, fold_header, header_text, header_values
from mss_gateway.mail.spans import Text
from mss_gateway.mail.structure import scan_structure


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ÉLÉVATION à l’hôpital", "elevation a l'hopital"),
        ("Œdème, œil, Æthuse, ﬁn", "oedeme, oeil, aethuse, fin"),
        ("Straße STRASSE", "strasse strasse"),
        ("  deux\u00a0\t\r\n  mots\u2003x ", "deux mots x"),
        ("e\u0301te\u0301", "ete"),
        ("co\u00adupé", "coupe"),
        ("10\u201311 — 12", "10-11 - 12"),
        ("İ ŉ ǆ", "i 'n dz"),
        ("a\0b", "a b"),
        ("", ""),
    ],
)
def test_accents_case_ligatures_and_white_space_do_not_count(text: str, folded: str) -> None:
    """French as it is written, and as it is looked for."""
    assert fold(text) == folded


@given(st.text())
def test_folding_is_stable(text: str) -> None:
    """What is folded stays so; white space is single, and the separator never occurs."""
    folded = fold(text)
    assert fold(folded) == folded
    assert folded == folded.strip()
    assert "  " not in folded
    assert "\x1f" not in folded
    assert folded == folded.lower() or not folded.isascii()


@given(st.text(max_size=8), st.text(max_size=8))
def test_folding_knows_no_neighbours(one: str, other: str) -> None:
    """A text is its folded words, whatever stands beside them: an index by words rests on this."""
    assert fold(f"{one} {other}") == f"{fold(one)} {fold(other)}".strip()


def test_header_fields_are_unfolded_decoded_and_kept_apart() -> None:
    """Names in lower case, encoded words as text; no needle reaches from one field into the next."""
    header = b"Subject: =?utf-8?Q?=C3=A9t=C3=A9?=\r\n =?utf-8?Q?_beau?=\r\n"
    header += b"TO : A <a@x.example>,\r\n\tB\r\nto: C\r\nno field\r\n\r\n"
    assert fold_header(header) == "subject: ete beau \x1f to: a <a@x.example>, b \x1f to: c"
    assert [fold(header_text(value)) for value in header_values(header, "to")] == ["a <a@x.example>, b", "c"]
    assert header_values(header, "subject") == [b" =?utf-8?Q?=C3=A9t=C3=A9?=\r\n =?utf-8?Q?_beau?=\r"]
    assert header_values(header, "ubject") == []
    assert header_values(header, "é") == []


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Bon<b>jour</b></p><p>docteur&nbsp;!</p>", "Bonjour docteur !"),
        ("<style>p{color:red}</style><SCRIPT>x<y</SCRIPT ><title>t</title>vu", "vu"),
        ("a<!-- b -- > c -->d<!doctype html>e<?php 1 ?>f", "adef"),
        ("<td>1</td><td>2</td><br/>3<li>4", "1 2 3 4"),
        ("&eacute;&#233;&#xE9;&amp;lt; &inconnu; &#99999999999;", "ee" + "e&lt; &inconnu; &#99999999999;"),
        ("2 < 3 <4 <a href='x'", "2 < 3 <4"),
        ("<scripture>lu</scripture>", "lu"),
        ("<script>never closed <p>x", ""),
    ],
)
def test_html_is_reduced_to_what_is_read(html: str, text: str) -> None:
    """Markup goes, blocks part words, inline tags do not."""
    assert fold(html_to_text(html)) == text.lower()


@given(st.text(alphabet="<>!-/ascript&#x;\"' ", max_size=200))
def test_no_html_raises(html: str) -> None:
    """Whatever is between the brackets."""
    assert isinstance(html_to_text(html), str)


@pytest.mark.parametrize("piece", ["<", "<!--", "<script>", "&#", "&#9", "<a ", "</", "<style", "&amp"])
def test_hostile_html_is_read_once(piece: str) -> None:
    """A megabyte of what never ends: quadratic work would not come to an end here."""
    assert len(html_to_text(piece * (1_000_000 // len(piece)))) <= 1_000_000


def _index(message: bytes, cap: int = 1000) -> tuple[IndexText, str]:
    header, _, text = message.partition(b"\r\n\r\n")
    header += b"\r\n\r\n"
    structure = dump_parts(scan_structure(Header(header), Text(text)), len(header), len(text))
    return index_text(header, structure, text, cap), fold_body(header, structure, text)


MIXED = (
    b'Subject: s\r\nReply-To: r@x.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"=C9l=E9onore=\r\n vient\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"PGI+Zmllw6h2cmU8L2I+\r\n"
    b"--b\r\nContent-Type: application/pdf; name=\"=?utf-8?Q?r=C3=A9sultat.pdf?=\"\r\n\r\nJVBERi0xLjQ=\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: dedans\r\n\r\nnoyau\r\n"
    b"--b--\r\n"
)  # fmt: skip


@pytest.mark.req("IMP-1")
def test_texts_names_and_attached_messages_are_indexed_and_pdf_is_not() -> None:
    """Each part by its charset and encoding, file names decoded, the header of an attached message."""
    indexed, scanned = _index(MIXED)
    assert indexed.body == scanned
    assert indexed.body.split(SEPARATOR) == [
        "eleonore vient",
        "fieevre",
        "resultat.pdf",
        "subject: dedans",
        "noyau",
    ]
    assert indexed.fields == ("s", "", "", "", "", "r@x.example")
    assert not indexed.cut_body


@given(st.integers(1, 60))
def test_what_is_cut_is_a_beginning_and_is_said_to_be_cut(cap: int) -> None:
    """Nothing is indexed that is not in the text; a text that fits is never called partial."""
    indexed, scanned = _index(MIXED, cap)
    wholes = scanned.split(SEPARATOR)
    assert all(any(whole.startswith(piece) for whole in wholes) for piece in indexed.body.split(SEPARATOR))
    assert indexed.cut_body or indexed.body == scanned


def test_words_without_end_are_left_to_the_scan() -> None:
    """An index of words is no place for them; those around them are indexed."""
    indexed, scanned = _index(b"Subject: s\r\n\r\navant " + b"x" * 5000 + b" apres", 10_000)
    assert (indexed.cut_header, indexed.cut_body) == (False, True)
    assert indexed.body == "avant \x1f apres"
    assert "xxx" in scanned
