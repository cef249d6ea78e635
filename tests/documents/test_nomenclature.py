"""Types of documents by code and by word."""

from __future__ import annotations

import pytest

from mss_gateway.documents.nomenclature import find_type, search_types, types
from mss_gateway.documents.oids import LOINC, TYPES_BESIDE_LOINC

pytestmark = pytest.mark.req("INS-6")


def test_codes_are_unique_and_loinc_codes_have_their_check_digit() -> None:
    """The last digit of a LOINC code is its Luhn-like check digit (mod 10)."""
    codes = [one.code for one in types()]
    assert len(codes) == len(set(codes))
    for one in types():
        if one.system == LOINC:
            number, _, check = one.code.partition("-")
            doubled = str(int(number[::-1][::2]) * 2)
            total = sum(map(int, doubled)) + sum(map(int, number[::-1][1::2]))
            assert -total % 10 == int(check), one.code
        else:
            assert one.system == TYPES_BESIDE_LOINC


@pytest.mark.parametrize("code", ["11502-2", "18748-4", "34112-3", "15508-5", "PRESC-BIO", " presc-bio "])
def test_the_types_that_are_met_most_are_known(code: str) -> None:
    """Those that the reference names (domain 16.3)."""
    found = find_type(code)
    assert found is not None
    assert found.code == code.strip().upper()


def test_an_unknown_code_is_unknown() -> None:
    """None, and no guess."""
    assert find_type("0000-0") is None
    assert search_types("zzz") == []


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("imagerie", "18748-4"),
        ("IMAGERIE MEDICALE", "18748-4"),
        ("médicale imagerie", "18748-4"),
        ("biolog", "11502-2"),
        ("laboratoire", "11502-2"),
        ("irm", "18748-4"),
        ("echographie", "18748-4"),
        ("hospitalisation", "11490-0"),
        ("cr sejour", "34112-3"),
        ("prescription biologie", "PRESC-BIO"),
        ("ordonnance kine", "PRESC-KINE"),
        ("vsm", "60591-5"),
        ("34112-3", "34112-3"),
        ("presc-bio", "PRESC-BIO"),
    ],
)
def test_words_find_types(words: str, first: str) -> None:
    """Accents, case and order do not matter; beginnings and synonyms count."""
    found = [one.code for one in search_types(words)]
    assert first in found[:2]


def test_all_words_must_match() -> None:
    """Two words that no type has together find nothing."""
    assert search_types("imagerie laboratoire") == []
    assert {one.code for one in search_types("")} == {one.code for one in types()}


def test_the_label_comes_before_synonyms() -> None:
    """Whole words of the label rank first."""
    assert search_types("pharmacie")  # a synonym only
    assert search_types("synthese")[0].code == "SYNTH"
