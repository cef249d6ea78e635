"""Comparators: their names, COMPARATOR on the wire, and what i;unicode-casemap finds (RFC 5255, RFC 5051, RFC 4790)."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.searchtext import fold
from mss_gateway.protocol.imap import searchkeys as k
from mss_gateway.protocol.imap.casemapped import folded_part
from mss_gateway.protocol.imap.collation import casemap
from mss_gateway.protocol.imap.commands import Search
from mss_gateway.protocol.imap.comparators import DEFAULT, Comparator, compared, is_pattern, matching
from mss_gateway.protocol.imap.cursor import Cursor, Malformed
from mss_gateway.protocol.imap.grammar import parse
from mss_gateway.protocol.imap.grammar_comparator import comparator, comparator_line
from mss_gateway.protocol.imap.headeronly import HeaderOnly
from mss_gateway.protocol.imap.matching import compile_search

CASEMAP, FOLD = Comparator.CASEMAP, Comparator.FOLD


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["cz;*", "i;unicode-casemap"], [CASEMAP]),
        (["default"], [FOLD]),
        (["DEFAULT"], [FOLD]),
        (["*"], [CASEMAP, FOLD]),
        (["default", "*"], [FOLD, CASEMAP]),
        (["I;Unicode-*"], [CASEMAP]),
        (["+i;unicode-casemap"], [CASEMAP]),
        (["-i;unicode-casemap"], []),
        (["*;fold"], [FOLD]),
        (["vnd-*"], [FOLD]),
        (["v*gate*d"], [FOLD]),
        (["i;basic", "i;octet"], []),
        (["i;unicode"], []),
        (["i.unicode-casemap"], []),
        ([], []),
    ],
)
@pytest.mark.req("IMP-1")
def test_what_patterns_match(patterns: list[str], found: list[Comparator]) -> None:
    """In the order of the client's wishes; of several for one pattern the widely useful first."""
    assert all(map(is_pattern, patterns))
    assert matching(patterns) == found


@pytest.mark.parametrize(
    "text", ["", "**", "i;**", "1;x", "i,x", "i;\u00e9", "--i;x", "+", "a" * 255, " i;x"]
)
def test_what_is_no_pattern(text: str) -> None:
    """RFC 4790 section 3: refused as an invalid argument."""
    assert not is_pattern(text)


def test_the_command_on_the_wire() -> None:
    """Atoms, quoted strings and literals; none, or several."""
    assert comparator(Cursor([b""])).patterns == ()
    assert comparator(Cursor([b' "cz;*" i;basic'])).patterns == ("cz;*", "i;basic")
    assert comparator(Cursor([b" ", b" default"], [b"i;basic"])).patterns == ("i;basic", "default")
    for line in (b" ", b" *", b' "**"', b" i;x ", b' ""', b" (i;x)", b" i;x" * 101):
        with pytest.raises(Malformed):
            parse("COMPARATOR", Cursor([line]))


def test_the_answer_on_the_wire() -> None:
    """RFC 5255 section 4.8: the list stands there only when several match."""
    assert comparator_line(CASEMAP, [CASEMAP]) == b"* COMPARATOR i;unicode-casemap\r\n"
    assert comparator_line(DEFAULT, []) == b"* COMPARATOR vnd-mss-gateway;fold\r\n"
    assert comparator_line(FOLD, [FOLD, CASEMAP]) == (
        b"* COMPARATOR vnd-mss-gateway;fold (vnd-mss-gateway;fold i;unicode-casemap)\r\n"
    )


def test_which_keys_a_comparator_changes() -> None:
    """All that look for text, at any depth, but what is below FUZZY; nothing for the default one."""
    command = parse(
        "SEARCH",
        Cursor(
            [b" OR (FROM a NOT BODY b) SUBJECT c FUZZY (TEXT d HEADER X e) TEXT f CC g BCC h TO i UNSEEN"]
        ),
    )
    assert isinstance(command, Search)
    assert compared(command.key, FOLD) is command.key
    told = {
        node.text: node.accents
        for node in k.walk(compared(command.key, CASEMAP))
        if isinstance(node, k.TEXTS)
    }
    assert told == {**dict.fromkeys("abcfghi", True), "d": False, "e": False}


