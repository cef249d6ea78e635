"""The order of SORT (RFC 5256 section 2 and 3): keys of one message, compared as tuples, its UID last of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mss_gateway.mail.words import decode_words

from .collation import backwards, casemap
from .commands_sort import Criterion, SortKey

_STRING = rb'(?:NIL|"[^"\\]*+(?:\\.[^"\\]*+)*+")'
_FIRST = rb"(?:NIL|\(\((%b) %b (%b) (%b)\)(?:\(%b %b %b %b\))*+\))" % ((_STRING,) * 8)
_LIST = rb"(?:NIL|\((?:\(%b %b %b %b\))++\))" % ((_STRING,) * 4)
_ENVELOPE = re.compile(
    rb"\(%b %b %b %b %b %b %b " % (_STRING, _STRING, _FIRST, _LIST, _LIST, _FIRST, _FIRST), re.DOTALL
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SPACES = re.compile(r"[ \t\r\n]+")


class SortRow(NamedTuple):
    """What the store keeps of a message to sort it by. Times are epoch seconds, `sent_at` that of the Date header.

    `subject` is the base subject (RFC 5256 section 2.1); `envelope` is IMAP's ENVELOPE as `mail.imaptext` writes it,
    empty when no criterion asks for an address.
    """

    uid: int
    internal_date: float
    sent_at: float | None
    size: int
    subject: str
    envelope: bytes = b""


_Value = float | str
Key = tuple[float | str | bytes, ...]
"""What a message is compared by; the last item is its UID, so that no two are equal."""

_ADDRESSES = {SortKey.FROM: 1, SortKey.DISPLAYFROM: 1, SortKey.TO: 4, SortKey.DISPLAYTO: 4, SortKey.CC: 7}
_DISPLAYED = frozenset({SortKey.DISPLAYFROM, SortKey.DISPLAYTO})


def reads_addresses(criteria: Sequence[Criterion]) -> bool:
    """Does any criterion need the envelope?"""
    return any(one.key in _ADDRESSES for one in criteria)


def sent_date(row: SortRow) -> float:
    """The sent date (RFC 5256 section 2.2): the Date header, without a valid one the internal date."""
    return row.internal_date if row.sent_at is None else row.sent_at


@lru_cache(maxsize=2048)
def _mapped(raw: bytes) -> str:
    """A string of the envelope in its compared form; NIL is empty."""
    return casemap(_text(raw))


def _text(raw: bytes) -> str:
    if raw == b"NIL":
        return ""
    inner = raw[1:-1]
    return decode_words(_ESCAPE.sub(rb"\1", inner) if b"\\" in inner else inner)


@lru_cache(maxsize=2048)
def _displayed(name: bytes, local: bytes, domain: bytes) -> str:
    """What programs show of an address (RFC 5957 section 3): its name, else itself; of a group the group's name."""
    if name != b"NIL":
        return casemap(_SPACES.sub(" ", _text(name)).strip())
    return casemap(_text(local) if domain == b"NIL" else f"{_text(local)}@{_text(domain)}")


def _address(key: SortKey, envelope: bytes) -> str:
    found = _ENVELOPE.match(envelope)
    if found is None:
        return ""
    at = _ADDRESSES[key]
    name, local, domain = found.group(at, at + 1, at + 2)
    if local is None:
        return ""
    return _displayed(name, local, domain) if key in _DISPLAYED else _mapped(local)


def _reader(key: SortKey, scores: Mapping[int, int]) -> Callable[[SortRow], _Value]:
    match key:
        case SortKey.ARRIVAL:
            return lambda row: row.internal_date
        case SortKey.DATE:
            return sent_date
        case SortKey.SIZE:
            return lambda row: row.size
        case SortKey.SUBJECT:
            return lambda row: casemap(row.subject)
        case SortKey.RELEVANCY:
            return lambda row: -scores.get(row.uid, 0)
        case _:
            return lambda row: _address(key, row.envelope)


def _part(one: Criterion, scores: Mapping[int, int]) -> Callable[[SortRow], float | str | bytes]:
    read = _reader(one.key, scores)
    if not one.reverse:
        return read

    def reverse(row: SortRow) -> float | bytes:
        value = read(row)
        return backwards(value) if isinstance(value, str) else -value

    return reverse


def key_maker(
    criteria: Sequence[Criterion], scores: Mapping[int, int] | None = None
) -> Callable[[SortRow], Key]:
    """The function that gives a message its key. Equal keys are ordered by sequence number, never in reverse.

    `scores` are relevancies by UID, 1 to 100 (RFC 6203): the most relevant come first.
    """
    parts = [_part(one, scores or {}) for one in criteria]
    if len(parts) == 1:
        only = parts[0]
        return lambda row: (only(row), row.uid)
    return lambda row: (*[part(row) for part in parts], row.uid)
