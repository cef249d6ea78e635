"""What is searched for, and what stands in the index for it: folded words, and marks for the filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from mss_gateway.mail.searchtext import fold

from .columns import PLACE

TYPE, DEPARTMENT, PROFESSION, TOWN, NAME = "ztyp", "zdep", "zpro", "zvil", "znom"
"""What marks begin with. No word of a name begins with these four letters."""

MAX_WORDS = 12
"""Words of one question that count."""

_BEGINNING = 3  # letters from which on a word may be the beginning of another
_WORD = re.compile(r"[^\W_]+")  # as the tokenizer of the index cuts
_LETTERS = re.compile(r"[^\W\d_]+")
_TOWN_NOISE = frozenset({"cedex"})
_COMMON = re.compile(r"[.@](?:mssante|fr)\b")

_TEXTS = tuple(PLACE[name] for name in ("service", "category", "profession", "skill", "structure", "sign"))
_CODES = tuple(PLACE[name] for name in ("id", "national_id", "structure_id"))
_TYPE, _ADDRESS, _NAME, _FIRST = (PLACE[name] for name in ("type", "address", "name", "first_name"))
_TOWN, _POSTCODE, _DEPARTMENT = (PLACE[name] for name in ("town", "postcode", "department"))
_PROFESSION = PLACE["profession_code"]
_LOCALITY = PLACE["locality"]


def words(text: str) -> list[str]:
    """The folded words of a text."""
    return _WORD.findall(fold(text))


def department_of(postcode: str) -> str:
    """The department of a French postcode, in lower case: `75`, `971`, `2a`; empty when it is none."""
    if len(postcode) != 5 or not postcode.isdecimal():
        return ""
    if postcode[:2] in ("97", "98"):
        return postcode[:3]
    if postcode[:2] == "20":
        return "2a" if postcode[2] in "01" else "2b"
    return postcode[:2]


def bare(text: str) -> str:
    """A code as a mark holds it: folded, letters and digits only."""
    return "".join(words(text))


def town_words(text: str) -> list[str]:
    """The words of a place, without postcode and CEDEX."""
    return [word for word in _LETTERS.findall(fold(text)) if word not in _TOWN_NOISE]


class Indexer:
    """Makes the text that is indexed for a row; what repeats from row to row is folded once."""

    def __init__(self) -> None:
        self._texts = lru_cache(maxsize=50_000)(_texts)
        self._where = lru_cache(maxsize=50_000)(_where)
        self._name: Callable[[str], str] = lru_cache(maxsize=100_000)(_names)

    def __call__(self, cells: list[str]) -> str:
        """Words and marks of one row in our order."""
        texts = self._texts(*[cells[place] for place in _TEXTS])
        where = self._where(cells[_TOWN], cells[_LOCALITY], cells[_POSTCODE], cells[_DEPARTMENT])
        address = _COMMON.sub(" ", fold(cells[_ADDRESS]))
        codes = " ".join([cells[place] for place in _CODES])
        marks = f"{TYPE}{cells[_TYPE]} {PROFESSION}{bare(cells[_PROFESSION])}"
        return f"{self._name(cells[_NAME])} {fold(cells[_FIRST])} {texts} {where} {address} {codes} {marks}"


def _texts(*texts: str) -> str:
    return " ".join(fold(text) for text in texts if text)


def _where(town: str, locality: str, postcode: str, department: str) -> str:
    named = town_words(town)
    marks = [TOWN + word for word in named]
    marks += {DEPARTMENT + code for code in (bare(department), department_of(postcode)) if code}
    return " ".join([fold(town), fold(locality), postcode, *marks])


def _names(name: str) -> str:
    found = words(name)
    return " ".join([*found, *(NAME + word for word in found)])


def questions(terms: Sequence[str], marks: Sequence[str], common: Callable[[str], bool]) -> Iterator[str]:
    """The questions to the index, the best answers first: whole words, one of them a family name; whole words;
    beginnings of words, one of them of a family name; beginnings of words.

    A mark is meant as it is (one that ends in `*` is a beginning). Words of less than three letters and `common` ones
    are always whole: as beginnings they would cost more than they find.
    """
    filters = [f'"{mark[:-1]}"*' if mark.endswith("*") else f'"{mark}"' for mark in marks]
    if not terms:
        yield " AND ".join(filters)
        return
    for sign in ("", "*"):
        ends = [sign if sign and len(term) >= _BEGINNING and not common(term) else "" for term in terms]
        if sign and not any(ends):
            return
        pairs = list(zip(terms, ends, strict=True))
        asked = " AND ".join([*filters, *(f'"{term}"{end}' for term, end in pairs)])
        names = " OR ".join(f'"{NAME}{term}"{end}' for term, end in pairs)
        yield f"({asked}) AND ({names})"
        yield asked
