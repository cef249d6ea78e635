"""A made-up national extraction: the shape of the published one, with invented people (domain 15.1).

`python -m mss_gateway.dev.annuaire FILE ROWS` writes one; the same number of rows is always the same file.
"""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

HEADER = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|"
    "Type identifiant structure|Identification Structure|Service de rattachement|Civilité d'exercice|"
    "Nom d'exercice|Prénom d'exercice|Catégorie profession|Libellé de catégorie profession|Code Profession|"
    "Libellé Profession|Code savoir-faire|Libellé savoir-faire|Dématérialisation|Raison Sociale structure BAL|"
    "Enseigne commerciale structure BAL|L2COMPLEMENTLOCALISATION structure BAL|"
    "L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|L4COMPLEMENTNUMEROVOIE structure BAL|"
    "L4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|"
    "L6LIGNEACHEMINEMENT structure BAL|Code postal structure BAL|Département structure BAL|Pays structure BAL"
)
"""The headings, in one of the two readings that circulate."""

NAME = "Extraction_Correspondance_MSSante_202611200605.txt"
"""Its file name, with its date."""

_SURNAMES_TEXT = """
MARTIN BERNARD THOMAS PETIT ROBERT RICHARD DURAND DUBOIS MOREAU LAURENT SIMON MICHEL LEFÈVRE LEROY ROUX DAVID
BERTRAND MOREL FOURNIER GIRARD BONNET DUPONT LAMBERT FONTAINE ROUSSEAU VINCENT MÜLLER LEFEBVRE FAURE ANDRÉ
MERCIER BLANC GUÉRIN BOYER GARNIER CHEVALIER FRANÇOIS LEGRAND GAUTHIER GARCIA PERRIN ROBIN CLÉMENT MORIN
"""
_SURNAMES = _SURNAMES_TEXT.split()
_FIRST_TEXT = """
MARIE JEAN ANNE PIERRE HÉLÈNE LUC SOPHIE PAUL CLAIRE LOUIS ÉLISE HUGO CHLOÉ ADAM INÈS NOÉ JEAN-PAUL ANNE-MARIE
ZOÉ LÉO ALICE RENÉ AGATHE BENOÎT CÉCILE DENIS ESTELLE FABIEN GAËLLE HENRI
"""
_FIRST = _FIRST_TEXT.split()
_PROFESSIONS = (
    (
        "10",
        "Médecin",
        (("SM54", "Médecine générale"), ("SM26", "Qualifié en médecine générale"), ("SM04", "Cardiologie")),
    ),
    ("60", "Infirmier", (("", ""),)),
    ("21", "Pharmacien", (("", ""),)),
    ("40", "Chirurgien-Dentiste", (("SCD01", "Orthopédie dento-faciale"), ("", ""))),
    ("50", "Sage-Femme", (("", ""),)),
    ("70", "Masseur-Kinésithérapeute", (("", ""),)),
    ("93", "Psychologue", (("", ""),)),
)
_TOWNS = (
    ("75013", "PARIS"), ("69003", "LYON"), ("13005", "MARSEILLE"), ("77000", "MELUN"), ("77100", "MEAUX"),
    ("93200", "SAINT DENIS"), ("20000", "AJACCIO"), ("20200", "BASTIA"), ("97110", "POINTE A PITRE"),
    ("35000", "RENNES"), ("42000", "SAINT ETIENNE"), ("67000", "STRASBOURG"), ("29200", "BREST"), ("31000", "TOULOUSE"),
)  # fmt: skip
_HOUSES = (
    "CENTRE HOSPITALIER",
    "CLINIQUE",
    "CABINET MEDICAL",
    "MAISON DE SANTÉ",
    "PHARMACIE",
    "EHPAD",
    "LABORATOIRE",
)
_NAMED = (
    "DU PARC",
    "DES TILLEULS",
    "DU CŒUR DE VILLE",
    "DE L'ÉTOILE",
    "DES LILAS",
    "DE LA GARE",
    "DU MARCHÉ",
)
_SERVICES = (
    "CARDIOLOGIE",
    "URGENCES",
    "SECRÉTARIAT MÉDICAL",
    "RADIOLOGIE",
    "BIOLOGIE",
    "HOSPITALISATION À DOMICILE",
)


def lines(count: int, seed: int = 1) -> Iterator[str]:
    """So many lines without their ends; one in six is an ORG mailbox, one in three thousand repeats an address."""
    dice = random.Random(seed)
    person: tuple[str, ...]
    address = ""
    for number in range(count):
        code, town = dice.choice(_TOWNS)
        house = f"{dice.choice(_HOUSES)} {dice.choice(_NAMED)}"
        if not (address and number % 3000 == 2999):
            address = ""
        if number % 6 == 5:
            address = address or f"{_ascii(dice.choice(_SERVICES))}.{number}@{_domain(dice, number)}"
            service, person = dice.choice(_SERVICES), ()
        else:
            person = (dice.choice(_SURNAMES), dice.choice(_FIRST))
            address = address or f"{_ascii(person[1])}.{_ascii(person[0])}.{number}@{_domain(dice, number)}"
            service = ""
        yield line(
            address, number=number, person=person, service=service, house=house, town=(code, town), dice=dice
        )


def line(
    address: str,
    *,
    number: int = 0,
    person: tuple[str, ...] = ("MARTIN", "MARIE"),
    service: str = "",
    house: str = "CENTRE HOSPITALIER DU PARC",
    town: tuple[str, str] = ("77000", "MELUN"),
    dice: random.Random | None = None,
) -> str:
    """One line: PER with a person (family name, first name), ORG with none."""
    dice = dice or random.Random(number)
    code, name = town
    finess = f"{code[:2]}{number % 10_000_000:07d}"
    where = f"{house}||||{number % 200 + 1}||RUE|DE LA RÉPUBLIQUE||{code} {name}|{code}|{code[:2]}|FRANCE"
    if not person:
        return f"ORG|{address}||||1|{finess}|{service}||||||||||O|{where}"
    rpps = f"100{number % 100_000_000:08d}"
    profession, label, skills = dice.choice(_PROFESSIONS)
    skill, skilled = dice.choice(skills)
    return (
        f"PER|{address}|8|{rpps}|8{rpps}|1|{finess}|{service}|DR|{person[0]}|{person[1]}|C|Civil|{profession}|{label}|"
        f"{skill}|{skilled}|N|{where}"
    )


def write(path: Path, body: Iterable[str]) -> Path:
    """Write an extraction with these lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADER + "\n")
        for one in body:
            file.write(one + "\n")
    return path


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode("ascii")
    return plain.replace(" ", "-")


def _domain(dice: random.Random, number: int) -> str:
    return "medecin.mssante.fr" if number % 6 in (0, 1, 2) else f"etab{dice.randrange(5000)}.mssante.fr"


def main() -> None:
    """Write one."""
    write(Path(sys.argv[1]), lines(int(sys.argv[2])))


if __name__ == "__main__":
    main()
