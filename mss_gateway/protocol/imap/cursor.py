"""Reading tokens of one command frame (RFC 9051 section 9): every method takes its token or raises `Malformed`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from . import mutf7
from .events import Ending
from .sequence import SequenceSet, parse_sequence_set

_ATOM = re.compile(rb"[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_ASTRING = re.compile(rb"[^\x00-\x20(){%*\"\\\x7f-\xff]+")
_LIST_MAILBOX = re.compile(rb"[^\x00-\x20(){\"\\\x7f-\xff]+")
_WORD = re.compile(rb"[A-Za-z0-9.\-]+")
_NUMBER = re.compile(rb"[0-9]{1,19}(?![0-9])")
_SET = re.compile(rb"[0-9:,*$]+")
_QUOTED = re.compile(rb'"([^"\\]*+(?:\\["\\][^"\\]*+)*+)"')
_ESCAPE = re.compile(rb'\\(["\\])')
_FLAG = re.compile(rb"\\?[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # RFC 9051 section 5.1
_MAX_63 = (1 << 63) - 1

_SYSTEM_FLAGS = {
    name.lower().encode(): name for name in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
}
_MAX_FLAGS = 64
_MAX_KEYWORD = 100
_MAX_NAME = 400
_MAX_WILDCARDS = 20
_T = TypeVar("_T")


class Malformed(ValueError):
    """The command breaks the grammar, or asks what we refuse. `text` is safe to send, with `ending` and `code`."""

    def __init__(self, text: str, ending: Ending = Ending.BAD, code: bytes = b"") -> None:
        super().__init__(text)
        self.text = text
        self.ending = ending
        self.code = code


class Cursor:
    """A place in a command frame: line fragments, with a literal between each two of them."""

    __slots__ = ("_at", "_fragments", "_literals", "pos", "text", "utf8")

    def __init__(
        self, fragments: Sequence[bytes], literals: Sequence[bytes] = (), *, utf8: bool = False
    ) -> None:
        self._fragments = fragments
        self._literals = literals
        self._at = 0
        self.text = fragments[0]
        self.pos = 0
        self.utf8 = utf8

    def peek(self) -> bytes:
        """The next octet; empty at the end of a fragment."""
        return self.text[self.pos : self.pos + 1]

    def at_literal(self) -> bool:
        """Does a literal come next?"""
        return self.pos == len(self.text) and self._at < len(self._literals)

    def at_end(self) -> bool:
        """Is the whole command read?"""
        return self.pos == len(self.text) and self._at == len(self._literals)

    def end(self) -> None:
        """Require the end of the command."""
        if not self.at_end():
            raise Malformed("Unexpected text after the arguments")

    def drop(self) -> None:
        """Take all that is left, read or not."""
        self._at = len(self._literals)
        self.text = self._fragments[-1]
        self.pos = len(self.text)

    def skip(self, octet: bytes) -> bool:
        """Take `octet` if it comes next."""
        if self.text.startswith(octet, self.pos):
            self.pos += len(octet)
            return True
        return False

    def expect(self, octet: bytes, what: str) -> None:
        """Take `octet`, or say that `what` is missing."""
        if not self.skip(octet):
            raise Malformed(f"Expected {what}")

    def space(self) -> None:
        """Take a space, and those after it: imapclient writes two before each further message of APPEND."""
        if not self.text.startswith(b" ", self.pos):
            raise Malformed("Missing argument")
        while self.text.startswith(b" ", self.pos):
            self.pos += 1

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = pattern.match(self.text, self.pos)
        if found is None:
            raise Malformed(f"Expected {what}")
        self.pos = found.end()
        return found.group()

    def atom(self) -> bytes:
        """An atom."""
        return self._match(_ATOM, "an atom")

    def word(self) -> str:
        """A keyword of the grammar, in upper case."""
        return self._match(_WORD, "a keyword").decode("ascii").upper()

    def rest(self) -> bytes:
        """Everything up to the end of the line."""
        taken = self.text[self.pos :]
        self.pos = len(self.text)
        return taken

    def number(self) -> int:
        """A number of at most 63 bits."""
        value = int(self._match(_NUMBER, "a number"))
        if value > _MAX_63:
            raise Malformed("Number too large")
        return value

    def sequence_set(self) -> SequenceSet:
        """A sequence set or `$`."""
        try:
            return parse_sequence_set(self._match(_SET, "a sequence set"))
        except ValueError:
            raise Malformed("Not a sequence set") from None

    def known_set(self) -> SequenceSet:
        """A set of numbers that a client remembers: neither `*` nor `$` (RFC 7162 section 7)."""
        numbers = self.sequence_set()
        if numbers.saved or numbers.open:
            raise Malformed("Expected a set of numbers without * and $")
        return numbers

    def at_sequence_set(self) -> bool:
        """Does a sequence set come next?"""
        return self.peek() in (b"*", b"$") or self.peek().isdigit()

    def _literal(self) -> bytes:
        data = self._literals[self._at]
        self._at += 1
        self.text = self._fragments[self._at]
        self.pos = 0
        return data

    def value(self) -> bytes | None:
        """NIL, a string, or any octets in a literal (RFC 5464 section 5)."""
        return self._literal() if self.at_literal() else self.nstring()

    def _string(self) -> bytes | None:
        if self.at_literal():
            data = self._literal()
            if b"\0" in data:
                raise Malformed("NUL in a string")
            return data
        found = _QUOTED.match(self.text, self.pos)
        if found is None:
            return None
        self.pos = found.end()
        data = found.group(1)
        if b"\0" in data or not (self.utf8 or data.isascii()):
            raise Malformed("8-bit text in a quoted string before UTF-8 is enabled")
        return _ESCAPE.sub(rb"\1", data) if b"\\" in data else data

    def string(self) -> bytes:
        """A quoted string or a literal."""
        data = self._string()
        if data is None:
            raise Malformed("Expected a string")
        return data

    def nstring(self) -> bytes | None:
        """A string or NIL."""
        data = self._string()
        if data is None and self.word() != "NIL":
            raise Malformed("Expected a string or NIL")
        return data

    def astring(self) -> bytes:
        """An atom, a quoted string or a literal."""
        data = self._string()
        return self._match(_ASTRING, "a string") if data is None else data

    def text_string(self) -> str:
        """An astring that is UTF-8."""
        return self._utf8(self.astring())

    @staticmethod
    def _utf8(data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("Not UTF-8") from None

    def _name(self, raw: bytes) -> str:
        if len(raw) > _MAX_NAME:
            raise Malformed("Mailbox name too long", Ending.NO, b"LIMIT")
        if self.utf8:
            name = self._utf8(raw)
        else:
            try:
                name = mutf7.decode(raw)
            except ValueError:
                raise Malformed("Mailbox name is not modified UTF-7") from None
        if _CONTROL.search(name):
            raise Malformed("Control character in a mailbox name")
        return name

    def mailbox(self) -> str:
        """A mailbox name in Unicode; the inbox in any case is `INBOX`."""
        name = self._name(self.astring())
        return inbox_folded(name)

    def list_mailbox(self) -> str:
        """A LIST pattern in Unicode, with its `*` and `%`."""
        data = self._string()
        pattern = self._name(self._match(_LIST_MAILBOX, "a pattern") if data is None else data)
        if pattern.count("*") + pattern.count("%") > _MAX_WILDCARDS:
            raise Malformed("Too many wildcards", Ending.NO, b"LIMIT")
        return pattern

    def flag(self) -> str:
        """A flag that a client may set: a system flag in its usual spelling, or a keyword."""
        raw = self._match(_FLAG, "a flag")
        if raw[:1] == b"\\":
            known = _SYSTEM_FLAGS.get(raw.lower())
            if known is None:
                raise Malformed("Flag cannot be set")
            return known
        if len(raw) > _MAX_KEYWORD:
            raise Malformed("Keyword too long", Ending.NO, b"LIMIT")
        return raw.decode("ascii")

    def items(self, item: Callable[[], _T], most: int, *, empty: bool = False) -> list[_T]:
        """`(` items `)` separated by single spaces, `most` at most."""
        self.expect(b"(", "a list in parentheses")
        found: list[_T] = []
        if empty and self.skip(b")"):
            return found
        found.append(item())
        while self.skip(b" "):
            if len(found) >= most:
                raise Malformed("Too many items", Ending.NO, b"LIMIT")
            found.append(item())
        self.expect(b")", "a closing parenthesis")
        return found

    def flags(self) -> frozenset[str]:
        """Flags between parentheses."""
        return frozenset(self.items(self.flag, _MAX_FLAGS, empty=True))


def inbox_folded(name: str) -> str:
    """INBOX is the same in any case, as a name and as the first level of one (RFC 9051 section 5.1)."""
    if name[:5].upper() == "INBOX" and (len(name) == 5 or name[5] == "/"):
        return "INBOX" + name[5:]
    return name
