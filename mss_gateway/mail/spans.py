"""Octets that may be a bytes object, a view or a memory map, read by offset without copying them whole."""

from __future__ import annotations

import hashlib
from mmap import mmap
from typing import Protocol

_PIECE = 1 << 18  # octets copied at a time out of a map, a view or a file


class Octets(Protocol):
    """Anything with a length that gives a copy of a slice, such as a file read by offset."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


Buffer = bytes | mmap | memoryview | Octets
"""What a message's text may lie in."""


class Text:
    """The part of a message after its header. Offsets count from the start of the text.

    `offset` is where the text starts in `buffer`, `size` its length in octets (the rest by default).
    """

    __slots__ = ("_base", "_buffer", "_bytes", "size")

    def __init__(self, buffer: Buffer, offset: int = 0, size: int | None = None) -> None:
        self.size = len(buffer) - offset if size is None else size
        self._bytes: bytes | None = None
        if isinstance(buffer, bytes) and not offset and self.size == len(buffer):
            self._bytes = buffer
        elif self.size <= _PIECE:
            self._bytes = bytes(buffer[offset : offset + self.size])
        self._buffer = buffer
        self._base = offset

    def slice(self, start: int, end: int) -> bytes:
        """Return the octets from `start` up to `end`."""
        if self._bytes is not None:
            return self._bytes[start:end]
        return bytes(self._buffer[self._base + start : self._base + min(end, self.size)])

    def find(self, needle: bytes, start: int, end: int) -> int:
        """Return where `needle` first lies wholly between `start` and `end`, or -1."""
        if self._bytes is not None:
            return self._bytes.find(needle, start, end)
        overlap = len(needle) - 1
        while start < end:
            at = self.slice(start, min(end, start + _PIECE + overlap)).find(needle)
            if at >= 0:
                return start + at
            start += _PIECE
        return -1

    def count_lines(self, start: int, end: int) -> int:
        """Return the number of line feeds between two offsets, and one for an unended last line."""
        if start >= end:
            return 0
        if self._bytes is not None:
            total = self._bytes.count(b"\n", start, end)
        else:
            total = sum(
                self.slice(at, min(end, at + _PIECE)).count(b"\n") for at in range(start, end, _PIECE)
            )
        return total + (self.slice(end - 1, end) != b"\n")

    def sha256(self) -> bytes:
        """Return the SHA-256 of the whole text, hashed in pieces."""
        if self._bytes is not None:
            return hashlib.sha256(self._bytes).digest()
        state = hashlib.sha256()
        for at in range(0, self.size, _PIECE):
            state.update(self.slice(at, at + _PIECE))
        return state.digest()
