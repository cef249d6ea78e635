"""The 31 columns of the national extraction, read by place and by heading (domain 15.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .problems import DirectoryProblem

SEPARATOR = "|"

# Our name of each column in its order, and the headings that are known for it, without case, accents and signs.
_KNOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("type", ("typedebal", "typebal")),
    ("address", ("adressebal", "adressemssante")),
    ("id_type", ("typeidentifiantpp",)),
    ("id", ("identifiantpp",)),
    ("national_id", ("identificationnationalepp",)),
    ("structure_id_type", ("typeidentifiantstructure",)),
    ("structure_id", ("identificationstructure", "identifiantstructure")),
    ("service", ("servicederattachement",)),
    ("title", ("civilitedexercice", "civiliteexercice")),
    ("name", ("nomdexercice", "nomexercice")),
    ("first_name", ("prenomdexercice", "prenomexercice")),
    ("category_code", ("categorieprofession", "codecategorieprofession")),
    ("category", ("libelledecategorieprofession", "libellecategorieprofession")),
    ("profession_code", ("codeprofession",)),
    ("profession", ("libelleprofession",)),
    ("skill_code", ("codesavoirfaire",)),
    ("skill", ("libellesavoirfaire",)),
    ("paperless", ("dematerialisation",)),
    ("structure", ("raisonsocialestructurebal", "raisonsociale")),
    ("sign", ("enseignecommercialestructurebal", "enseignecommerciale")),
    ("address_2", ("l2complementlocalisation",)),
    ("address_3", ("l3complementdistribution",)),
    ("number", ("l4numerovoie",)),
    ("number_suffix", ("l4complementnumerovoie",)),
    ("street_type", ("l4typevoie", "nl4typevoie")),
    ("street", ("l4libellevoie",)),
    ("locality", ("l5lieuditmention",)),
    ("town", ("l6ligneacheminement",)),
    ("postcode", ("codepostal",)),
    ("department", ("departement",)),
    ("country", ("pays",)),
)
NAMES = tuple(name for name, _ in _KNOWN)
"""Our names of the columns, in their order."""

WIDTH = len(NAMES)
"""Columns of a line."""

PLACE = {name: place for place, name in enumerate(NAMES)}
"""Where each column stands in a line that we keep."""

_SUFFIX = "structurebal"
_HEADINGS = {one: name for name, known in _KNOWN for one in known}
_NEEDED = ("type", "address")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of one file are cut: `width` cells, and where each of our columns stands (-1: nowhere)."""

    width: int
    places: tuple[int, ...]

    @property
    def straight(self) -> bool:
        """True when lines can be kept as they are."""
        return self.width == WIDTH and self.places == tuple(range(WIDTH))

    def arranged(self, cells: Sequence[str]) -> list[str]:
        """The cells in our order."""
        return [cells[place] if place >= 0 else "" for place in self.places]


def layout_of(header: str) -> Layout:
    """Read the line of headings; a heading that nobody knows means what its place says.

    Raises `DirectoryProblem` when the line has no headings, or not those without which nothing can be told.
    """
    cells = header.removeprefix("\ufeff").rstrip("\r\n").split(SEPARATOR)
    if cells[-1] == "" and len(cells) == WIDTH + 1:  # a separator after the last column as well
        cells[-1] = "-"
    known = [_known(cell) for cell in cells]
    found = {name: place for place, name in reversed(list(enumerate(known))) if name}
    if not all(name in found for name in _NEEDED):
        if len(cells) == 1:
            sentence = "this is not the national extraction: its first line is not headings between `|`"
            raise DirectoryProblem("directory-format", sentence)
        sentence = "the first line is not the headings of the national extraction: ask for the file again"
        raise DirectoryProblem("directory-header", sentence)
    if len(cells) < WIDTH:
        sentence = f"there are {len(cells)} columns instead of {WIDTH}: this is not Extraction_Correspondance_MSSante"
        raise DirectoryProblem("directory-columns", sentence)
    places = []
    for place, name in enumerate(NAMES):
        unnamed = known[place] == ""
        places.append(found.get(name, place if unnamed else -1))
    return Layout(len(cells), tuple(places))


def _known(cell: str) -> str:
    plain = unicodedata.normalize("NFKD", cell[:200]).casefold()
    bare = "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
    return _HEADINGS.get(bare) or _HEADINGS.get(bare.removesuffix(_SUFFIX), "")
