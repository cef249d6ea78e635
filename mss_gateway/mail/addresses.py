"""Address lists of header fields (RFC 5322 sections 3.4 and 4.4), read by a linear scanner.

Groups, comments, quoted strings, source routes, white space inside addresses and raw UTF-8 are
understood. Whatever is wrong is read as well as can be and marked, never raised.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mss_gateway.base.errors import InvalidValue

from .address import Address, parse_address

MAX_ADDRESSES = 1000
"""Entries read of one field; what follows is left aside."""

_MAX_COMMENT = 200  # octets of a comment kept as a display name

_SIMPLE = re.compile(
    rb"""\s*+(?:(?:"([^"\\\r\n]*+)"|([A-Za-z0-9!#$%&'*+/=?^_`{|}~ \-]*+))[ \t]*+<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]++)"""
    rb"@([A-Za-z0-9.\-]++)>|([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]++)@([A-Za-z0-9.\-]++))\s*+\Z"
)
_TOKEN = re.compile(
    rb'([ \t\r\n]++)|([^ \t\r\n"(),:;<>@\[\]\\]++)|"([^"\\]*+(?:\\.[^"\\]*+)*+)("?)|(\[[^\[\]\\]*+\]?)|(\()|(.)',
    re.DOTALL,
)
_SPACE, _ATOM, _QUOTED, _, _LITERAL, _COMMENT, _SPECIAL = range(1, 8)
_IN_COMMENT = re.compile(rb"[^()\\]++|\\.|[()\\]", re.DOTALL)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(r"[^\s\"(),:;<>@\[\]\\.]+(?:\.[^\s\"(),:;<>@\[\]\\.]+)*\Z")


class Entry(NamedTuple):
    """One item of an address list, as IMAP's ENVELOPE wants it, octets as received.

    `local` is unquoted. A group starts with an entry whose `domain` is None and `local` is its name,
    and ends with one where both are None. A mailbox without a domain has the empty domain.
    `clean` is False when the text broke the grammar. `route` is an obsolete source route, `@one,@two`.
    """

    name: bytes | None
    local: bytes | None
    domain: bytes | None
    clean: bool = True
    route: bytes | None = None


