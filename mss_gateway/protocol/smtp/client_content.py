"""Message content on its way out: dots stuffed for DATA, exact octets for BDAT, no bare CR or LF in either."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue

END_OF_DATA = b".\r\n"
"""What ends the content after DATA, at the start of a line (RFC 5321 section 4.1.1.4)."""

_OTHERS = bytes(octet for octet in range(256) if octet not in b"\r\n")


class ContentWriter:
    """Writes one content in pieces cut anywhere; keeps one octet at most between them.

    A bare CR or LF raises `InvalidValue`, since some server on the way may take it for a line end and read what
    follows as the end of data and commands. `stuff` is for DATA, without it for BDAT. `binary` is for
    BDAT with BODY=BINARYMIME (RFC 3030), where any octet may stand.
    """

    __slots__ = ("_binary", "_cr", "_line_start", "_stuff", "size")

    def __init__(self, *, stuff: bool, binary: bool = False) -> None:
        self._stuff = stuff
        self._binary = binary and not stuff
        self._cr = False
        self._line_start = True
        self.size = 0

    def write(self, piece: bytes) -> bytes:
        """Return what goes on the wire for `piece`."""
        if not piece:
            return b""
        self.size += len(piece)
        if self._binary:
            return piece
        if self._cr:
            piece = b"\r" + piece
        self._cr = piece.endswith(b"\r")
        if self._cr:
            piece = piece[:-1]
            if not piece:
                return b""
        pairs = piece.count(b"\r\n")
        if _line_ends(piece) != 2 * pairs:
            raise _bare()
        return self._stuffed(piece, pairs) if self._stuff else piece

    def _stuffed(self, piece: bytes, pairs: int) -> bytes:
        starts = self._line_start and piece.startswith(b".")
        self._line_start = piece.endswith(b"\n")
        if pairs:
            piece = piece.replace(b"\r\n.", b"\r\n..")
        return b"." + piece if starts else piece

    def end(self) -> bytes:
        """Return what ends the content; a last line without CRLF gets one after DATA."""
        if self._cr:
            raise _bare()
        if not self._stuff:
            return b""
        return END_OF_DATA if self._line_start else b"\r\n" + END_OF_DATA


def _line_ends(piece: bytes) -> int:
    """How many CRs and LFs there are: twice the pairs when none is bare. One pass, where two counts are two."""
    return len(piece.translate(None, _OTHERS))


def _bare() -> InvalidValue:
    return InvalidValue("the message holds a bare CR or LF", "bare-line-end-in-content")


class ContentSurvey:
    """Reads a content once before it is sent: what it asks of the server (RFC 6152, RFC 3030).

    `eight_bit` tells of octets outside ASCII; `binary` of a bare CR or LF, or a NUL, which only BINARYMIME bears.
    """

    __slots__ = ("_cr", "binary", "eight_bit")

    def __init__(self) -> None:
        self._cr = False
        self.eight_bit = False
        self.binary = False

    def add(self, piece: bytes) -> None:
        """Look at the next piece."""
        if not self.eight_bit:
            self.eight_bit = not piece.isascii()
        if self.binary or not piece:
            return
        ends = _line_ends(piece)
        # A pair cut between two pieces shows as one LF at the start of this one, one CR at the end of the last.
        if self._cr:
            self.binary = not piece.startswith(b"\n")
            ends -= 1
        self._cr = piece.endswith(b"\r")
        ends -= self._cr
        self.binary = self.binary or ends != 2 * piece.count(b"\r\n") or b"\0" in piece

    def end(self) -> None:
        """No piece follows: a CR that waits for its LF is bare."""
        self.binary = self.binary or self._cr
