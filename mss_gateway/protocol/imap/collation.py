"""The collation of SORT and THREAD, i;unicode-casemap (RFC 5051): letters of any case are one, accents come after."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_FOREIGN = re.compile(r"[^\x00-\x7f]")
_UPPER = {ord(letter): letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"}
_COMPLEMENT = bytes(range(255, -1, -1))


@lru_cache(maxsize=4096)
def _character(char: str) -> str:
    """Title case of one character, where that is one character, then its decomposition to the end."""
    title = char.title()
    pending = [title if len(title) == 1 else char]
    done: list[str] = []
    while pending:
        one = pending.pop()
        found = unicodedata.decomposition(one).split()
        if found and found[0].startswith("<"):
            del found[0]
        if found:
            pending.extend([chr(int(code, 16)) for code in reversed(found)])
        else:
            done.append(one)
    return "".join(done)


def casemap(text: str) -> str:
    """The form in which strings are compared, by code points (which is the order of their octets in UTF-8)."""
    if text.isascii():
        return text.upper()
    return _FOREIGN.sub(lambda match: _character(match[0]), text.translate(_UPPER))


def backwards(mapped: str) -> bytes:
    """A key that orders compared forms the other way round; NUL, which no header holds, counts as nothing."""
    return mapped.replace("\0", "").encode("utf-8", "surrogatepass").translate(_COMPLEMENT) + b"\xff"
