"""The arguments of APPEND and REPLACE, read line by line between their literals.

One message may follow another (MULTIAPPEND, RFC 3502), and a message may be put together of literals and URLs
(CATENATE, RFC 4469); `UTF8 (~{n})` is the form of RFC 6855.
"""

from __future__ import annotations

from enum import Enum, auto

from .commands_append import Append, Compress, Replace
from .cursor import Cursor, Malformed
from .dates import parse_date_time
from .events import AppendEnd, AppendMessage, AppendUrl, Ending
from .framing import LiteralSpec
from .options import ImapOptions
from .sequence import STAR

MAX_URL = 4096
"""Octets of one URL."""

Piece = AppendMessage | AppendUrl | AppendEnd
"""What a line of an APPEND tells by itself."""


class Next(Enum):
    """What the literal at the end of a line is."""

    NOTHING = auto()  # there is none: the command ends
    OCTETS = auto()  # octets of the message
    URL = auto()  # the URL of a part


def takes_messages(verb: str, cursor: Cursor) -> bool:
    """Is this APPEND, REPLACE or UID REPLACE? The cursor stands behind the verb."""
    return verb in ("APPEND", "REPLACE") or (
        verb == "UID" and cursor.text[cursor.pos : cursor.pos + 9].upper() == b" REPLACE "
    )


def head(verb: str, cursor: Cursor, spec: LiteralSpec | None) -> Append | Replace | None:
    """Read up to the mailbox; None when its name is the literal that `spec` announces. Raises `Malformed`."""
    cursor.space()
    uid = verb == "UID"
    if uid:
        cursor.word()
        cursor.space()
    number = 0
    if uid or verb == "REPLACE":
        number = STAR if cursor.skip(b"*") else cursor.number()
        if not 0 < number <= STAR:
            raise Malformed("Not a message number")
        cursor.space()
    if spec is not None and not cursor.peek() and not cursor.at_literal():
        return None
    mailbox = cursor.mailbox()
    return Replace(number, mailbox, uid) if number else Append(mailbox)


def compress(cursor: Cursor) -> Compress:
    """COMPRESS DEFLATE."""
    cursor.space()
    if cursor.atom().upper() != b"DEFLATE":
        raise Malformed("Only DEFLATE is known", Ending.NO, b"CANNOT")
    return Compress()


class AppendReader:
    """Reads the lines of one command; bounds what it may announce by `ImapOptions`."""

    def __init__(self, options: ImapOptions, *, several: bool, utf8: bool) -> None:
        self._options = options
        self._several = several
        self._utf8 = utf8
        self._inside = False  # between the parentheses of CATENATE
        self._closing = False  # the literal stands in parentheses of its own: UTF8 (~{n})
        self._messages = 0
        self._parts = 0
        self._size = 0  # literal octets of the message in hand
        self._total = 0  # and of all of them
        self._pieces: list[Piece] = []
        self._spec: LiteralSpec | None = None

    def line(self, text: bytes, spec: LiteralSpec | None) -> tuple[list[Piece], Next]:
        """Read a line up to the literal that it announces; raises `Malformed`."""
        cursor = Cursor([text], utf8=self._utf8)
        self._pieces = []
        self._spec = spec
        if self._closing:
            cursor.expect(b")", "a closing parenthesis")
            self._closing = False
        following = self._catenated(cursor, first=False) if self._inside else None
        while following is None:
            if self._messages and cursor.at_end() and spec is None:
                self._pieces.append(AppendEnd())
                following = Next.NOTHING
            else:
                following = self._message(cursor)
        return self._pieces, following

    def _message(self, cursor: Cursor) -> Next | None:
        """One message; None when it was put together of URLs and ended on this line."""
        if self._messages and not self._several:
            raise Malformed("One message for each REPLACE")
        if self._messages >= self._options.append_messages:
            raise Malformed("Too many messages at once", Ending.NO, b"LIMIT")
        self._messages += 1
        self._size = 0
        cursor.space()
        flags: frozenset[str] = frozenset()
        internal_date: float | None = None
        if cursor.peek() == b"(":
            flags = cursor.flags()
            cursor.space()
        if cursor.peek() == b'"':
            internal_date = parse_date_time(cursor.string())
            cursor.space()
        form = cursor.word() if cursor.peek().isalpha() else ""
        if form == "CATENATE":
            cursor.expect(b" (", "CATENATE (")
            self._pieces.append(AppendMessage(flags, internal_date))
            return self._catenated(cursor, first=True)
        if form not in ("", "UTF8"):
            raise Malformed("Expected a message")
        spec = self._octets(cursor, utf8=form == "UTF8")
        if not spec.size:
            raise Malformed("An empty message cannot be stored", Ending.NO)
        self._pieces.append(AppendMessage(flags, internal_date, spec.binary))
        return Next.OCTETS

    def _catenated(self, cursor: Cursor, *, first: bool) -> Next | None:
        """Parts of CATENATE up to a literal, or None up to the end of the message."""
        self._inside = True
        while first or not cursor.skip(b")"):
            if not first:
                cursor.space()
            first = False
            self._parts += 1
            if self._parts > self._options.append_parts:
                raise Malformed("Too many parts", Ending.NO, b"LIMIT")
            kind = cursor.word()
            if kind in ("TEXT", "UTF8"):
                cursor.space()
                if kind == "UTF8":
                    cursor.pos -= 1
                self._octets(cursor, utf8=kind == "UTF8")
                return Next.OCTETS
            if kind != "URL":
                raise Malformed("Expected TEXT or URL")
            cursor.space()
            if self._spec is not None and not cursor.peek():
                if self._spec.size > MAX_URL or self._spec.binary:
                    raise Malformed("URL too long", Ending.NO, b"LIMIT")
                return Next.URL
            url = cursor.astring()
            if len(url) > MAX_URL:
                raise Malformed("URL too long", Ending.NO, b"LIMIT")
            self._pieces.append(AppendUrl(url))
        self._inside = False
        return None

    def _octets(self, cursor: Cursor, *, utf8: bool) -> LiteralSpec:
        """The literal that the line ends with, within the limits."""
        if utf8:
            cursor.expect(b" (", "UTF8 (")
        cursor.end()
        spec = self._spec
        if spec is None:
            raise Malformed("Expected a literal")
        if utf8 and not spec.binary:
            raise Malformed("UTF8 takes a literal8")
        self._closing = utf8
        self._size += spec.size
        self._total += spec.size
        if self._size > self._options.max_append:
            raise Malformed("Message too large", Ending.NO, b"TOOBIG")
        if self._total > max(self._options.append_total, self._options.max_append):
            raise Malformed("Too much at once", Ending.NO, b"TOOBIG")
        return spec
