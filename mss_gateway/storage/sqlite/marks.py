"""Flags as stored: a bit mask for the system flags, sorted words for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mss_gateway.protocol.imap.fetching import flags_item

SEEN = 1
DELETED = 8
DRAFT = 16
_BITS = {"\\seen": SEEN, "\\answered": 2, "\\flagged": 4, "\\deleted": DELETED, "\\draft": DRAFT}
_NAMES = {SEEN: "\\Seen", 2: "\\Answered", 4: "\\Flagged", DELETED: "\\Deleted", DRAFT: "\\Draft"}


@lru_cache(maxsize=4096)
def to_flags(mask: int, keywords: str) -> frozenset[str]:
    """The flags of a row."""
    names = {name for bit, name in _NAMES.items() if mask & bit}
    return frozenset(names.union(keywords.split()))


FLAG_TEXT = "imap_flags"
"""The SQL function that calls `flag_text`."""


def flag_text(*row: int | float | str | bytes | None) -> str:
    """`FLAGS (...)` of the mask and the keywords of a row, as FETCH has it."""
    mask, keywords = row
    assert isinstance(mask, int)
    assert isinstance(keywords, str)
    return flags_item(to_flags(mask, keywords)).decode("ascii")


@lru_cache(maxsize=4096)
def from_flags(flags: frozenset[str]) -> tuple[int, str]:
    """Mask and keywords of a flag set; `\\Recent` and unknown system flags are dropped.

    Keywords differ by case-insensitive comparison only; the first spelling met in sorted order stays.
    """
    mask = 0
    words: dict[str, str] = {}
    for flag in sorted(flags):
        bit = _BITS.get(flag.lower())
        if bit is not None:
            mask |= bit
        elif not flag.startswith("\\"):
            words.setdefault(flag.lower(), flag)
    return mask, " ".join(words[key] for key in sorted(words))


def merge(current: frozenset[str], add: Iterable[str], remove: Iterable[str]) -> frozenset[str]:
    """A flag set after additions and removals, keywords compared without case."""
    gone = {flag.lower() for flag in remove}
    kept = {flag for flag in current if flag.lower() not in gone}
    have = {flag.lower() for flag in kept}
    return frozenset(kept | {flag for flag in add if flag.lower() not in have})
