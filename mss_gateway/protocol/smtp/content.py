"""Message content on the wire: DATA with its dots and strict CRLF, BDAT with its exact octets.

Neither reader keeps content between calls; the dot reader leaves at most two octets to its caller.
Every check is a C-level pass over the whole piece: a regular expression here costs 34 ms per MB, more
than the rest of the gateway.
"""

from __future__ import annotations

from typing import Final

from mss_gateway.base.errors import ProtocolViolation

_NOT_LINE_ENDS: Final = bytes(octet for octet in range(256) if octet not in b"\r\n")
_DOT_STARTS: Final = (b".", b".\r")

NUL_IN_CONTENT: Final = "nul-in-content"
"""A NUL octet, which only BINARYMIME may carry (RFC 5322 section 4, RFC 2045 section 2.8)."""
LINE_TOO_LONG: Final = "content-line-too-long"
"""A line longer than `Limits.content_line` octets (RFC 5321 section 4.5.3.1.6)."""
BARE_LINE_END: Final = "bare-line-end-in-content"
"""A CR or an LF alone in a BDAT whose body is not BINARYMIME (RFC 3030 section 2)."""


def lines_are_strict(piece: bytes) -> bool:
    """Tell whether every CR of `piece` is followed by LF and every LF preceded by CR."""
    ends = piece.translate(None, _NOT_LINE_ENDS)
    pairs, odd = divmod(len(ends), 2)
    return not odd and piece.count(b"\r\n") == pairs


class LineMeter:
    """Watches that no line passes `limit` octets; the cost is one backward search per `limit` octets."""

    __slots__ = ("_limit", "_open")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0

    def within(self, piece: bytes) -> bool:
        """Count `piece` in; False when a line has just become too long."""
        at, length, limit = -self._open, len(piece), self._limit
        while length - at > limit:
            end = piece.rfind(b"\n", max(at, 0), at + limit)
            if end < 0:
                return False
            at = end + 1
        end = piece.rfind(b"\n", max(at, 0))
        self._open = length - (end + 1 if end >= 0 else at)
        return True


class DotReader:
    """Reads the content that follows 354, up to CRLF.CRLF and nothing else (RFC 5321 section 4.5.2).

    `flaw` is the reason to refuse the whole message, found on the way; a bare CR or LF is graver,
    since other servers may take it for an end of data: `read` raises `ProtocolViolation`.
    """

    __slots__ = ("_at_line_start", "_lines", "done", "flaw")

    def __init__(self, line_limit: int) -> None:
        self._at_line_start = True
        self._lines = LineMeter(line_limit)
        self.done = False
        self.flaw: str | None = None

    def read(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """Return the content found in `buffer` from `at` on, and the position that comes next.

        What lies past that position is kept by the caller: at most two octets unless `done`.
        """
        if self._at_line_start and buffer.startswith(b".", at):
            head = buffer[at : at + 3]
            if head == b".\r\n":
                self.done = True
                return b"", at + 3
            if head in _DOT_STARTS:
                return b"", at
            at += 1
        dot = buffer.find(b"\r\n.", at)
        end = buffer.find(b"\r\n.\r\n", dot) if dot >= 0 else -1
        if end >= 0:
            self.done = True
            stop, after = end + 2, end + 5
        else:
            stop = after = self._stop(buffer, at)
        piece = buffer[at:stop] if at or stop != len(buffer) else buffer
        if 0 <= dot < stop:
            piece = piece.replace(b"\r\n.", b"\r\n")
        if piece:
            self._at_line_start = piece.endswith(b"\n")
            self._check(piece)
        return piece, after

    def _stop(self, buffer: bytes, at: int) -> int:
        """Return where the content surely known so far stops: before an undecided CR or line-start dot."""
        stop = len(buffer)
        if buffer.endswith(b"\r\n.", at):
            return stop - 1
        if buffer.endswith(b"\r\n.\r", at):
            return stop - 2
        return stop - 1 if buffer.endswith(b"\r", at) else stop

    def _check(self, piece: bytes) -> None:
        if not lines_are_strict(piece):
            raise ProtocolViolation(
                "Lines must end with CR LF", "bare-line-end-in-data", code=550, enhanced="5.5.2"
            )
        if self.flaw is None:
            if b"\0" in piece:
                self.flaw = NUL_IN_CONTENT
            elif not self._lines.within(piece):
                self.flaw = LINE_TOO_LONG


class ChunkReader:
    """Counts BDAT octets and watches their lines across chunks; `binary` content is not watched."""

    __slots__ = ("_after_cr", "_binary", "_lines", "flaw")

    def __init__(self, line_limit: int, *, binary: bool) -> None:
        self._binary = binary
        self._after_cr = False
        self._lines = LineMeter(line_limit)
        self.flaw: str | None = None

    def check(self, piece: bytes) -> None:
        """Take one more piece into account; sets `flaw` when the message cannot be accepted."""
        if self._binary or self.flaw is not None or not piece:
            return
        start = 0
        if self._after_cr:
            if not piece.startswith(b"\n"):
                self.flaw = BARE_LINE_END
                return
            start = 1
        self._after_cr = piece.endswith(b"\r", start)
        inner = piece[start : len(piece) - self._after_cr] if start or self._after_cr else piece
        if not lines_are_strict(inner):
            self.flaw = BARE_LINE_END
        elif b"\0" in piece:
            self.flaw = NUL_IN_CONTENT
        elif not self._lines.within(piece):
            self.flaw = LINE_TOO_LONG

    def finish(self) -> None:
        """Say that no octet follows: a CR that waits for its LF is bare."""
        if self._after_cr and self.flaw is None:
            self.flaw = BARE_LINE_END
