"""Content transfer encodings undone, as far as what came allows (RFC 2045 section 6)."""

from __future__ import annotations

import binascii
import re
from typing import Protocol

from .parttable import Encoding

_BLANKS = b"\r\n\t "
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOISE = bytes(set(range(256)) - set(_ALPHABET))

_SOFT_BREAK = re.compile(rb"=[ \t]{0,76}+\r?\n")
_TRAILING = re.compile(rb"(?<![ \t])[ \t]{1,76}+(?=\r?\n)")
_NO_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]{0,76}+\r?\n)")
_UNSURE = re.compile(rb"(?:=(?:[ \t]{0,76}+\r?|[0-9A-Fa-f])|(?<![ \t])[ \t]{1,76}+\r?|\r)\Z")
_TAIL = 80  # octets at the end of a piece that may belong to what follows


def decode_transfer(data: bytes, encoding: int) -> bytes | None:
    """Return the octets behind a transfer encoding; None when it is unknown.

    Blanks and a missing end of base64 are no reason to hide a document; anything else that is not
    base64 leaves the octets as they came.
    """
    if encoding == Encoding.IDENTITY:
        return data
    if encoding == Encoding.QUOTED_PRINTABLE:
        return _quoted_printable(data)
    if encoding != Encoding.BASE64:
        return None
    try:
        return binascii.a2b_base64(data)  # blanks are passed over
    except binascii.Error:
        pass
    kept = data.translate(None, _BLANKS)
    try:
        return binascii.a2b_base64(kept[: len(kept) - len(kept) % 4])
    except binascii.Error:
        return data


def _quoted_printable(data: bytes) -> bytes:
    """Soft breaks and trailing blanks go (RFC 2045 section 6.7, rules 3 and 5), `=` that escapes nothing stays."""
    # What escapes nothing is marked before anything goes: no escape may come into being across what went.
    data = _TRAILING.sub(b"", _NO_ESCAPE.sub(b"=3D", data))
    return binascii.a2b_qp(_SOFT_BREAK.sub(b"", data))


class Decoder(Protocol):
    """Undoes an encoding piece by piece, in memory that does not grow with the part."""

    def feed(self, data: bytes) -> bytes:
        """Octets that are certain now."""

    def end(self) -> bytes:
        """The octets that were still held back."""


class _Base64:
    """What is outside of the alphabet is passed over, the first `=` ends it (RFC 2045 section 6.8)."""

    __slots__ = ("_ended", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            return b""
        data = self._rest + data.translate(None, _NOISE)
        padding = data.find(b"=")
        if padding >= 0:
            self._ended = True
            data = data[:padding]
        whole = len(data) - len(data) % 4
        self._rest = data[whole:]
        return binascii.a2b_base64(data[:whole]) + (self.end() if self._ended else b"")

    def end(self) -> bytes:
        """The last octets of a part that lost its padding; a single character holds none."""
        rest, self._rest = self._rest, b""
        return binascii.a2b_base64(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""


class _QuotedPrintable:
    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        unsure = _UNSURE.search(data, max(0, len(data) - _TAIL))
        cut = unsure.start() if unsure else len(data)
        self._rest = data[cut:]
        return _quoted_printable(data[:cut])

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return _quoted_printable(rest)


class _Identity:
    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


def decoder(encoding: int) -> Decoder:
    """A fresh decoder; what has an unknown encoding passes as it is, so callers refuse it before."""
    if encoding == Encoding.BASE64:
        return _Base64()
    return _QuotedPrintable() if encoding == Encoding.QUOTED_PRINTABLE else _Identity()
