"""What no archive can pass (INS-6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds on what is read; sizes in octets after unpacking.

    `ratio` counts from `ratio_floor` octets on. `markup` bounds the `<` of one XML file, `quotes` its quotation
    marks: they bound the memory of the tree, which is a large multiple of the text otherwise. The parser itself bounds
    the depth of elements (256 levels).
    """

    entries: int = 500
    entry_size: int = 48 * 1024 * 1024
    total_size: int = 64 * 1024 * 1024
    metadata_size: int = 4 * 1024 * 1024
    ratio: int = 100
    ratio_floor: int = 1024 * 1024
    markup: int = 300_000
    quotes: int = 3_000_000


DEFAULT_LIMITS = ArchiveLimits()
"""Wide enough for 25 MB messages with a PDF inside a CDA, narrow enough for a small machine."""
