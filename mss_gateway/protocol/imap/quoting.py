"""Strings on their way out: atoms, quoted strings, literals (RFC 9051 section 4), never an injection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from . import mutf7

_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_QUOTABLE = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_QUOTABLE_UTF8 = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]*")
_UNSAFE = re.compile(r"[^\x20-\x7e]+")
_LONGEST_QUOTED = 1000


def line_text(text: str) -> bytes:
    """Return human text fit for a response line: control characters and non-ASCII become `?`, never empty."""
    return (_UNSAFE.sub("?", text) or "-").encode("ascii")


def literal(data: bytes) -> bytes:
    """Return `{n}` CRLF data."""
    return b"{%d}\r\n%b" % (len(data), data)


def literal8(data: bytes) -> bytes:
    """Return `~{n}` CRLF data, for data that may hold NUL (RFC 9051 section 4.3.1)."""
    return b"~{%d}\r\n%b" % (len(data), data)


def string(data: bytes, utf8: bool = False) -> bytes:
    """Return a quoted string when that is allowed, else a literal. 8-bit octets are quoted only when `utf8` is on."""
    quotable = _QUOTABLE_UTF8 if utf8 else _QUOTABLE
    if len(data) > _LONGEST_QUOTED:
        return literal(data)
    if quotable.fullmatch(data):
        return b'"%b"' % data
    escaped = data.replace(b"\\", b"").replace(b'"', b"")
    if quotable.fullmatch(escaped):
        return b'"%b"' % data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return literal(data)


def nstring(data: bytes | None, utf8: bool = False) -> bytes:
    """Return NIL for None, else `string`."""
    return b"NIL" if data is None else string(data, utf8)


def astring(data: bytes, utf8: bool = False) -> bytes:
    """Return an atom when the data is one, else a string."""
    return data if _ATOM.fullmatch(data) and data.upper() != b"NIL" else string(data, utf8)


def mailbox(name: str, utf8: bool = False) -> bytes:
    """Return a Unicode mailbox name as it goes on the wire: UTF-8 once enabled, modified UTF-7 before."""
    return astring(name.encode("utf-8") if utf8 else mutf7.encode(name), utf8)


def flag(name: str) -> bytes:
    """Return a flag if it is one (`\\` and an atom, or an atom); raise ValueError otherwise."""
    raw = name.encode("ascii", "replace")
    if name.isascii() and _ATOM.fullmatch(raw[1:] if raw[:1] == b"\\" else raw):
        return raw
    raise ValueError("not a flag")


def flag_list(flags: Iterable[str]) -> bytes:
    """Return flags between parentheses, sorted.

    What is no flag is left out: one bad keyword in the store must not make a mailbox unreadable.
    """
    shown = []
    for name in flags:
        with suppress(ValueError):
            shown.append(flag(name))
    shown.sort()
    return b"(%b)" % b" ".join(shown)
