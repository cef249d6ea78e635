"""COMPARATOR, parsed (RFC 5255 section 4.7)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChooseComparator:
    """COMPARATOR: `patterns` as the client prefers them (`comparators.is_pattern`); without any it only asks."""

    patterns: tuple[str, ...] = ()
