"""BINARY and BINARY.SIZE: parts with their transfer encoding undone, in pieces (RFC 3516, RFC 9051 section 6.4.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from mss_gateway.mail.parttable import Encoding, PartTable, Span, find_part
from mss_gateway.mail.structure import LEAF
from mss_gateway.mail.transfer import decoder
from mss_gateway.protocol.imap.fetchitems import Partial

PIECE = 256 * 1024  # octets read from the store and sent at a time

Fetch = Callable[[bool, int, int], Awaitable[bytes]]
"""Reads octets of the header (True) or of the text between two offsets; shorter when the message has gone."""


class Content:
    """The decoded octets of one part, or of the whole message for the empty path.

    A multipart or a nested message is itself never encoded (RFC 2045 section 6.4): its octets are as they stand.
    """

    def __init__(self, table: PartTable, path: tuple[int, ...]) -> None:
        self.encoding = int(Encoding.IDENTITY)
        self.spans: tuple[Span, ...] | None
        if not path:
            self.spans = (Span(True, 0, table.header_size), Span(False, 0, table.text_size))
            return
        part = find_part(table, path)
        self.spans = None if part is None else (Span(False, part.body, part.end),)
        if part is not None and part.kind == LEAF:
            self.encoding = part.encoding

    @property
    def known(self) -> bool:
        """False when nobody can say what the octets are (UNKNOWN-CTE)."""
        return self.encoding != Encoding.UNKNOWN

    async def pieces(self, fetch: Fetch, partial: Partial | None) -> AsyncIterator[bytes]:
        """The octets, or the stretch of them that is asked; nothing is read after its end."""
        skip, left = (partial.offset, partial.length) if partial else (0, -1)
        async for data in self._decoded(fetch):
            if skip >= len(data):
                skip -= len(data)
                continue
            data = data[skip:] if left < 0 else data[skip : skip + left]
            skip = 0
            yield data
            if left >= 0:
                left -= len(data)
                if not left:
                    return

    async def _decoded(self, fetch: Fetch) -> AsyncIterator[bytes]:
        decoding = decoder(self.encoding)
        for span in self.spans or ():
            for at in range(span.start, span.end, PIECE):
                data = await fetch(span.in_header, at, min(span.end, at + PIECE))
                if not data:
                    break
                yield decoding.feed(data)
        yield decoding.end()

    async def measure(self, fetch: Fetch, partial: Partial | None = None) -> tuple[int, bool, bytes | None]:
        """How many octets there are, whether NUL is among them, and the octets themselves when they are few."""
        size, nul = 0, False
        kept: list[bytes] = []
        async for data in self.pieces(fetch, partial):
            size += len(data)
            nul = nul or b"\0" in data
            if size <= PIECE:
                kept.append(data)
        return size, nul, b"".join(kept) if size <= PIECE else None
