"""Patient identities: is a row fit for the registry, and do traits agree with an identity (INS-4, INS-5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mss_gateway.base.errors import InvalidValue

from .facts import IdentityStatus, Realm
from .ins import Ins, describe, parse_ins

REAL_OIDS = frozenset({"1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"})
"""INS-NIR and INS-NIA (domain 14.2): their keys hold, in every realm."""

TRIAL_OIDS = {Realm.TEST: "1.2.250.1.213.1.4.10", Realm.DEMO: "1.2.250.1.213.1.4.11"}
"""INS-NIR of tests and of demonstrations (domain 14.2), each in its realm only; a wrong key passes there (INS-2)."""

NAME_LIMIT = 250
"""Characters of the birth name and of the list of given names."""

IDENTITY_REASONS: dict[str, str] = {
    "identity-oid": "INS-5: the OID is none of an INS",
    "identity-oid-realm": "INS-5, INS-2: the OID belongs to another realm",
    "identity-name": "INS-5: the birth name or the given names are missing, or no names",
    "identity-sex": "INS-5: the sex is neither F nor M",
    "identity-sex-ins": "INS-5: the sex is not the one in the INS",
    "identity-born": "INS-5: the date of birth is no date, or not a person's",
    "identity-born-ins": "INS-5: year or month of birth are not those in the INS",
    "identity-place": "INS-5: the place of birth is no INSEE code",
    "identity-status": "INS-5: the status is none of PROV, RECUP, VALI, QUAL",
    "identity-department": "INS-4: a département of birth that does not exist",
}
"""Slug to meaning of what is said of an identity beyond its INS, whose own slugs stand in `reasons.REASONS`."""

TRAITS: dict[str, str] = {
    "key": "La clé de l'INS (2 derniers chiffres) est fausse.",
    "sex": "Le sexe ne correspond pas à l'identité.",
    "year": "L'année de naissance ne correspond pas à l'identité.",
    "month": "Le mois de naissance ne correspond pas à l'identité.",
    "day": "Le jour de naissance ne correspond pas à l'identité.",
    "department": "Le département de naissance ne correspond pas à l'identité.",
}
"""What a professional reads when a trait does not agree (INS-4), by the trait's name."""

_SEXES = {
    **dict.fromkeys(("F", "2", "FEMME", "FEMININ", "FÉMININ", "FEMALE", "W"), "F"),
    **dict.fromkeys(("M", "1", "H", "HOMME", "MASCULIN", "MALE"), "M"),
}
_SEX_OF_DIGIT = {"1": "M", "3": "M", "7": "M", "2": "F", "4": "F", "8": "F"}
_TEMPORARY = frozenset("78")  # domain 14.1
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?\Z")
_FRENCH = re.compile(r"(?:([0-9]{1,2})([/.-]))?([0-9]{1,2})[/.-]([0-9]{4})\Z")
_BARE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})\Z")
_PLACE = re.compile(r"(?:(?!00)[0-9]{2}|2A|2B)[0-9]{3}\Z")
_DEPARTMENT = re.compile(r"(?:0[1-9]|[1-8][0-9]|9[0-6]|2A|2B|97[0-9]|98[0-9]|99)\Z")
_NO_NAME = re.compile(r"[0-9;@<>{}]")
_OLDEST = 130  # years


@dataclass(frozen=True, slots=True)
class Born:
    """A date of birth as far as it was told: `day` 0 when only month and year are known."""

    year: int
    month: int
    day: int = 0

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}" + (f"-{self.day:02}" if self.day else "")


@dataclass(frozen=True, slots=True)
class Traits:
    """One identity fit for the registry: the INS with its OID, the five strict traits, the status (domain 14.3).

    `sex` is `M` or `F`, `given` the list of birth given names as one text, `place` an INSEE code. No `repr` tells who.
    """

    ins: Ins
    oid: str
    family: str = field(repr=False)
    given: str = field(repr=False)
    sex: str = field(repr=False)
    born: Born = field(repr=False)
    place: str = field(repr=False)
    status: IdentityStatus


def check_identity(row: Mapping[str, str], realm: Realm, today: date) -> Traits:
    """A row of the registry: `ins`, `oid`, `family`, `given`, `sex`, `born`, `place`, `status`, all texts (INS-5).

    Raises `InvalidValue` naming what is wrong, with a slug of `IDENTITY_REASONS`, or of `reasons.REASONS` for
    the INS itself, never with the INS or a name.
    """
    ins = parse_ins("".join(row.get("ins", "").split()))
    oid = _oid(row.get("oid", "").strip().removeprefix("urn:oid:"), realm)
    if not ins.key_holds and oid in REAL_OIDS:
        raise InvalidValue("the key (last 2 digits) of the INS is wrong", "ins-key")
    family = _name(row.get("family", ""), "birth name")
    given = _name(row.get("given", ""), "list of birth given names")
    sex = parse_sex(row.get("sex", ""))
    if ins.sex not in _TEMPORARY and _SEX_OF_DIGIT[ins.sex] != sex:
        raise InvalidValue("the sex is not the one that the INS tells", "identity-sex-ins")
    born = parse_born(row.get("born", ""), today)
    if not born.day:
        raise InvalidValue("the date of birth has no day: write YYYY-MM-DD", "identity-born")
    if born.year % 100 != ins.year:
        raise InvalidValue("the year of birth is not the one that the INS tells", "identity-born-ins")
    if ins.month <= 12 and born.month != ins.month:
        raise InvalidValue("the month of birth is not the one that the INS tells", "identity-born-ins")
    place = row.get("place", "").strip().upper()
    if not _PLACE.match(place):
        raise InvalidValue(
            "the place of birth is no INSEE code: 5 characters, 99 and the country's code abroad",
            "identity-place",
        )
    return Traits(ins, oid, family, given, sex, born, place, parse_status(row.get("status", "")))


