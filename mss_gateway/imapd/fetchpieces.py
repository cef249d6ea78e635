"""What each item of a FETCH costs to read, and how it is written (RFC 9051 section 6.4.5)."""

from __future__ import annotations

from collections.abc import Callable

from mss_gateway.ports.mailboxes import MessageRow, Want
from mss_gateway.protocol.imap import fetching
from mss_gateway.protocol.imap.fetchitems import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    FetchItem,
)

from . import sections

Piece = Callable[[MessageRow], bytes]
"""Writes one item of a message from its row."""

PIECES: dict[Attribute, Piece] = {
    Attribute.UID: lambda row: fetching.uid_item(row.uid),
    Attribute.FLAGS: lambda row: fetching.flags_item(row.flags),
    Attribute.MODSEQ: lambda row: fetching.modseq_item(row.modseq),
    Attribute.SIZE: lambda row: fetching.size_item(row.size),
    Attribute.INTERNALDATE: lambda row: fetching.date_item(row.internal_date),
    Attribute.ENVELOPE: lambda row: b"ENVELOPE " + (row.envelope or b"NIL"),
    Attribute.BODYSTRUCTURE: lambda row: b"BODYSTRUCTURE " + (row.bodystructure or b"NIL"),
    Attribute.BODY: lambda row: b"BODY " + sections.body_form(row),
}
"""Items that are written from a row alone."""

_COLUMNS = {
    Attribute.ENVELOPE: Want.ENVELOPE,
    Attribute.BODYSTRUCTURE: Want.BODYSTRUCTURE,
    Attribute.BODY: Want.BODYSTRUCTURE,
}


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
