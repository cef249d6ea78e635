"""What a text search compares: folded text, the same for the scan and for the index (RFC 9051 section 6.4.4)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from .message import unfold
from .words import decode_words

SEPARATOR = " \x1f "
"""Between texts that lie side by side. U+001F is white space to `fold`, so no folded needle ever reaches across."""

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_FOREIGN = re.compile(r"[^\x00-\x7f]++")
_RUN = 16  # a longer run is hardly met again, and the cache must not hold large texts

# What NFKD leaves alone: ligatures that are letters, the apostrophe and the dashes of printers, marks without a form.
_ALSO = str.maketrans(
    {
        "œ": "oe",
        "Œ": "oe",
        "æ": "ae",
        "Æ": "ae",
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", "-"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff"),
    }
)


def _plain(run: str) -> str:
    decomposed = unicodedata.normalize("NFKD", run.translate(_ALSO)).translate(_ALSO)
    bare = "".join([char for char in decomposed if not unicodedata.combining(char)])
    # Case folding may make what decomposes again; a second round makes the result stable.
    return unicodedata.normalize("NFKD", bare.casefold())


_cached = lru_cache(maxsize=4096)(_plain)


def _run(match: re.Match[str]) -> str:
    run = match[0]
    return _cached(run) if len(run) <= _RUN else _plain(run)


def fold(text: str) -> str:
    """Return text for comparison: no case, no accents, ligatures as letters, any white space as one space."""
    if not text.isascii():
        text = _FOREIGN.sub(_run, text)
    if "\0" in text:
        text = text.replace("\0", " ")
    return " ".join(text.lower().split() if text.isascii() else text.casefold().split())


def header_text(raw: bytes) -> str:
    """Return raw header octets as text: unfolded, encoded words decoded (RFC 2047)."""
    return decode_words(unfold(raw))


def header_values(header: bytes, field: str) -> list[bytes]:
    """The raw values of every field of that name (lower case), folding kept. Linear in the header."""
    name = field.encode("utf-8")
    if name not in header.lower():
        return []
    return [value for found, value in _FIELD.findall(header) if found.lower() == name]


def fold_header(header: bytes) -> str:
    """The whole header block: every field as `name: value`, folded, with `SEPARATOR` between fields."""
    return SEPARATOR.join([f"{name}: {value}" for name, value in folded_lines(header)])


def header_lines(header: bytes) -> list[tuple[str, str]]:
    """Every field in order: its name in lower case, its value as text."""
    return [(name.decode("ascii").lower(), header_text(value)) for name, value in _FIELD.findall(header)]


def folded_lines(header: bytes) -> list[tuple[str, str]]:
    """Every field in order: its name in lower case, its folded value."""
    return [(name, fold(text)) for name, text in header_lines(header)]
