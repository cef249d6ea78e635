"""National identifiers of professionals and structures (BAL-2, BAL-3)."""

from __future__ import annotations

import re

from mss_gateway.base.errors import InvalidValue

_ADELI = re.compile(r"0[0-9A-Z]{9}\Z")
_FINESS = re.compile(r"1[0-9][0-9A-Z][0-9]{7}\Z")
_SIRET = re.compile(r"3[0-9]{14}\Z")
_OTHER = re.compile(r"[a-z][a-z0-9-]{1,15}:[^\s:]{1,64}")


def luhn_holds(digits: str) -> bool:
    """True when the last digit is the Luhn key of those before."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def check_person_id(text: str) -> None:
    """Check `8` + RPPS (11 digits, Luhn) or `0` + ADELI (9 characters); raise `InvalidValue` (BAL-2)."""
    if text.startswith("8"):
        rpps = text[1:]
        if len(rpps) != 11 or not rpps.isascii() or not rpps.isdigit():
            raise InvalidValue("an RPPS national id is 8 followed by 11 digits", "rpps-shape")
        if not luhn_holds(rpps):
            raise InvalidValue("the key of the RPPS number is wrong", "rpps-key")
    elif not _ADELI.match(text):
        raise InvalidValue("a national id is 8 + RPPS (11 digits) or 0 + ADELI (9 characters)", "national-id")


def check_structure_id(text: str) -> None:
    """Check `1` + FINESS (9) or `3` + SIRET (14, Luhn); other schemes are `<scheme>:<id>`; raise `InvalidValue`."""
    if _FINESS.match(text) or _OTHER.fullmatch(text):
        return
    if not _SIRET.match(text):
        raise InvalidValue("a structure id is 1 + FINESS (9), 3 + SIRET (14) or scheme:id", "structure-id")
    if not luhn_holds(text[1:]):
        raise InvalidValue("the key of the SIRET number is wrong", "siret-key")


def structure_scheme(text: str) -> str:
    """What a checked structure id is: `finess`, `siret`, or the scheme that it names itself."""
    if text.startswith("1"):
        return "finess"
    return "siret" if text.startswith("3") else text.partition(":")[0]
