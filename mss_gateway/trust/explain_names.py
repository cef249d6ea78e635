"""PURE. Distinguished names as an explanation shows them, and in what two of them differ (TRU-4, TRU-8)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules.ins import mask_text, parse_ins

from . import dn
from .der import DerError, name_attributes

LABELS = {
    "c": "C",
    "cn": "CN",
    "o": "O",
    "ou": "OU",
    "st": "ST",
    "sn": "SN",
    "gn": "GN",
    "dc": "DC",
    "uid": "UID",
    "serialnumber": "serialNumber",
    "organizationidentifier": "organizationIdentifier",
    "emailaddress": "emailAddress",
}
"""Attribute of a DN key → how people write it."""

_STRUCTURE = re.compile(r"3[0-9]{14}\Z")  # a SIRET with its prefix (domain reference 7)
_ESCAPED = re.compile(r"\\([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute in which two DNs differ; an empty text where one of them has none."""

    attribute: str
    listed: str
    shown: str

    def __str__(self) -> str:
        name = LABELS.get(self.attribute, self.attribute)
        if not self.listed:
            return f"{name} is {self.shown} in the certificate, and the list has none"
        if not self.shown:
            return f"{name} is {self.listed} on the list, and the certificate has none"
        return f"{name} is {self.listed} on the list and {self.shown} in the certificate"


def plain(value: str) -> str:
    """A value of a DN as it may be shown: printable, in one line, without an INS; numbers of structures stay whole."""
    text = " ".join(value.split())[:512]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    if _STRUCTURE.match(text) and not _is_ins(text):
        return text
    return mask_text(text)


def _is_ins(text: str) -> bool:
    try:
        return parse_ins(text).key_holds
    except InvalidValue:
        return False


def attribute_name(kind: str) -> str:
    """The name of an attribute type (name or dotted OID) as the list writes it: `CN`, `ST`, `L`, a dotted OID."""
    key = dn.key_of([(kind, "x")], st_is_l=False).partition("=")[0]
    return LABELS.get(key, key.upper() if key.isalpha() else key)


def name_text(name: x509.Name) -> str:
    """The DN of an authority, most specific part first."""
    try:
        attributes = name_attributes(name.public_bytes())
    except (DerError, ValueError):
        return "an unreadable name"
    return attributes_text(attributes)


def attributes_text(attributes: Iterable[tuple[str, str]]) -> str:
    """A DN as people read it, most specific part first, each value as `plain` shows it."""
    parts = [f"{attribute_name(kind)}={plain(value)}" for kind, value in attributes]
    return ", ".join(reversed(parts))


def listed_text(key: str, names: Mapping[str, str]) -> str:
    """The DN of a key as the list publishes it; what is on the list is public."""
    return " ".join(names.get(key, key).split())


def differences(
    listed: Iterable[tuple[str, str]], shown: Iterable[tuple[str, str]], *, st_is_l: bool
) -> tuple[Difference, ...]:
    """In which attributes a listed DN and the one of a certificate differ, each told with its own spelling."""
    left, right = _by_key(listed, st_is_l), _by_key(shown, st_is_l)
    only_left = Counter(left.keys()) - Counter(right.keys())
    only_right = Counter(right.keys()) - Counter(left.keys())
    missing: dict[str, list[str]] = {}
    for kind, value in sorted(only_right):
        missing.setdefault(kind, []).append(right[kind, value])
    found = []
    for kind, value in sorted(only_left):
        theirs = missing.get(kind)
        found.append(Difference(kind, left[kind, value], theirs.pop(0) if theirs else ""))
    found += [Difference(kind, "", value) for kind, values in sorted(missing.items()) for value in values]
    return tuple(found)


def _by_key(attributes: Iterable[tuple[str, str]], st_is_l: bool) -> dict[tuple[str, str], str]:
    """(attribute, folded value) → the value as written. A value that occurs twice is numbered, as the key counts it."""
    found: dict[tuple[str, str], str] = {}
    for kind, value in attributes:
        name, _, folded = dn.key_of([(kind, value)], st_is_l=st_is_l).partition("=")
        while (name, folded) in found:
            folded += "\N{MIDDLE DOT}"
        found[name, folded] = plain(value)
    return found


def nearest(
    candidates: Iterable[str], names: Mapping[str, str], shown: Iterable[tuple[str, str]], *, st_is_l: bool
) -> tuple[str, tuple[Difference, ...]] | None:
    """Of some DN keys the one that differs in the fewest attributes, and in which; None without a candidate.

    Of equal ones that with the same CN, then the first by its key.
    """
    attributes = tuple(shown)
    ranked = []
    for key in candidates:
        differ = differences(attributes_of(key, names), attributes, st_is_l=st_is_l)
        ranked.append((len(differ), any(one.attribute == "cn" for one in differ), key, differ))
    if not ranked:
        return None
    best = min(ranked, key=lambda one: one[:3])
    return best[2], best[3]


def attributes_of(key: str, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The attributes of a listed DN, as published, else as its key holds them."""
    try:
        return dn.parse(names[key])
    except (KeyError, InvalidValue):
        pairs = (part.partition("=") for part in key.split(","))
        return tuple(
            (kind, _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)) for kind, _, value in pairs
        )


def near(differ: Collection[Difference], shown: Collection[tuple[str, str]]) -> bool:
    """True when two DNs look like one and the same, changed: the same CN, or all but one or two attributes."""
    return all(one.attribute != "cn" for one in differ) or len(differ) <= min(2, len(shown) - 2)