def _oid(oid: str, realm: Realm) -> str:
    if oid not in REAL_OIDS and oid not in TRIAL_OIDS.values():
        raise InvalidValue("the OID is none of INS-NIR or INS-NIA", "identity-oid")
    if oid not in REAL_OIDS and TRIAL_OIDS.get(realm) != oid:
        raise InvalidValue(
            f"the OID is one of tests or demonstrations: it does not belong in {realm.value}",
            "identity-oid-realm",
        )
    return oid


def _name(value: str, what: str) -> str:
    name = " ".join(value.split())
    if not name:
        raise InvalidValue(f"the {what} is missing", "identity-name")
    if len(name) > NAME_LIMIT:
        raise InvalidValue(f"the {what} is longer than {NAME_LIMIT} characters", "identity-name")
    letters = any(letter.isalpha() for letter in name)
    if _NO_NAME.search(name) or not letters or not name.isprintable():
        raise InvalidValue(
            f"the {what} holds what no name has: a figure, a sign or no letter", "identity-name"
        )
    return name


def parse_sex(value: str) -> str:
    """`M` or `F` from what people and software write; raises `InvalidValue`."""
    sex = _SEXES.get(value.strip().upper())
    if sex is None:
        raise InvalidValue("the sex is neither F nor M", "identity-sex")
    return sex


def parse_status(value: str) -> IdentityStatus:
    """The status of its code, in either case; raises `InvalidValue`."""
    try:
        return IdentityStatus(value.strip().upper())
    except ValueError:
        raise InvalidValue("the status is none of PROV, RECUP, VALI, QUAL", "identity-status") from None


def parse_born(value: str, today: date) -> Born:
    """`YYYY-MM-DD`, `YYYYMMDD`, `DD/MM/YYYY`, `YYYY-MM` or `MM/YYYY`; raises `InvalidValue`.

    The date must exist, lie in the past, and be a living person's.
    """
    text = value.strip()
    if found := _ISO.match(text) or _BARE.match(text):
        year, month, day = int(found[1]), int(found[2]), int(found[3] or 0)
        day_told = found[3] is not None
    elif found := _FRENCH.match(text):
        year, month, day = int(found[4]), int(found[3]), int(found[1] or 0)
        day_told = found[1] is not None
    else:
        raise InvalidValue("the date of birth is not written YYYY-MM-DD or DD/MM/YYYY", "identity-born")
    try:
        told = date(year, month, day if day_told else 1)
    except ValueError:
        raise InvalidValue("the date of birth is no day of the calendar", "identity-born") from None
    if not today.year - _OLDEST <= year or told > today:
        raise InvalidValue("the date of birth is in the future or too long ago", "identity-born")
    return Born(year, month, day)


def parse_department(value: str) -> str:
    """`77`, `2A`, `971`, `99` for abroad, or one digit; raises `InvalidValue`."""
    department = value.strip().upper().zfill(2)
    if not _DEPARTMENT.match(department):
        raise InvalidValue(
            "the département of birth is one of 01 to 96, 2A, 2B, 971 to 989, or 99 for abroad",
            "identity-department",
        )
    return department


def compare_traits(known: Ins | Traits, sex: str, born: Born, department: str) -> list[str]:
    """The names of the traits that do not agree with what is known, in the order of `TRAITS`; empty when all do.

    The INS alone tells sex, two digits of the year, the month unless it is fictive, and the département; a known
    identity tells all of the date as well, and a département by the INS or by the place of birth: the two codes of
    one place may differ, since départements were cut anew. `sex` is `M` or `F`, `department` as `parse_department`
    gives it.
    """
    ins = known if isinstance(known, Ins) else known.ins
    wrong = []
    if sex != (_SEX_OF_DIGIT[ins.sex] if isinstance(known, Ins) else known.sex):
        wrong.append("sex")
    if isinstance(known, Ins):
        if born.year % 100 != ins.year:
            wrong.append("year")
        if ins.month <= 12 and born.month != ins.month:
            wrong.append("month")
        places = {ins.department}
    else:
        if born.year != known.born.year:
            wrong.append("year")
        if born.month != known.born.month:
            wrong.append("month")
        if born.day and born.day != known.born.day:
            wrong.append("day")
        overseas = known.place.startswith(("97", "98"))
        places = {ins.department, known.place[: 3 if overseas else 2]}
    # Those born in Corsica before 1976 have a number of 20, and are asked for 2A or 2B since.
    if "20" in places:
        places |= {"2A", "2B"}
    if places & {"2A", "2B"}:
        places.add("20")
    if department not in places:
        wrong.append("department")
    return wrong


def screen(ins: Ins, this_year: int) -> tuple[str, str, str]:
    """The three lines on which a sender checks a patient's address (INS-4, domain 3).

    `Une femme`, `Née en mars 1985`, `Née dans le département 77`.
    """
    person, when, where = describe(ins, this_year).split(", ", 2)
    born = when.partition(" ")[0].capitalize()
    return person, born + when[len(born) :], f"{born} {where}"
