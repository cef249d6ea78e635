"""An IMAP client that can turn compression on (RFC 4978)."""

from __future__ import annotations

import zlib

from .wires import Imap


class DeflatingImap(Imap):
    """As `Imap`; after `compress` both directions are DEFLATE."""

    _out: zlib._Compress | None = None
    _in: zlib._Decompress | None = None

    def compress(self) -> None:
        """COMPRESS DEFLATE, which must be taken."""
        self.ok("COMPRESS DEFLATE")
        assert not self.buffer
        self._out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._in = zlib.decompressobj(-15)

    def plain(self) -> None:
        """Neither direction is compressed any more."""
        assert not self.buffer
        self._out = self._in = None

    def send(self, data: bytes) -> None:
        """Send, compressed when that is on."""
        if self._out is not None:
            data = self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)
        super().send(data)

    def send_raw(self, data: bytes) -> None:
        """Send octets as they are."""
        super().send(data)

    def _more(self) -> None:
        if self._in is None:
            super()._more()
            return
        kept, self.buffer = self.buffer, b""
        try:
            super()._more()
        finally:
            self.buffer = kept + self._in.decompress(self.buffer)
