"""METADATA with values and without (RFC 5464 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .quoting import astring, literal8, mailbox, string


def values(name: str, entries: Mapping[str, bytes | None], *, utf8: bool = False) -> bytes:
    """METADATA of a mailbox, or of the server when `name` is empty; NIL for an entry that is not there."""
    pairs = b" ".join([b"%b %b" % (_entry(entry), _value(value)) for entry, value in entries.items()])
    return b"* METADATA %b (%b)\r\n" % (mailbox(name, utf8), pairs)


def changed(name: str, entries: Iterable[str], *, utf8: bool = False) -> bytes:
    """METADATA that tells unasked which entries are different now, without their values."""
    return b"* METADATA %b%b\r\n" % (
        mailbox(name, utf8),
        b"".join([b" " + _entry(entry) for entry in entries]),
    )


def _entry(name: str) -> bytes:
    return astring(name.encode("ascii"))


def _value(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    return literal8(value) if b"\0" in value else string(value)
