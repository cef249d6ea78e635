"""SMTP replies as values: code, enhanced status, text (RFC 5321 section 4.2, RFC 2034, RFC 3463)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from mss_gateway.base.errors import Refuse

MAX_TEXT = 400
"""Octets of text on one reply line; RFC 5321 section 4.5.3.1.5 allows 512 with code and CRLF."""

_UNSAFE = re.compile(r"[^ -~]")
_FOLDS = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "«": '"',
        "»": '"',
        "œ": "oe",
        "Œ": "OE",
        "æ": "ae",
        "Æ": "AE",
        "–": "-",
        "—": "-",
        "…": "...",
        "\u00a0": " ",
        "\u202f": " ",
        "€": "EUR",
        "°": "o",
    }
)


@lru_cache(maxsize=1024)
def ascii_text(text: str) -> str:
    """Return `text` in printable ASCII: accents dropped, French quotes folded, the rest as `?`.

    A reply may be read by clients that never asked for SMTPUTF8 (RFC 6531 section 3.7.4), and no
    control character may pass, since CR LF would forge a second reply.
    """
    if text.isascii() and text.isprintable():
        return text
    folded = unicodedata.normalize("NFKD", text.translate(_FOLDS))
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    return _UNSAFE.sub("?", bare)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `enhanced` is None only for 220, 334, 354 and EHLO; `text` may hold several lines."""

    code: int
    enhanced: str | None
    text: str

    @property
    def positive(self) -> bool:
        """True for 2xx and 3xx."""
        return self.code < 400

    @classmethod
    def of(cls, refuse: Refuse) -> Reply:
        """Return the reply that says a business refusal to the peer."""
        return cls(refuse.code, refuse.enhanced, refuse.public)

    def encode(self) -> bytes:
        """Return the wire form; every line carries the code and the enhanced status (RFC 2034)."""
        return _encode(self)


@lru_cache(maxsize=1024)
def _encode(reply: Reply) -> bytes:
    status = f"{reply.enhanced} " if reply.enhanced else ""
    lines: list[str] = []
    for line in reply.text.split("\n"):
        plain = ascii_text(line.rstrip("\r"))
        lines += [plain[at : at + MAX_TEXT] for at in range(0, len(plain), MAX_TEXT)] or [""]
    last = len(lines) - 1
    return "".join(
        f"{reply.code}{' ' if index == last else '-'}{status}{line}\r\n" for index, line in enumerate(lines)
    ).encode("ascii")
