"""FETCH answers to bytes. The door joins pieces of one message; envelope and structure come ready from the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from .quoting import flag_list

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
"""As dates have them (RFC 9051 section 9)."""

OLDEST, LATEST = -62135596800, 253402300799
"""Epoch seconds of the years 1 to 9999, which dates can be written of."""


@lru_cache(maxsize=1024)
def _day_text(day: int) -> bytes:
    date = datetime.fromtimestamp(day * 86400, UTC)
    return b"%2d-%b-%04d" % (date.day, MONTHS[date.month - 1], date.year)


def internal_date(epoch: float) -> bytes:
    """`"17-Jul-1996 02:44:25 +0000"` for epoch seconds, quoted; times outside years 1 to 9999 are clamped."""
    day, second = divmod(min(max(int(epoch), OLDEST), LATEST), 86400)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return b'"%b %02d:%02d:%02d +0000"' % (_day_text(day), hour, minute, second)


_flag_text = lru_cache(maxsize=4096)(flag_list)


def flags_item(flags: frozenset[str]) -> bytes:
    """`FLAGS (...)`; kept for flag sets already seen."""
    return b"FLAGS " + _flag_text(flags)


def uid_item(uid: int) -> bytes:
    """`UID n`."""
    return b"UID %d" % uid


def modseq_item(modseq: int) -> bytes:
    """`MODSEQ (n)`."""
    return b"MODSEQ (%d)" % modseq


def size_item(octets: int) -> bytes:
    """`RFC822.SIZE n`."""
    return b"RFC822.SIZE %d" % octets


def date_item(epoch: float) -> bytes:
    """`INTERNALDATE "..."`."""
    return b"INTERNALDATE " + internal_date(epoch)


def literal_item(label: bytes, data: bytes) -> bytes:
    """`BODY[...] {n}` and the octets, for a part held in memory."""
    return b"%b {%d}\r\n%b" % (label, len(data), data)


def literal_head(label: bytes, size: int, *, binary: bool = False) -> bytes:
    """`BODY[...] {n}` CRLF alone: the door streams exactly `size` octets after it."""
    return b"%b %b{%d}\r\n" % (label, b"~" if binary else b"", size)


def nil_item(label: bytes) -> bytes:
    """`BODY[...] NIL`, for a part that is not there."""
    return b"%b NIL" % label


def fetch(number: int, items: Sequence[bytes]) -> bytes:
    """One whole FETCH line of a message whose pieces are all in memory."""
    return b"* %d FETCH (%b)\r\n" % (number, b" ".join(items))


def fetch_head(number: int) -> bytes:
    """The start of a FETCH line that is streamed: pieces separated by a space, then `FETCH_TAIL`."""
    return b"* %d FETCH (" % number


def uidfetch(uid: int, items: Sequence[bytes]) -> bytes:
    """One whole UIDFETCH line (RFC 9586 section 3.3): the UID stands where the message number would."""
    return b"* %d UIDFETCH (%b)\r\n" % (uid, b" ".join(items))


def uidfetch_head(uid: int) -> bytes:
    """The start of a UIDFETCH line that is streamed, ended by `FETCH_TAIL`."""
    return b"* %d UIDFETCH (" % uid


FETCH_TAIL = b")\r\n"
"""The end of a streamed FETCH line."""
