"""Types of health documents by code and by word (JDV_J07-XdsTypeCode-CISIS)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from .oids import LOINC, TYPES_BESIDE_LOINC
from .typetable import CLASSES, TABLE

_LOINC_CODE = re.compile(r"[0-9]+-[0-9]\Z")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class DocumentType:
    """One type: its code, the OID of the code's system, its French label, and the class that it belongs to."""

    code: str
    system: str
    label: str
    class_code: str
    class_label: str
    words: tuple[str, ...]  # of code, label and synonyms, without accents
    label_words: tuple[str, ...]


def without_accents(text: str) -> str:
    """The text in ASCII letters where it was French: `é` becomes `e`, `œ` becomes `oe`."""
    text = text.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae").replace("Æ", "AE").replace("’", "'")
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(one for one in decomposed if not unicodedata.combining(one))


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(without_accents(text).lower()))


@cache
def types() -> tuple[DocumentType, ...]:
    """Every type, most used first."""
    found = []
    for line in TABLE.splitlines():
        code, class_code, label, synonyms = line.split("|")
        system = LOINC if _LOINC_CODE.match(code) else TYPES_BESIDE_LOINC
        label_words = _words(label)
        words = (*_words(code), *label_words, *_words(synonyms))
        found.append(DocumentType(code, system, label, class_code, CLASSES[class_code], words, label_words))
    return tuple(found)


@cache
def _by_code() -> dict[str, DocumentType]:
    return {one.code.upper(): one for one in types()}


def find_type(code: str) -> DocumentType | None:
    """The type of a code in any case, None when this table has none."""
    return _by_code().get(code.strip().upper())


def search_types(words: str) -> list[DocumentType]:
    """Types that hold every word or its beginning, accents and case aside; best first.

    A code comes first, then whole words of labels, then beginnings, then synonyms; without words, every type.
    """
    exact = find_type(words)
    if exact is not None:
        return [exact]
    wanted = _words(words)
    ranked = []
    for place, one in enumerate(types()):
        scores = [_score(word, one) for word in wanted]
        if 0 not in scores:
            ranked.append((-sum(scores), len(one.label_words), place, one))
    return [one for *_, one in sorted(ranked, key=lambda row: row[:3])]


def _score(word: str, one: DocumentType) -> int:
    if word in one.label_words:
        return 4
    if any(known.startswith(word) for known in one.label_words):
        return 3
    if word in one.words:
        return 2
    return 1 if any(known.startswith(word) for known in one.words) else 0
