"""The first stage: bytes to lines and literal announcements. It knows limits and line ends, and no command.

Decisions depend on the octets alone, never on how they were cut into reads. Line ends are CRLF and
nothing else: a lone CR or LF ends the connection, so that no two readers can disagree on where a command starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mss_gateway.base.errors import ProtocolViolation

MAX_LITERAL_DIGITS = 10
"""Digits of a literal's size; more could not be a mail and would not fit 32 bits."""


@dataclass(frozen=True, slots=True)
class LiteralSpec:
    """A literal announced at the end of a line: `{size}`, `{size+}` (RFC 7888), `~{size}` (RFC 3516)."""

    size: int
    waiting: bool
    binary: bool


_ANNOUNCED = re.compile(rb"(~?)\{([0-9]{1,%d})(\+?)\}\Z" % MAX_LITERAL_DIGITS)
_UNREADABLE = re.compile(rb"\{[-+]?[0-9][^{}]*\+\}\Z")


def split_literal(line: bytes) -> tuple[bytes, LiteralSpec | None]:
    """Cut the announcement of a literal off the end of a line.

    Raises ProtocolViolation when a size cannot be understood while octets may already be on their way (`+`): nobody
    could say where the next command starts. A client that waits for our go-ahead has sent nothing: the line is left
    as it is, and no grammar takes it.
    """
    if line[-1:] != b"}":
        return line, None
    start = line.rfind(b"{")
    found = _ANNOUNCED.match(line, max(0, start - (line[start - 1 : start] == b"~"))) if start >= 0 else None
    if found is not None:
        tilde, digits, plus = found.groups()
        return line[: found.start()], LiteralSpec(int(digits), not plus, bool(tilde))
    if start >= 0 and _UNREADABLE.match(line, start):
        raise ProtocolViolation("Literal size not understood", "imap-bad-literal")
    return line, None


class LineBuffer:
    """Octets received and not yet read. The owner feeds it only when it has run dry, which bounds it."""

    __slots__ = ("_data", "_scanned")

    def __init__(self) -> None:
        self._data = bytearray()
        self._scanned = 0

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        self._data += data

    def clear(self) -> None:
        """Forget everything (STARTTLS, end of connection)."""
        self._data.clear()
        self._scanned = 0

    def starts_with_verb(self, verb: bytes) -> bool:
        """Is `verb` the second word of what is buffered? For limits that depend on the command."""
        words = bytes(self._data[:128]).split(b" ", 2)
        return len(words) > 1 and words[1].upper() == verb

    def line(self, limit: int) -> bytes | None:
        """Take one line without its CRLF, None while it is incomplete.

        Raises ProtocolViolation for a lone CR or LF, and for a line of more than `limit` octets.
        """
        data = self._data
        end = data.find(b"\n", self._scanned, limit + 2)
        if end < 0:
            if len(data) >= limit + 2:
                raise ProtocolViolation("Line too long", "imap-line-too-long")
            self._scanned = len(data)
            return None
        self._scanned = 0
        if data.find(b"\r", 0, end + 1) != end - 1 or end == 0:
            raise ProtocolViolation("Lines end with CRLF", "imap-bare-cr-or-lf")
        line = bytes(data[: end - 1])
        del data[: end + 1]
        return line

    def take(self, count: int) -> bytes:
        """Take up to `count` octets of a literal."""
        chunk = bytes(self._data[:count])
        del self._data[:count]
        self._scanned = 0
        return chunk

    def skip(self, count: int) -> int:
        """Drop up to `count` octets; return how many there were."""
        dropped = min(count, len(self._data))
        del self._data[:dropped]
        self._scanned = 0
        return dropped
