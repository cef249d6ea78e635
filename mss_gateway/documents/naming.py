"""Subject line and file names of a document message (ECO.2.1.3, ECO.2.1.6; domain 10.1)."""

from __future__ import annotations

import re

from mss_gateway.mail.compose import one_line

from .nomenclature import without_accents
from .request import Checked

LABEL_LIMIT = 40
"""Characters of the type's label in the subject."""

ARCHIVE_NAME = "IHE_XDM.zip"
"""The attachment's name (domain 16.1)."""

_UNFIT = re.compile(r'[\x00-\x1f\x7f\\/:*?"<>|_]+')


def birth_name(checked: Checked) -> str:
    """NOM: upper case, no accents."""
    return without_accents(one_line(checked.request.subject.family)).upper()


def first_name(checked: Checked) -> str:
    """prenom: the first birth given name without accents."""
    return without_accents(one_line(checked.request.subject.given[0]))


def label(checked: Checked) -> str:
    """The type's label, cut to 40 characters."""
    return checked.type.label[:LABEL_LIMIT].rstrip()


def subject_line(checked: Checked) -> str:
    """`XDM/1.0/DDM+<libellé> <NOM> <prenom> <date de naissance>`; the date is left out when unknown."""
    words = [f"XDM/1.0/DDM+{label(checked)}", birth_name(checked), first_name(checked)]
    if checked.request.subject.born is not None:
        words.append(checked.request.subject.born.strftime("%d/%m/%Y"))
    return " ".join(words)


def pdf_name(checked: Checked) -> str:
    """`<date de l'acte>_<type document>_<NOM>_<prenom>[_<numéro de dossier>].pdf`."""
    request = checked.request
    parts = [f"{request.written:%Y%m%d}", checked.type.label, birth_name(checked), first_name(checked)]
    if request.file_number:
        parts.append(request.file_number)
    return "_".join(" ".join(_UNFIT.sub(" ", part).split()) for part in parts) + ".pdf"
