"""DEFLATE both ways for one connection, with bounded memory (RFC 4978, RFC 1951)."""

from __future__ import annotations

import zlib

PIECE = 64 * 1024
"""Octets that one call inflates at most: what a bomb holds comes in pieces of this size, when asked for."""

_SLICE = 4096  # compressed octets given to zlib at a time: it copies what it could not use
_FLUSHED = b"\x00\x00\xff\xff"  # how a burst ends that can be read at once (RFC 1951 section 3.2.4)
_LEVEL = 3
_WINDOW = -13  # raw, 8 KiB: with _MEMORY the state takes 64 KiB, not 256, and only while something is sent
_MEMORY = 6
_ANY_WINDOW = -15  # raw, as large as the peer likes


class Garbled(Exception):
    """The peer's octets are no DEFLATE."""


class Deflated:
    """The two halves. Answers of one burst share a compressor; while the connection waits there is none.

    A new compressor goes on in the same stream, since each burst ends on an octet and nothing behind it refers back.
    """

    __slots__ = ("_deflater", "_full", "_inflater", "_last", "_raw", "_used")

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_ANY_WINDOW)
        self._deflater: zlib._Compress | None = None
        self._raw = b""
        self._used = 0
        self._last = b""  # the octets before: a burst may end across two packets
        self._full = False  # the last piece was full: zlib may hold more without further input

    @property
    def pending(self) -> bool:
        """May `inflate` give something without further input?"""
        return self._full or self._used < len(self._raw)

    def feed(self, data: bytes) -> None:
        """Take compressed octets; only when nothing is `pending`, which bounds what is held."""
        self._raw = data
        self._used = 0

    def inflate(self) -> bytes:
        """The next octets, `PIECE` at most and of one burst; empty when more input is needed. Raises `Garbled`.

        What stands behind a burst is not looked at before the burst has been dealt with: it may be plain.
        """
        if self._inflater.eof:
            self._forget()
            raise Garbled  # the peer has ended its stream, and sends on
        pieces: list[bytes] = []
        room = PIECE
        while room and self.pending and not self._inflater.eof:
            part = self._burst()
            try:
                piece = self._inflater.decompress(part, room)
            except zlib.error:
                self._forget()
                raise Garbled from None
            left = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            used = len(part) - len(left)
            self._used += used
            self._last = (self._last + part[:used])[-len(_FLUSHED) :]
            room -= len(piece)
            self._full = not room and not self._inflater.eof
            pieces.append(piece)
            if self._last == _FLUSHED:
                break
        if self._used >= len(self._raw):
            self._forget()
        return b"".join(pieces)

    def _forget(self) -> None:
        self._raw = b""
        self._used = 0

    def _burst(self) -> bytes:
        """The next compressed octets, up to where the burst ends that they belong to."""
        part = self._raw[self._used : self._used + _SLICE]
        before = self._last[1 - len(_FLUSHED) :]
        end = (before + part).find(_FLUSHED)
        return part if end < 0 else part[: end + len(_FLUSHED) - len(before)]

    @property
    def tail(self) -> int:
        """Octets at most that are missing of the end of the last burst: it gives its text without them."""
        return 0 if self._inflater.eof or self._last == _FLUSHED else 1 + len(_FLUSHED)

    def unread(self) -> bytes:
        """What has arrived and was not looked at: the peer has ended its stream before it."""
        return self._raw[self._used :]

    def deflate(self, data: bytes) -> bytes:
        """Compress an answer so that the peer can read all of it at once."""
        if self._deflater is None:
            self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY)
        return self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    def rest(self) -> None:
        """Let the compressor go: nothing will be sent for a while."""
        self._deflater = None
