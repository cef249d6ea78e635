"""The body of a message under way: in memory while small, then in a file, with flat memory.

Where messages are encrypted at rest, the file is sealed from its first octet on, with a key that only this process
knows until the store writes it down with the message (OPS-5).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from mss_gateway.base.errors import Refuse
from mss_gateway.ports.records import TEXT_PART, SpoolFile
from mss_gateway.ports.sealing import CHUNK, KEY_SIZE, Seal

MEMORY_LIMIT = 256 * 1024  # octets of one message kept in memory before a file is made; its header must fit
WRITE_SIZE = 256 * 1024  # octets gathered before one write to the file

HEADER_TOO_LARGE = Refuse(
    552, "5.3.4", "The header of the message is larger than 256 KiB", "header-too-large"
)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole message as received: its header block with the empty line, and the rest."""

    header: bytes
    text: bytes | SpoolFile
    size: int


class Spool:
    """Collects one message. Disk writes happen in `executor`; nothing is durable until the store has it."""

    def __init__(self, path: Path, executor: Executor, *, sealed: bool = False) -> None:
        self._key = os.urandom(KEY_SIZE) if sealed else None
        self._seal = None if self._key is None else Seal(self._key)
        self._chunks = 0  # sealed and written
        self._tail = b""  # octets that are no whole chunk yet
        self._path = path
        self._executor = executor
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._file: int | None = None
        self._made = False
        self._writing: asyncio.Future[None] | None = None
        self._written = 0
        self._header: bytes | None = None
        self.size = 0

    async def add(self, chunk: bytes) -> None:
        """Take the next octets; raises OSError when the disk refuses them."""
        self._pending.append(chunk)
        self._pending_size += len(chunk)
        self.size += len(chunk)
        if self._pending_size < (WRITE_SIZE if self._file is not None else MEMORY_LIMIT):
            return
        await self._flush()

    async def _flush(self, *, last: bool = False) -> None:
        data = b"".join(self._pending)
        self._pending = []
        self._pending_size = 0
        if self._header is None:
            # The header stays in memory, so that the file holds the text alone and can be mapped.
            self._header = data[: header_size(data)]
            data = data[len(self._header) :]
        # The thread cannot be cancelled: `discard` waits for it, or it would write to a descriptor used anew.
        self._writing = asyncio.get_running_loop().run_in_executor(self._executor, self._write, data, last)
        await asyncio.shield(self._writing)

    def _write(self, data: bytes, last: bool) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._made = True
        self._written += len(data)
        if self._seal is not None:
            data = self._sealed(self._seal, self._tail + data, last)
        view = memoryview(data)
        while view:
            done = os.write(self._file, view)
            view = view[done:]

    def _sealed(self, seal: Seal, data: bytes, last: bool) -> bytes:
        """The chunks that are whole; the rest waits for more, or is the last chunk, which is never left out."""
        chunks = []
        at = 0
        while len(data) - at > CHUNK:
            chunks.append(seal.close_chunk(TEXT_PART, self._chunks, data[at : at + CHUNK], last=False))
            self._chunks += 1
            at += CHUNK
        self._tail = data[at:]
        if last:
            chunks.append(seal.close_chunk(TEXT_PART, self._chunks, self._tail, last=True))
            self._tail = b""
        return b"".join(chunks)

    async def finish(self, memory: int = MEMORY_LIMIT) -> Spooled | Refuse:
        """Close the body and split it after the header block; a text of more than `memory` octets goes to the file.

        Raises OSError when the disk refuses it.
        """
        if self._file is None and self.size > memory:
            data = b"".join(self._pending)
            if len(data) - (header_size(data) or len(data)) > memory:
                self._pending = [data]
                await self._flush()
        if self._file is None:
            data = b"".join(self._pending)
            self._pending = []
            size = header_size(data) or len(data)
            if size > MEMORY_LIMIT:
                return HEADER_TOO_LARGE
            return Spooled(data[:size], data[size:], len(data))
        if self._pending or self._seal is not None:
            await self._flush(last=True)
        os.close(self._file)
        self._file = None
        header = self._header
        if not header or len(header) > MEMORY_LIMIT:
            await self.discard()
            return HEADER_TOO_LARGE
        return Spooled(header, SpoolFile(self._path, 0, self._written, self._key), self.size)

    async def discard(self) -> None:
        """Forget the message; the file goes too."""
        self._pending = []
        self._pending_size = 0
        if self._writing is not None:
            with contextlib.suppress(OSError):
                await asyncio.shield(self._writing)
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._made:
            self._made = False
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()


def header_size(data: bytes) -> int:
    """Octets of the header block with its empty line; 0 when the empty line is not there."""
    if data.startswith(b"\r\n"):
        return 2
    end = data.find(b"\r\n\r\n")
    return end + 4 if end >= 0 else 0
