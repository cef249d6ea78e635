"""A text in a file, read piece by piece as it is asked for: a map would count the whole message as memory in use."""

from __future__ import annotations

import os

from .records import TEXT_PART
from .sealing import Seal


class FileText:
    """A stretch of an open file as `mail.spans.Buffer`, sealed or not; `size` octets once it is opened.

    A slice raises OSError, and `SealBroken` where what is sealed was changed.
    """

    __slots__ = ("_fd", "_offset", "_seal", "_size")

    def __init__(self, fd: int, offset: int, size: int, seal: Seal | None = None) -> None:
        self._fd = fd
        self._offset = offset
        self._size = size
        self._seal = seal

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._size)
        octets = max(0, stop - start)
        if self._seal is None:
            return self._read(start, octets)
        return self._seal.open_range(TEXT_PART, self._size, start, octets, self._read)

    def _read(self, at: int, octets: int) -> bytes:
        return os.pread(self._fd, octets, self._offset + at)