class _Scanner:
    """Reads one field; the attributes describe the address being read."""

    __slots__ = (
        "angle", "at", "clean", "closed", "comment", "domain", "entries", "glued", "group", "limit", "name",
        "route", "words",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.entries: list[Entry] = []
        self.limit = limit
        self.group = False
        self._reset()

    def _reset(self) -> None:
        self.words: list[bytes] = []  # phrase or local part, a space before each word that had one
        self.glued = True  # no white space since the last word
        self.domain: list[bytes] = []
        self.name: bytes | None = None
        self.comment: bytes | None = None
        self.route: list[bytes] = []  # domains on the way, of an obsolete source route
        self.angle = self.closed = self.at = False
        self.clean = True

    def scan(self, value: bytes) -> None:
        """Read the whole value, or as much as holds `limit` entries."""
        position = 0
        size = len(value)
        while position < size and len(self.entries) < self.limit:
            match = _TOKEN.match(value, position)
            if match is None:  # cannot happen: the last branch takes any octet
                break
            position = match.end()
            kind = match.lastindex
            if kind == _SPACE:
                self.glued = False
            elif kind == _ATOM:
                self._word(match[_ATOM])
            elif match[_QUOTED] is not None:
                self.clean &= match[4] == b'"'
                self._word(_PAIR.sub(rb"\1", match[_QUOTED]))
            elif kind == _LITERAL:
                self._literal(match[_LITERAL])
            elif kind == _COMMENT:
                position = self._skip_comment(value, position)
            else:
                self._special(match[_SPECIAL])
        self._finish(closing=True)

    def _word(self, text: bytes) -> None:
        if self.at:
            self.domain.append(text)
        elif self.closed:
            self.clean = False
        else:
            if self.words and not self.glued:
                self.words.append(b" ")
            self.words.append(text)
        self.glued = True

    def _literal(self, text: bytes) -> None:
        if self.at and not self.domain and text.endswith(b"]"):
            self.domain.append(text)
        else:
            self.clean = False

    def _skip_comment(self, value: bytes, position: int) -> int:
        start, depth = position, 1
        for match in _IN_COMMENT.finditer(value, position):
            token = match[0]
            if token == b"(":
                depth += 1
            elif token == b")":
                depth -= 1
                if not depth:
                    self.comment = _PAIR.sub(rb"\1", value[start : match.start()][:_MAX_COMMENT]).strip()
                    return match.end()
        self.clean = False
        return len(value)

    def _special(self, octet: bytes) -> None:
        if octet == b"," or octet == b";":
            self._separator(octet)
        elif octet == b"<":
            self._open()
        elif octet == b">":
            self.clean &= self.angle
            self.closed, self.at, self.angle = True, False, False
        elif octet == b"@":
            self.clean &= not self.at and (bool(self.words) or self.angle)
            self.at = True
            self.domain.clear()
        elif octet == b":":
            self._colon()
        else:
            self.clean = False

    def _separator(self, octet: bytes) -> None:
        if self.angle and self.at and not self.words and octet == b",":
            self._way()  # a source route, <@one,@two:user@host>
            return
        self._finish(closing=octet == b";")

    def _way(self) -> None:
        """What was read after `@` is a stage of the route."""
        if self.domain:
            self.route.append(b"@" + b"".join(self.domain))
        self.domain.clear()
        self.at = False

    def _open(self) -> None:
        if self.at or self.angle or self.closed:
            # `a@b <c@d>`: the phrase was not one; the address in brackets is what software shows.
            self.clean = False
        if self.name is None:
            phrase = b"".join(self.words)
            if self.at:
                phrase += b"@" + b"".join(self.domain)
            self.name = phrase or None
        self.words.clear()
        self.domain.clear()
        self.angle, self.at, self.closed, self.glued = True, False, False, True

    def _colon(self) -> None:
        if self.angle:
            self.clean &= self.at and not self.words
            self._way()
            return
        if self.group or self.at or self.closed:
            self.clean = False
            return
        self.entries.append(Entry(None, b"".join(self.words), None))
        self.group = True
        self._reset()

    def _finish(self, *, closing: bool) -> None:
        local = b"".join(self.words)
        seen = self.angle or self.closed or self.at
        if local or seen:
            if b" " in self.words:
                # White space is allowed around dots only (obs-local-part).
                self.clean &= b" " not in b"".join(self.words).replace(b" .", b".").replace(b". ", b".")
                local = local if self.angle or self.closed or not self.at else local.replace(b" ", b"")
            domain = b"".join(self.domain)
            clean = self.clean and not self.angle and bool(local and domain)
            if len(self.entries) < self.limit:
                name = self.name if self.name is not None else self.comment
                self.entries.append(Entry(name, local, domain, clean, b",".join(self.route) or None))
        if closing and self.group:
            self.entries.append(Entry(None, None, None))
            self.group = False
        self._reset()


def scan_addresses(value: bytes, limit: int = MAX_ADDRESSES) -> list[Entry]:
    """Return the entries of an address list (unfolded or not); at most `limit` and a group end.

    Never raises; linear in the length of `value`.
    """
    simple = _SIMPLE.match(value)
    if simple:
        quoted, phrase, local, domain, bare_local, bare_domain = simple.groups()
        if bare_local is not None:
            return [Entry(None, bare_local, bare_domain)]
        name = phrase.strip() if quoted is None else quoted
        return [Entry(name or None, local, domain)]
    scanner = _Scanner(limit)
    scanner.scan(value)
    return scanner.entries


def to_address(entry: Entry) -> Address | None:
    """Return the mailbox of an entry that is well formed, or None (group marks, broken text)."""
    if not entry.clean or not entry.local or not entry.domain:
        return None
    try:
        local, domain = entry.local.decode("utf-8"), entry.domain.decode("utf-8")
        if not _DOT_ATOM.match(local):
            escaped = local.replace("\\", "\\\\").replace('"', '\\"')
            local = f'"{escaped}"'
        return parse_address(f"{local}@{domain}")
    except (UnicodeDecodeError, InvalidValue):
        return None
