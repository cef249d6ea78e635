"""What no archive can pass (INS-6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds on what is read; sizes in octets after unpacking.

    `entries` bounds the files, and the documents that are described. `ratio` counts for one file from `ratio_floor`
    octets on, `total_ratio` for all from `total_floor` on. `markup` bounds the `<` of all XML files together,
    `quotes` the quotation marks: they bound time and memory of the trees, which are a large multiple of the text
    otherwise. The parser itself bounds the depth of elements (256 levels).
    """

    entries: int = 500
    entry_size: int = 48 * 1024 * 1024
    total_size: int = 64 * 1024 * 1024
    metadata_size: int = 4 * 1024 * 1024
    ratio: int = 100
    ratio_floor: int = 1024 * 1024
    total_ratio: int = 40
    total_floor: int = 16 * 1024 * 1024
    markup: int = 600_000
    quotes: int = 3_000_000


DEFAULT_LIMITS = ArchiveLimits()
"""Wide enough for 25 MB messages with a PDF inside a CDA, narrow enough for a small machine."""
