"""One row of the directory as people and programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mss_gateway.rules.facts import BoxType, Listed

from .columns import NAMES, SEPARATOR

Record = dict[str, str]
"""The columns of one row by our names, empty ones left out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: words of any kind, and filters; all of them must fit."""

    words: str = ""
    type: str = ""
    profession: str = ""
    department: str = ""
    place: str = ""
    number: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that fit, the best first; `more` tells that there are others."""

    rows: list[Record] = field(default_factory=list)
    more: bool = False


def record_of(line: str) -> Record:
    """A kept line by our names."""
    return {
        name: cell.strip() for name, cell in zip(NAMES, line.split(SEPARATOR), strict=False) if cell.strip()
    }


def line_of(record: Mapping[str, str]) -> str:
    """A row as it is kept; a separator within a value becomes a space."""
    return SEPARATOR.join([" ".join(record.get(name, "").replace(SEPARATOR, " ").split()) for name in NAMES])


def holder(record: Mapping[str, str]) -> str:
    """First name and name, or empty."""
    return " ".join(part for part in (record.get("first_name"), record.get("name")) if part)


def house(record: Mapping[str, str]) -> str:
    """The structure as it is known: its sign or its name, with the service."""
    named = record.get("structure") or record.get("sign") or ""
    return ", ".join(part for part in (record.get("service"), named) if part)


def listed_of(record: Mapping[str, str], source: str) -> Listed | None:
    """The word of the directory on one mailbox; None for a type that nobody knows."""
    try:
        kind = BoxType(record.get("type", ""))
    except ValueError:
        return None
    return Listed(kind, holder(record), house(record), source)
