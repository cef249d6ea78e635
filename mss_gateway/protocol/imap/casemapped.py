"""Text keys of SEARCH by i;unicode-casemap (RFC 5051): case does not count, accents and white space do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol

from mss_gateway.mail.searchtext import fold, header_lines, header_text

from .collation import casemap
from .headeronly import field_values
from .searchkeys import BodyHas, HeaderHas, TextHas

_REMEMBERED = 200  # octets of a header value whose compared form is kept for the next search
_DOUBTFUL = re.compile("[i\u03b9]")


class Readable(Protocol):
    """What is read of a message; `matching.Candidate` is one."""

    def header(self) -> bytes:
        """The header block."""

    def unfolded(self) -> Iterator[str]:
        """The text parts of the body and the names of attachments, as they are written."""


def _mapped(value: bytes) -> str:
    return casemap(header_text(value).strip())


_remembered = lru_cache(maxsize=4096)(_mapped)


class Mapped:
    """The texts of the message in hand in the form in which they are compared, made once for many keys."""

    __slots__ = ("_body", "_lines", "_message")

    def __init__(self) -> None:
        self._message: Readable | None = None
        self._lines: list[str] | None = None
        self._body: list[str] | None = None

    def _turn_to(self, message: Readable) -> None:
        if self._message is not message:
            self._message = message
            self._lines = self._body = None

    def values(self, message: Readable, field: str) -> list[str]:
        """The fields of that name."""
        raw = message.header()
        return [
            _remembered(value) if len(value) <= _REMEMBERED else _mapped(value)
            for value in field_values(raw, raw.lower(), field)
        ]

    def lines(self, message: Readable) -> list[str]:
        """Every field as `name: value`."""
        self._turn_to(message)
        if self._lines is None:
            self._lines = [
                casemap(f"{name}: {text.strip()}") for name, text in header_lines(message.header())
            ]
        return self._lines

    def body(self, message: Readable) -> list[str]:
        """The texts of the body."""
        self._turn_to(message)
        if self._body is None:
            self._body = [casemap(text) for text in message.unfolded()]
        return self._body


def contains(key: HeaderHas | BodyHas | TextHas, mapped: Mapped) -> Callable[[Readable], bool]:
    """The test for one key, whose text is not empty."""
    needle = casemap(key.text)

    def among(texts: list[str]) -> bool:
        return any(needle in text for text in texts)

    match key:
        case HeaderHas(field):
            return lambda message: among(mapped.values(message, field))
        case BodyHas():
            return lambda message: among(mapped.body(message))
        case TextHas():
            return lambda message: among(mapped.lines(message)) or among(mapped.body(message))


def folded_part(text: str) -> str:
    """The longest part of a text that is in the folded form of all that contains the text by i;unicode-casemap.

    Empty when there is none. Two characters count there as a letter that folding takes for something else: the
    dotless i as an i, and the iota below a vowel as an iota. So no i and no iota is in the part.
    """
    return max((part.strip() for part in _DOUBTFUL.split(fold(casemap(text)))), key=len)
