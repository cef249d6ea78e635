"""Octets sealed with AES-256-GCM in chunks, so that any stretch of a large text is opened alone (OPS-5).

A key seals the parts of one body, or one text under way, and nothing else. Its nonces are counted: the part of the
body, whether the chunk is the last one, and the number of the chunk. So no nonce is used twice under a key, and a chunk
that was moved, left out or taken from another body or part does not open.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE = 32
"""Octets of a key."""

CHUNK = 64 * 1024
"""Octets of a text that are sealed together."""

TAG = 16
"""Octets that a chunk is longer once it is sealed."""


class SealBroken(Exception):
    """Sealed octets are damaged, or were sealed with another key or for another place."""


def sealed_size(size: int) -> int:
    """How long so many octets are once they are sealed; an empty text is one empty chunk."""
    return size + TAG * max(1, -(-size // CHUNK))


class Seal:
    """Seals and opens with one key, which must seal each part of one body once."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def close(self, part: int, data: bytes) -> bytes:
        """A text of a part, sealed whole."""
        if len(data) <= CHUNK:
            return self._aead.encrypt(_nonce(part, 0, last=True), data, None)
        return b"".join(
            self.close_chunk(part, at // CHUNK, data[at : at + CHUNK], last=at + CHUNK >= len(data))
            for at in range(0, len(data), CHUNK)
        )

    def close_chunk(self, part: int, index: int, data: bytes, *, last: bool) -> bytes:
        """One chunk; each is of `CHUNK` octets but the last."""
        return self._aead.encrypt(_nonce(part, index, last=last), data, None)

    def open(self, part: int, sealed: bytes) -> bytes:
        """A whole text; raises `SealBroken`."""
        if len(sealed) <= CHUNK + TAG:
            return self._open_chunk(part, 0, sealed, last=True)
        size = len(sealed) - TAG * -(-len(sealed) // (CHUNK + TAG))
        return self.open_range(part, size, 0, size, lambda at, octets: sealed[at : at + octets])

    def open_range(
        self, part: int, size: int, offset: int, wanted: int, read: Callable[[int, int], bytes]
    ) -> bytes:
        """Octets `offset` and following of a text of `size` octets; `read(at, octets)` gives sealed ones.

        Raises `SealBroken`, and whatever `read` raises.
        """
        end = min(offset + wanted, size)
        if end <= offset:
            return b""
        first, final, ends = offset // CHUNK, (end - 1) // CHUNK, (size - 1) // CHUNK
        step = CHUNK + TAG
        start = first * step
        sealed = memoryview(read(start, min((final + 1) * step, sealed_size(size)) - start))
        opened = b"".join(
            self._open_chunk(part, index, sealed[(index - first) * step :][:step], last=index == ends)
            for index in range(first, final + 1)
        )
        return opened[offset - first * CHUNK : end - first * CHUNK]

    def _open_chunk(self, part: int, index: int, sealed: bytes | memoryview, *, last: bool) -> bytes:
        try:
            return self._aead.decrypt(_nonce(part, index, last=last), sealed, None)
        except (InvalidTag, ValueError):
            raise SealBroken from None


def _nonce(part: int, index: int, *, last: bool) -> bytes:
    return bytes((part, last)) + index.to_bytes(10, "big")
