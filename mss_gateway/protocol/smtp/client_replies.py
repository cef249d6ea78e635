"""What a server answers: replies of one or more lines, and the EHLO keywords (RFC 5321 section 4.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mss_gateway.base.errors import ProtocolViolation

from .reply import Reply


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """What no server can pass: octets of a line with CRLF, and lines of one reply.

    RFC 5321 section 4.5.3.1.5 says 512 octets, which real servers exceed with long explanations.
    """

    line: int = 2048
    lines: int = 100


_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |\Z)")
_SHORT = 80  # octets of a line that may be known already
_SIZE = re.compile(r"[0-9]{1,20}\Z")


class ReplyReader:
    """Puts the lines of one reply together; keeps at most `ReplyLimits` of them between calls."""

    __slots__ = ("_code", "_limits", "_lines")

    def __init__(self, limits: ReplyLimits) -> None:
        self._limits = limits
        self._lines: list[bytes] = []
        self._code = b""

    @property
    def within_reply(self) -> bool:
        """True when some lines of a reply are here and its last is not."""
        return bool(self._lines)

    def read(self, buffer: bytes, at: int) -> tuple[Reply | None, int]:
        """Return the reply that is whole, or None, and the position that comes next.

        Raises `ProtocolViolation`. The verdict on a line falls when its LF is there or when it is too long,
        so that it does not depend on how the octets were cut.
        """
        while True:
            end = buffer.find(b"\n", at)
            if (end + 1 if end >= 0 else len(buffer)) - at > self._limits.line:
                raise _broken("a reply line is too long", "reply-line-too-long")
            if end < 0:
                return None, at
            line, at = buffer[at:end], end + 1
            if not self._lines and len(line) <= _SHORT:
                reply = _single(line)
                if reply is not None:
                    return reply, at
            if self._add(line):
                return self._finish(), at

    def _add(self, line: bytes) -> bool:
        """Take one line without its LF; True when it is the last of its reply."""
        if not line.endswith(b"\r") or line.count(b"\r") != 1:
            raise _broken("a reply line does not end with CR LF", "bare-line-end-in-reply")
        found = _LINE.match(line[:-1])
        if found is None:
            raise _broken("a reply has no code", "reply-syntax")
        code, mark, text = found.groups()
        if self._lines and code != self._code:
            raise _broken("the lines of a reply have different codes", "reply-codes-differ")
        if len(self._lines) >= self._limits.lines:
            raise _broken("a reply has too many lines", "reply-too-many-lines")
        self._code = code
        self._lines.append(text or b"")
        return bool(mark != b"-")

    def _finish(self) -> Reply:
        lines, self._lines = self._lines, []
        return _reply(self._code, lines)


def _reply(digits: bytes, lines: Sequence[bytes]) -> Reply:
    code = int(digits)
    texts = [line.decode("utf-8", "replace") for line in lines]
    found = _ENHANCED.match(texts[0])
    if found is None or found[1][0] != str(code)[0]:
        return Reply(code, None, "\n".join(texts))
    status = found[1]
    return Reply(code, status, "\n".join(text.removeprefix(status).lstrip(" ") for text in texts))


@lru_cache(maxsize=256)
def _single(line: bytes) -> Reply | None:
    """The reply that this line without its LF is by itself, if it is one: servers say the same again and again."""
    if not line.endswith(b"\r") or line.count(b"\r") != 1:
        return None
    found = _LINE.match(line[:-1])
    if found is None or found[2] == b"-":
        return None
    return _reply(found[1], (found[3] or b"",))


def _broken(public: str, reason: str) -> ProtocolViolation:
    return ProtocolViolation(public, reason, code=451, enhanced="4.5.0")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server offered in its answer to EHLO: keywords in upper case, and the largest size.

    `max_size` is in octets, None when the server named none (RFC 1870).
    """

    keywords: frozenset[str] = frozenset()
    max_size: int | None = None

    def offers(self, keyword: str) -> bool:
        """True when the server offered this extension."""
        return keyword in self.keywords


def read_capabilities(reply: Reply) -> Capabilities:
    """Read the lines of a 250 to EHLO after the first; what is malformed is not offered."""
    keywords: set[str] = set()
    max_size: int | None = None
    for line in reply.text.split("\n")[1:]:
        words = line.upper().split()
        if not words:
            continue
        keywords.add(words[0])
        if words[0] == "SIZE" and len(words) > 1 and _SIZE.match(words[1]):
            max_size = int(words[1]) or None
    return Capabilities(frozenset(keywords), max_size)
