"""Identities for the registry's tests: published test numbers, and numbers made up with keys that hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from hypothesis import strategies as st

from mss_gateway.ports.records import Identity
from mss_gateway.rules.facts import IdentityStatus

TODAY = date(2026, 11, 21)
NIR = "1.2.250.1.213.1.4.8"
NIR_TEST = "1.2.250.1.213.1.4.10"

ZOE = {
    "ins": "275126322074974",
    "oid": NIR,
    "family": "ADRUN",
    "given": "ZOE",
    "sex": "F",
    "born": "1975-12-31",
    "place": "63220",
    "status": "QUAL",
}
"""Published by the téléservice INSi for tests (domain 14.5)."""

CORSE = {
    "ins": "180032B02040123",
    "oid": NIR,
    "family": "CORSE",
    "given": "ANTHONY",
    "sex": "M",
    "born": "1980-03-02",
    "place": "2B020",
    "status": "VALI",
}
"""Published as well; born in Corsica."""

WRONG_KEY = "181036322045660"  # published with a key that does not hold
HEADER = "INS;OID;Nom de naissance;Prénom(s) de naissance;Sexe;Date de naissance;Lieu de naissance;Statut"


def key(matricule: str) -> str:
    """The key of 13 characters, computed apart from the product."""
    digits = matricule
    for corsica, number in (("2A", "19"), ("2B", "18")):
        if matricule[5:7] == corsica:
            digits = matricule[:5] + number + matricule[7:]
    return next(f"{k:02}" for k in range(1, 98) if (int(digits) + k) % 97 == 0)


def number(sex: str, born: date, place: str, order: int, month: int = 0) -> str:
    """A whole INS with its key; `month` stands for the true one when it is given."""
    matricule = f"{sex}{born.year % 100:02}{month or born.month:02}{place}{order:03}"
    return matricule + key(matricule)


def made_up(count: int) -> Iterator[dict[str, str]]:
    """So many valid rows, all different."""
    for index in range(count):
        born = date(1950, 1, 1) + timedelta(days=index % 20_000)
        sex = "MF"[index % 2]
        order, department = index % 990 + 1, index // 990 % 90 + 1
        place = f"{department:02}{100 + index % 7:03}"
        yield {
            "ins": number("12"[index % 2], born, place, order),
            "oid": NIR,
            "family": f"ESSAI-{'ABCDEFGHIJ'[index % 10]}",
            "given": "PRÉNOM D'ESSAI",
            "sex": sex,
            "born": born.isoformat(),
            "place": place,
            "status": ("QUAL", "VALI", "RECUP", "PROV")[index % 4],
        }


@st.composite
def rows(draw: st.DrawFn) -> dict[str, str]:
    """A valid row of any kind: fictive months, temporary numbers, Corsica, overseas, abroad."""
    born = draw(st.dates(date(1900, 1, 1), TODAY))
    sex = draw(st.sampled_from("MF"))
    first = draw(st.sampled_from({"M": "1378", "F": "2478"}[sex]))
    month = draw(st.sampled_from([0, 0, 20, 30, 42, 50, 99]))
    place = draw(st.sampled_from(["01004", "2A004", "2B020", "75056", "97105", "98818", "99350"]))
    name = st.from_regex(r"[A-ZÉÈÇ][A-ZÉÈÇ' -]{0,20}[A-Z]", fullmatch=True).map(
        lambda text: " ".join(text.split())
    )
    return {
        "ins": number(first, born, place, draw(st.integers(1, 999)), month),
        "oid": draw(st.sampled_from([NIR, "1.2.250.1.213.1.4.9"])),
        "family": draw(name),
        "given": draw(name),
        "sex": sex,
        "born": born.isoformat(),
        "place": place,
        "status": draw(st.sampled_from([status.value for status in IdentityStatus])),
    }


def csv_line(row: dict[str, str], delimiter: str = ";") -> str:
    """The row under `HEADER`."""
    fields = ("ins", "oid", "family", "given", "sex", "born", "place", "status")
    return delimiter.join(row[name] for name in fields)


def stored(row: dict[str, str], source: str = "essai.csv") -> Identity:
    """The row as the store keeps it."""
    return Identity(**{**row, "status": IdentityStatus(row["status"])}, source=source)  # type: ignore[arg-type]
