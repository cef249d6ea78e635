"""Texts on their way into a segment: where they come from, and how long they are once they are sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mss_gateway.ports.records import TEXT_PART, SpoolFile
from mss_gateway.ports.sealing import CHUNK, Seal, SealBroken, sealed_size

COPY_SIZE = 16 * CHUNK
"""Octets that are read and written at once."""


def size_of(text: bytes | SpoolFile) -> int:
    """Octets of a text."""
    return text.size if isinstance(text, SpoolFile) else len(text)


def stored_size(size: int, *, sealed: bool) -> int:
    """Octets on the disk of a text of so many."""
    return sealed_size(size) if sealed else size


def is_all(text: SpoolFile) -> bool:
    """True when the file holds the text and nothing else."""
    size = stored_size(text.size, sealed=text.key is not None)
    return text.offset == 0 and text.path.stat().st_size == size


def pieces_of(text: bytes | SpoolFile) -> Iterator[bytes]:
    """The text in pieces of `COPY_SIZE`; raises OSError when a file is shorter than announced, or was changed."""
    if isinstance(text, bytes):
        yield from (text[at : at + COPY_SIZE] for at in range(0, len(text), COPY_SIZE))
        return
    seal = None if text.key is None else Seal(text.key)
    with text.path.open("rb", buffering=0) as file:
        for at in range(0, text.size, COPY_SIZE):
            wanted = min(COPY_SIZE, text.size - at)
            data = _read(file.fileno(), text, seal, at, wanted)
            if len(data) != wanted:
                raise OSError("the spool file is shorter than announced")
            yield data


def _read(fd: int, text: SpoolFile, seal: Seal | None, at: int, wanted: int) -> bytes:
    if seal is None:
        return os.pread(fd, wanted, text.offset + at)

    def read(where: int, octets: int) -> bytes:
        return os.pread(fd, octets, text.offset + where)

    try:
        return seal.open_range(TEXT_PART, text.size, at, wanted, read)
    except SealBroken:
        raise OSError("the sealed file is shorter than announced, or was changed") from None


def sealed_pieces(text: bytes | SpoolFile, seal: Seal) -> Iterator[bytes]:
    """The pieces of a text, sealed as they lie in a segment; raises as `pieces_of`."""
    last = (size_of(text) - 1) // CHUNK
    if last < 0:
        yield seal.close(TEXT_PART, b"")
    index = 0
    for piece in pieces_of(text):
        chunks = []
        for at in range(0, len(piece), CHUNK):
            chunks.append(seal.close_chunk(TEXT_PART, index, piece[at : at + CHUNK], last=index == last))
            index += 1
        yield b"".join(chunks)
