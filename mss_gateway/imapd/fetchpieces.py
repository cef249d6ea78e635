"""What each item of a FETCH costs to read, and how it is written (RFC 9051 section 6.4.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mss_gateway.mail.imapstring import utf8_form
from mss_gateway.ports.mailboxes import MessageRow, Want
from mss_gateway.protocol.imap import fetching
from mss_gateway.protocol.imap.fetchitems import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    FetchItem,
)
from mss_gateway.protocol.imap.objectids import email_id, thread_id
from mss_gateway.protocol.imap.quoting import nstring

from . import sections

Piece = Callable[[MessageRow], bytes]
"""Writes one item of a message from its row."""


def _date(epoch: float | None) -> bytes:
    return b"NIL" if epoch is None else fetching.internal_date(epoch)


def _words(preview: str | None) -> bytes:
    """ASCII in quotes, anything else as a literal in UTF-8, which every client can take (RFC 8970 section 3.2)."""
    return nstring(None if preview is None else preview.encode("utf-8", "replace"))


PIECES: dict[Attribute, Piece] = {
    Attribute.UID: lambda row: fetching.uid_item(row.uid),
    Attribute.FLAGS: lambda row: fetching.flags_item(row.flags),
    Attribute.MODSEQ: lambda row: fetching.modseq_item(row.modseq),
    Attribute.SIZE: lambda row: fetching.size_item(row.size),
    Attribute.INTERNALDATE: lambda row: fetching.date_item(row.internal_date),
    Attribute.ENVELOPE: lambda row: b"ENVELOPE " + (row.envelope or b"NIL"),
    Attribute.BODYSTRUCTURE: lambda row: b"BODYSTRUCTURE " + (row.bodystructure or b"NIL"),
    Attribute.BODY: lambda row: b"BODY " + sections.body_form(row),
    Attribute.EMAILID: lambda row: b"EMAILID (%b)" % email_id(row.digest or b""),
    Attribute.THREADID: lambda row: b"THREADID (%b)" % thread_id(row.thread or 0),
    Attribute.SAVEDATE: lambda row: b"SAVEDATE " + _date(row.save_date),
    Attribute.PREVIEW: lambda row: b"PREVIEW " + _words(row.preview),
    Attribute.PREVIEW_LAZY: lambda row: b"PREVIEW " + _words(row.preview),
}
"""Items that are written from a row alone."""

_COLUMNS = {
    Attribute.ENVELOPE: Want.ENVELOPE,
    Attribute.BODYSTRUCTURE: Want.BODYSTRUCTURE,
    Attribute.BODY: Want.BODYSTRUCTURE,
    Attribute.EMAILID: Want.DIGEST,
    Attribute.PREVIEW: Want.PREVIEW,
    Attribute.PREVIEW_LAZY: Want.PREVIEW,
}


def in_utf8(row: MessageRow) -> MessageRow:
    """The row for a client that takes UTF-8 in quoted strings (RFC 6855 section 3, RFC 9051 section 4.3)."""
    envelope, structure = utf8_form(row.envelope or b""), utf8_form(row.bodystructure or b"")
    if envelope == (row.envelope or b"") and structure == (row.bodystructure or b""):
        return row
    return replace(row, envelope=envelope or None, bodystructure=structure or None)


def wants_of(items: tuple[FetchItem, ...]) -> frozenset[Want]:
    """The columns that these items read."""
    wants = {_COLUMNS[item] for item in items if isinstance(item, Attribute) and item in _COLUMNS}
    for item in items:
        if isinstance(item, BodySection):
            wants.add(Want.HEADER)
            if item.part:
                wants.add(Want.STRUCTURE)
        elif isinstance(item, BinarySection | BinarySize):
            wants |= {Want.HEADER, Want.STRUCTURE}
    return frozenset(wants)
