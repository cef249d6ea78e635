"""The national health identity, INS: structure, key, reading aloud, masking (INS-1..4, INS-7)."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from mss_gateway.base.errors import InvalidValue

_SHAPE = re.compile(r"[0-9]{6}[0-9A-Z][0-9]{8}\Z")
_SEXES = {
    "1": "Un homme",
    "2": "Une femme",
    "3": "Un homme",
    "4": "Une femme",
    "7": "Un homme",
    "8": "Une femme",
}
_BORN = {"Un homme": "né", "Une femme": "née"}
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_MASK = r"\1 \2 \3 ** *** *** **"
_FICTIVE_MONTHS = frozenset({20, *range(30, 43), *range(50, 100)})  # domain 14.1: fictitious or unknown
_DIGITS = re.compile(r"[0-9]{6,}(?:[ABab][0-9]{6,})*")
_ALONE = re.compile(r"[1-478][0-9]{5}[0-9ABab][0-9]{6}(?:[0-9]{2})?\Z")
_PRINTED = re.compile(
    r"(?<![0-9])([1-478])[ \u00a0\u202f.-]([0-9]{2})[ \u00a0\u202f.-]([0-9]{2})[ \u00a0\u202f.-][0-9][0-9ABab]"
    r"(?:[ \u00a0\u202f.-][0-9]{3}){2}(?:[ \u00a0\u202f.-]?[0-9]{2})?(?![0-9])"
)
_LONG = re.compile(r"[0-9ABab]{13}")  # in whatever `_mask_digits` would change
_GROUPED = re.compile(r"[1-478][ \u00a0\u202f.-][0-9]{2}[ \u00a0\u202f.-]")  # in whatever `_PRINTED` matches
_FEWEST = 12
"""Digits that whatever is masked holds at least: a matricule of 13 may have one letter."""

_DIGIT_OCTETS = b"0123456789"
_WITHIN = re.compile(r"(?=([1-478][0-9]{5}[0-9ABab][0-9]{8}))")


@dataclass(frozen=True, slots=True)
class Ins:
    """One matricule (13 characters) with its key (2 digits), letters in upper case."""

    matricule: str
    key: str

    @property
    def sex(self) -> str:
        """The first digit."""
        return self.matricule[0]

    @property
    def year(self) -> int:
        """Two-digit year of birth."""
        return int(self.matricule[1:3])

    @property
    def month(self) -> int:
        """Month of birth, 1 to 12, or a fictive number."""
        return int(self.matricule[3:5])

    @property
    def department(self) -> str:
        """Two characters of the place of birth, three overseas (97x, 98x)."""
        place = self.matricule[5:7]
        return self.matricule[5:8] if place in ("97", "98") else place

    @property
    def expected_key(self) -> str:
        """The key that the matricule asks for: 97 - (N mod 97), 2A counted as 19 and 2B as 18."""
        digits = self.matricule.replace("2A", "19", 1) if self.matricule[5:7] == "2A" else self.matricule
        digits = digits.replace("2B", "18", 1) if self.matricule[5:7] == "2B" else digits
        return f"{97 - int(digits) % 97:02}"

    @property
    def key_holds(self) -> bool:
        """True when the key is the expected one."""
        return self.key == self.expected_key

    def masked(self) -> str:
        """The only form that logs, traces and replies may hold (INS-7)."""
        return mask(self.matricule)

    def __str__(self) -> str:
        return self.matricule + self.key

    def __repr__(self) -> str:
        return f"Ins({self.masked()})"


@lru_cache(maxsize=4096)
def parse_ins(text: str) -> Ins:
    """Read 15 characters; raise `InvalidValue` naming the wrong part without echoing it (INS-1).

    The key is not judged here: that depends on the realm (`Ins.key_holds`, INS-2).
    """
    value = text.upper()
    if len(value) != 15:
        raise InvalidValue(
            "the INS must be 15 characters: the matricule of 13 and its key of 2", "ins-length"
        )
    if not _SHAPE.match(value):
        raise InvalidValue("the INS holds a character that does not belong there", "ins-characters")
    if value[0] not in _SEXES:
        raise InvalidValue("the first digit of the INS (sex) must be 1 to 4, 7 or 8", "ins-sex")
    month = int(value[3:5])
    if not (1 <= month <= 12 or month in _FICTIVE_MONTHS):
        raise InvalidValue(
            "the month of birth in the INS is neither 01 to 12 nor a reserved number", "ins-month"
        )
    department = value[5:7]
    if department not in ("2A", "2B") and not (department.isdigit() and 1 <= int(department) <= 99):
        raise InvalidValue("the département of birth in the INS does not exist", "ins-department")
    return Ins(value[:13], value[13:])


def mask(matricule: str) -> str:
    """`2 85 03 ** *** *** **`: sex, year and month stay readable."""
    return f"{matricule[0]} {matricule[1:3]} {matricule[3:5]} ** *** *** **"


def mask_text(text: str) -> str:
    """Mask all that looks like an INS: alone, in an address, printed in groups, in a longer number (INS-7).

    A run of exactly 13 or 15 is masked whatever its key; in a longer run only what has a valid key is,
    so that timestamps and message ids stay readable. So does the number of a structure in a DN (`OU=3` and its SIRET),
    which ops compare with the trusted list: after `OU=`, fifteen digits from 3 on are masked only with a valid key.
    """
    # Nearly every text has fewer digits than an INS; counting them costs a tenth of looking for one.
    octets = text.encode("utf-8", "replace")
    if len(octets) - len(octets.translate(None, _DIGIT_OCTETS)) < _FEWEST:
        return text
    # Message-IDs are full of dates: what begins like an INS is looked for first, at a quarter of the price.
    if _LONG.search(text):
        text = _DIGITS.sub(_mask_digits, text)
    return _PRINTED.sub(_MASK, text) if _GROUPED.search(text) else text


def _mask_digits(found: re.Match[str]) -> str:
    digits = found[0]
    if len(digits) < 13:
        return digits
    if _ALONE.match(digits):
        return digits if _is_structure(found) else mask(digits)
    parts: list[str] = []
    end = 0
    for window in _WITHIN.finditer(digits):
        start, candidate = window.start(), window[1]
        if start >= end and _is_ins(candidate):
            parts += (digits[end:start], mask(candidate))
            end = start + 15
    return "".join((*parts, digits[end:]))


def _is_structure(found: re.Match[str]) -> bool:
    digits, start = found[0], found.start()
    in_dn = found.string[max(start - 3, 0) : start].upper() == "OU="
    return in_dn and len(digits) == 15 and digits[0] == "3" and digits.isdigit() and not _is_ins(digits)


def _is_ins(text: str) -> bool:
    try:
        return parse_ins(text).key_holds
    except InvalidValue:
        return False


def correlation(ins: Ins, key: bytes) -> str:
    """16 hexadecimal digits that stand for this INS in logs and traces; not reversible without the key."""
    return hmac.new(key, str(ins).encode(), sha256).hexdigest()[:16]


def _centuries(year: int, this_year: int) -> list[int]:
    """Plausible years of birth, youngest first: not in the future, and at most 110 years ago."""
    base = this_year - this_year % 100
    return [full for full in (base + year, base - 100 + year) if this_year - 110 <= full <= this_year]


def _place(ins: Ins) -> str:
    department = ins.department
    if department == "99":
        return f"à l'étranger (code pays {ins.matricule[5:10]})"
    if department == "96":
        return "dans un ancien protectorat"
    if department.startswith("98"):
        return f"dans la collectivité d'outre-mer {department}"
    return f"dans le département {department}"


def describe(ins: Ins, this_year: int) -> str:
    """The sentence that a sender checks against the patient at hand (INS-4).

    Both years are given when the century is ambiguous, and a fictive month is said to be unknown.
    """
    person = _SEXES[ins.sex]
    years = " ou ".join(str(year) for year in _centuries(ins.year, this_year))
    when = f"en {_MONTHS[ins.month - 1]} {years}" if 1 <= ins.month <= 12 else f"en {years} (mois inconnu)"
    return f"{person}, {_BORN[person]} {when}, {_place(ins)}"
