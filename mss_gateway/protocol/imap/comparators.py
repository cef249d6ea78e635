"""The comparators of SEARCH, SORT and THREAD (RFC 5255 section 4), and the patterns that choose among them (RFC 4790).

Both order as i;unicode-casemap does (`collation`). They differ in what contains what: to the default comparator letters
are the same without their accents, `e` and `é`, `œ` and `oe`, and any white space is one space (`mail.searchtext`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from .searchkeys import TEXTS, Fuzzy, SearchKey, rewrite

_PATTERN = re.compile(r"[+-]?(?:\*|[A-Za-z]\*?)(?:[A-Za-z0-9;=.\-]\*?)*")
_LONGEST = 254


class Comparator(Enum):
    """Those that are installed, the more widely useful first (RFC 4790 section 3.2)."""

    CASEMAP = "i;unicode-casemap"
    FOLD = "vnd-mss-gateway;fold"


DEFAULT = Comparator.FOLD
"""What a connection begins with; the same for everybody, for the life of the connection (RFC 5255 section 4.4)."""


def is_pattern(text: str) -> bool:
    """Is it a collation-order of RFC 4790 section 3.3?"""
    return _PATTERN.fullmatch(text) is not None and len(text.lstrip("+-")) <= _LONGEST


def matching(patterns: Sequence[str]) -> list[Comparator]:
    """The comparators that match any of the patterns, first those of the first pattern; each once.

    With `-`, which asks for the order turned round, nothing matches: SORT has REVERSE.
    """
    return list(dict.fromkeys(found for pattern in patterns for found in _matching(pattern)))


def _matching(pattern: str) -> list[Comparator]:
    wanted = pattern.removeprefix("+").lower()
    if wanted == "default":
        return [DEFAULT]
    form = re.compile(".*".join(map(re.escape, wanted.split("*"))))
    return [one for one in Comparator if form.fullmatch(one.value)]


def compared(key: SearchKey, comparator: Comparator) -> SearchKey:
    """The same search as a comparator understands its texts; FUZZY ones are nobody's but the index's."""
    if comparator is Comparator.FOLD:
        return key

    def leaf(node: SearchKey) -> SearchKey:
        match node:
            case Fuzzy(inner):
                return Fuzzy(inner)  # an equal node, but another: what is below it stays as it is
            case _:
                return replace(node, accents=True) if isinstance(node, TEXTS) and node.text else node

    return rewrite(key, leaf)