class Letter(HeaderOnly):
    """A message with a body."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__(
            "Subject: Bilan\r\n\tÉlectrolytes\r\nFrom:Zoé <zoe@example.org>\r\nX-A:\r\n\r\n".encode()
        )
        self.text = text

    def texts(self) -> str:
        """Folded."""
        return fold(self.text)

    def unfolded(self) -> Iterator[str]:
        """As written, in two parts."""
        return iter((self.text, "pièce.pdf"))


def _holds(key: k.SearchKey, text: str) -> bool:
    return compile_search(key, last_number=1, last_uid=1)(Letter(text))


@pytest.mark.parametrize(
    ("text", "needle", "casemapped", "folded"),
    [
        ("é", "É", True, True),
        ("e\u0301", "É", True, True),
        ("résumé", "résumé", True, True),
        ("résumé", "RÉSUME", True, True),
        ("résumé", "resume", False, True),
        ("resume", "résumé", False, True),
        ("straße", "STRASSE", False, True),
        ("straße", "STRAßE", True, True),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ", True, True),
        ("ﬁn", "FIN", False, True),
        ("cœur", "CŒUR", True, True),
        ("cœur", "coeur", False, True),
        ("l’os", "l'os", False, True),
        ("ǆ", "ǅ", True, True),
        ("sırt", "SIRT", True, False),
        ("\u1fb3", "\u1fbc", True, True),
        ("a  b", "a b", False, True),
        ("a\r\nb", "a b", False, True),
        ("a\u00a0b", "a b", True, True),
        ("tension", "zz", False, False),
        ("one", "pièce", True, False),
        ("", "", True, True),
    ],
)
@pytest.mark.req("IMP-1")
def test_bodies(text: str, needle: str, casemapped: bool, folded: bool) -> None:
    """RFC 5051: one character's title case, taken apart to the end; then octets are compared."""
    for key in (k.BodyHas(needle), k.TextHas(needle)):
        assert _holds(key, text) is folded
        assert _holds(compared(key, CASEMAP), text) is casemapped
        assert _holds(compared(k.Not(key), CASEMAP), text) is not casemapped
        assert _holds(compared(k.Fuzzy(key), CASEMAP), text) is folded


@pytest.mark.parametrize(
    ("key", "casemapped"),
    [
        (k.HeaderHas("subject", "bilan\télec"), True),
        (k.HeaderHas("subject", "bilan élec"), False),
        (k.HeaderHas("subject", "ELEC"), False),
        (k.HeaderHas("from", "ZOÉ <"), True),
        (k.HeaderHas("from", " zo"), False),
        (k.HeaderHas("x-a", ""), True),
        (k.HeaderHas("x-b", ""), False),
        (k.TextHas("FROM: zoé"), True),
        (k.TextHas("from: zoe <"), False),
        (k.TextHas("example.org>x"), False),
        (k.HeaderHas("from", "\u0301"), True),
        (k.HeaderHas("x-a", "\u0301"), False),
        (k.And((k.TextHas("Electrolytes"), k.BodyHas("nothing"))), False),
        (k.Or(k.TextHas("ZOE@"), k.BodyHas("nothing")), True),
    ],
)
def test_headers(key: k.SearchKey, casemapped: bool) -> None:
    """White space counts as unfolding leaves it; fields have no white space at their ends."""
    assert _holds(compared(key, CASEMAP), "text") is casemapped


def test_every_character_folds_as_its_compared_form_but_two() -> None:
    """What lets the index sift for i;unicode-casemap: folding forgets more, whatever Unicode adds."""
    others = {}
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in ("Cn", "Co", "Cs"):
            continue
        folded, mapped = fold(f"a{char}b"), casemap(f"a{char}b")
        assert not any(map(unicodedata.combining, folded)), hex(code)
        if folded != fold(mapped):
            others[char] = mapped[1:-1]
    assert others == {"\u0131": "I", "\u0345": "\u0399"}


def test_the_part_for_the_index() -> None:
    """Without i and iota, without white space at its ends; nothing when nothing is sure."""
    assert folded_part("Créatinine") == "creat"
    assert folded_part(" Élan vital") == "elan v"
    assert folded_part("Σίσυφος") == "συφοσ"
    assert folded_part("iI\u0131") == folded_part(" ") == folded_part("\u0301") == folded_part("") == ""


_ALPHABET = st.sampled_from(
    [*"aeiIz .-\t\n'0", *"éÉœßﬁǆıİſ\u0345\u0301\u1fb3ιΙσςΣ\u00ad\u00a0’\u200b\x1f\0한각"]
)


@given(st.text(_ALPHABET, max_size=14), st.data())
@settings(max_examples=400)
def test_casemap_finds_no_more_than_the_part(text: str, data: st.DataObject) -> None:
    """Whatever i;unicode-casemap finds, the index finds by the part; by the whole where no such two characters are."""
    forms: list[Callable[[str], str]] = [str, str.upper, str.title, str.swapcase, casemap]
    written = data.draw(st.sampled_from(forms))(text)
    start = data.draw(st.integers(0, len(written)))
    needle = written[start : data.draw(st.integers(start, len(written)))]
    if casemap(needle) not in casemap(text):
        return
    assert folded_part(needle) in fold(text)
    if not {"\u0131", "\u0345"}.intersection(text + needle):
        assert fold(needle) in fold(text)
