"""Decoding a large part: pieces in memory, never the part. Apart from other tests, whose gateway has its own needs."""

from __future__ import annotations

import asyncio

import pytest

from mss_gateway.imapd.binaries import PIECE, Content
from mss_gateway.mail.parttable import Encoding, PartRow, PartTable
from mss_gateway.mail.structure import LEAF
from mss_gateway.protocol.imap.fetchitems import Partial
from tests.support.memory import little_memory


@pytest.mark.parametrize("encoding", [Encoding.BASE64, Encoding.QUOTED_PRINTABLE, Encoding.IDENTITY])
def test_memory_does_not_grow_with_the_part(encoding: Encoding) -> None:
    """A large part is measured and sent with some pieces in memory; a short stretch reads no further than needed."""
    line = b"QUJD" * 19 + b"\r\n"
    size = 12_000_000 // len(line) * len(line)
    asked: list[int] = []

    async def fetch(in_header: bool, start: int, end: int) -> bytes:
        assert not in_header
        asked.append(end - start)
        shift = start % len(line)
        return (line * ((end - start + shift) // len(line) + 1))[shift : shift + end - start]

    row = PartRow(LEAF, encoding, 0, 0, 0, size)
    content = Content(PartTable(0, size, (row,)), (1,))

    async def measure() -> int:
        total, nul, kept = await content.measure(fetch)
        assert not nul
        assert kept is None
        sent = 0
        async for data in content.pieces(fetch, None):
            sent += len(data)
        assert sent == total
        return total

    with little_memory(4_000_000):
        total = asyncio.run(measure())
    assert total == {Encoding.BASE64: size // len(line) * 57}.get(encoding, size)
    assert max(asked) <= PIECE
    asked.clear()
    assert asyncio.run(content.measure(fetch, Partial(1000, 10)))[0] == 10
    assert len(asked) == 1
