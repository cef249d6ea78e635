"""The octets of a letter: surveyed once, then read in pieces as they are sent (RTE-7)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mss_gateway.base.errors import GatewayError
from mss_gateway.ports.relay import Letter
from mss_gateway.protocol.smtp import ContentSurvey

PIECE = 128 * 1024
"""Octets of text read at a time; a smaller letter is read once."""


class LetterIncomplete(GatewayError):
    """The store gave fewer octets than the letter says it has: a fault of ours, nothing was delivered."""


class Content:
    """Header and text of a letter; `eight_bit`, `binary` and `utf8_header` as `Wish` wants them.

    `first` holds the first piece: all octets of what is not longer.
    """

    def __init__(self, letter: Letter) -> None:
        self._letter = letter
        self.first = b""
        self.size = len(letter.header) + letter.text_size
        self.eight_bit = False
        self.binary = False
        self.utf8_header = False

    @classmethod
    async def of(cls, letter: Letter) -> Content:
        """Read the letter through once; raises `LetterIncomplete`, and whatever the store raises."""
        content = cls(letter)
        content.first = letter.header + await content._read(0)
        survey = ContentSurvey()
        async for piece in content.pieces():
            survey.add(piece)
        survey.end()
        content.eight_bit, content.binary = survey.eight_bit, survey.binary
        content.utf8_header = content.eight_bit and _is_utf8_header(letter.header)
        return content

    async def pieces(self) -> AsyncIterator[bytes]:
        """All octets in order; raises `LetterIncomplete`, and whatever the store raises."""
        yield self.first
        at = PIECE
        while at < self._letter.text_size:
            yield await self._read(at)
            at += PIECE

    async def _read(self, at: int) -> bytes:
        wanted = min(PIECE, self._letter.text_size - at)
        if wanted <= 0:
            return b""
        piece = await self._letter.read_text(at, wanted)
        if len(piece) != wanted:
            raise LetterIncomplete
        return piece


def _is_utf8_header(header: bytes) -> bool:
    if header.isascii():
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True
