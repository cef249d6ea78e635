"""Codes of integration errors and where they are written (domain 11.3 and 11.4; RCP-5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from .reports_words import plain

INTEGRATION_LABELS = {
    "900": "Version du document incorrecte lors d'une demande de remplacement/suppression",
    "901": "Auteur non autorisé à remplacer ou supprimer un document",
    "902": "Identifiant patient inconnu",
    "903": "INS non présent dans le document",
    "904": "L'INS transmis ne correspond pas exactement à celui stocké dans la base du consommateur",
    "905": "L'INS transmis n'est pas complet",
    "906": "Erreur 'Autre'",
}
"""The application codes published so far (domain 11.4); the table grows, so other codes are accepted as well."""

MAX_LABEL = 200
"""Characters of a label that are kept."""

_SPACES = re.compile(r"\s++")
_ERROR = re.compile(r"error\b[ \t]*:?[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
_LED = re.compile(
    r"[\s\[(]*(?:code\b)?\s{0,5}(?:d['’]\s?)?(?:erreur\b)?\s{0,5}:?\s{0,5}\[?([A-Za-z]{0,3}\d{3,6}\b|\d{1,2}(?=\^))[\s\])]{0,9}"
    r"[\s:;,.–—-]{0,9}(.{0,400})",
    re.IGNORECASE | re.DOTALL,
)
_HL7 = re.compile(r"(?<![\w^&~.+-])(\d{1,4})\^(?=[^\^|\r\n\d]{2})(?=([^\^|\r\n]{1,300}))")
_SEGMENT = re.compile(r"^ERR\|[^\r\n]{1,2000}", re.MULTILINE)
_CODE = re.compile(
    r"\bcode\s{0,5}(?:d['’]\s?)?(?:erreur\b)?\s{0,5}(?:[:=]\s{0,5})?\[?(\d{3})\b([^\r\n]{0,300})",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"raison\s{1,4}suivante[ \t\xa0\u202f]{0,5}:\s{0,9}([^\r\n]{1,400})(?:\r?\n([^\r\n]{1,200}))?",
    re.IGNORECASE,
)
_WRAPPED = 60  # characters of a line that was probably broken by its writer
_KNOWN = {plain(label): code for code, label in INTEGRATION_LABELS.items()}
_KNOWN["identifiant de patient inconnu"] = "902"
_GENERIC = frozenset({"207", "199", "0"})  # "see the other field"


class ErrorText(NamedTuple):
    """A code and a label as found; either may be empty."""

    code: str = ""
    label: str = ""


def tidy_label(text: str) -> str:
    """Return a label in one line without its HL7 tail (`^…`, `|…`), at most `MAX_LABEL` characters."""
    for mark in "^|":
        text = text.partition(mark)[0]
    return _SPACES.sub(" ", text[: 4 * MAX_LABEL]).strip(" .;:-[]")[:MAX_LABEL].rstrip()


def read_error(text: str) -> ErrorText:
    """Read `902^libellé^…`, `902 - libellé`, `code 902 : libellé` or a label alone."""
    match = _LED.match(text)
    if match is None:
        return _named(tidy_label(text.strip().removeprefix("^")))
    return ErrorText(match[1].upper(), tidy_label(match[2].removeprefix("^")))


def error_of_disposition(value: str) -> ErrorText | None:
    """Read what follows `processed/` in a Disposition; None when it is no error."""
    match = _ERROR.match(value.strip())
    return read_error(match[1]) if match else None


def _named(label: str) -> ErrorText:
    return ErrorText(_KNOWN.get(plain(label), ""), label)


def _best(found: list[tuple[str, str]]) -> ErrorText:
    """Prefer the application code: the technical one may only say to look there (ERR-3 207)."""
    code, label = min(found, key=lambda one: (not one[0].startswith("9"), one[0] in _GENERIC))
    return ErrorText(code, tidy_label(label))


def error_in_prose(texts: Iterable[str]) -> ErrorText:
    """Look for a code or a label in what a person would read."""
    labelled = ErrorText()
    for text in texts:
        found = _HL7.findall(text)
        if found:
            return _best(found)
        coded = _CODE.search(text)
        reason = _REASON.search(text)
        if reason:
            told = read_error(reason[1])
            line = reason.end(1) - text.rfind("\n", 0, reason.start(1))
            if not told.code and reason[2] and line > _WRAPPED:
                told = read_error(f"{reason[1]} {reason[2]}")
            if told.code or not labelled.label:
                labelled = told
        if coded:
            rest = ErrorText(coded[1], tidy_label(coded[2].lstrip(" ])}:;,.–—-")))
            labelled = ErrorText(rest.code, labelled.label or rest.label)
        if labelled.code:
            return labelled
    return labelled


def error_in_files(texts: Iterable[str]) -> ErrorText:
    """Look for the ERR segment of an HL7 acknowledgement (v2 ERR-3 and ERR-5)."""
    for text in texts:
        for segment in _SEGMENT.finditer(text.replace("\r\n", "\n").replace("\r", "\n")):
            found = _HL7.findall(segment[0])
            if found:
                return _best(found)
    return ErrorText()


def settle(*found: ErrorText) -> ErrorText:
    """Return the first code told and a label that goes with it: the sender's own, else the published one."""
    code = next((one.code for one in found if one.code), "")
    label = next((one.label for one in found if one.label and one.code in ("", code)), "")
    label = label or INTEGRATION_LABELS.get(code, "")
    return ErrorText(code or _named(label).code, label)
