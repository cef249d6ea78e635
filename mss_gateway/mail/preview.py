"""The first words of a message, for lists of messages (RFC 8970)."""

from __future__ import annotations

import html
import re
from itertools import islice

from .message import MAX_HEADER, Header
from .mime import TEXT_PLAIN, decoded_parameter, parse_content_type, parse_disposition
from .parttable import Encoding, PartRow, PartTable
from .structure import LEAF, MAX_DEPTH
from .transfer import decoder
from .words import codec_of, plain_text

LENGTH = 200
"""Characters of a preview at most; RFC 8970 allows 256."""

READ = 64 * 1024
"""Octets of the text of a message that are looked at."""

_PARTS = 50  # parts asked for readable text
_HEADS = 16 * 1024  # octets of one part header
_HALF = 1000  # octets; a shorter text was not cut
_PLAIN = 8 * 1024  # decoded octets of a plain text: quoted answers may stand before the first own word

# Each alternative runs to the end of the text when it is not closed, so that no octet is looked at twice.
_UNSEEN = re.compile(
    r"<!--(?:.*?-->|.*)|<(head|style|script|title)\b(?:.*?</\1\s{0,9}>|.*)|<[a-z/!?][^<>]*+>?",
    re.DOTALL | re.IGNORECASE,
)
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_BLANKS = re.compile(r"[\x00-\x20\x7f-\xa0\u2000-\u200a\u2028\u2029\u202f\u3000]+")
_QUOTED_LINE = re.compile(r"^[ \t]?>[^\n]*+\n?", re.MULTILINE)


def preview_of(header: bytes, table: PartTable, text: bytes) -> str:
    """Return up to 200 characters of the first readable text part; empty when there is none (RFC 8970 section 3).

    `text` is the text of the message or its first `READ` octets. Never raises, linear in time.
    """
    leaves = islice((row for row in table.rows if row.kind == LEAF), _PARTS)
    for row in leaves:
        if row.body >= len(text) or row.encoding == Encoding.UNKNOWN:
            continue
        block = header if row.depth == 0 else text[row.start : row.body]
        found = _readable(block, row, text)
        if found:
            return found
    return ""


def _readable(block: bytes, row: PartRow, text: bytes) -> str:
    """The first words of one part, empty when it is no text to be read in place."""
    if len(block) > (MAX_HEADER if row.depth == 0 else _HEADS):
        return ""
    fields = Header(block)
    value, told = fields.first(b"content-type"), fields.first(b"content-disposition")
    kind = parse_content_type(value) if value else TEXT_PLAIN
    disposition = parse_disposition(told) if told else None
    if disposition is not None and disposition.main == b"attachment":
        return ""
    if kind.main == b"multipart" and row.depth < MAX_DEPTH:
        kind = TEXT_PLAIN  # without parts it is read as text
    if kind.main != b"text" or kind.sub not in (b"plain", b"html", b"enriched"):
        return ""
    decoding = decoder(row.encoding)
    octets = decoding.feed(text[row.body : min(row.end, len(text))]) + decoding.end()
    if kind.sub == b"plain":
        return _squeeze(_without_quotes(_characters(octets[:_PLAIN], decoded_parameter(kind, b"charset"))))
    shown = _UNSEEN.sub(" ", _characters(octets, decoded_parameter(kind, b"charset")))
    return _squeeze(html.unescape(shown[: LENGTH * 40]))


def _characters(octets: bytes, charset: str | None) -> str:
    codec = codec_of(charset) if charset else None
    if codec in (None, "ascii", "utf_8"):
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError as error:
            # In a text that was cut, the last character may be cut too.
            whole = error.start if len(octets) > _HALF and error.start > len(octets) - 4 else None
            return plain_text(octets[:whole])
    return octets.decode(codec or "latin-1", "replace")


def _without_quotes(text: str) -> str:
    """A plain text without the lines that it quotes, unless nothing else is there."""
    own = _QUOTED_LINE.sub("", text)
    return own if own.strip() else text


def _squeeze(text: str) -> str:
    near = text.lstrip()[: LENGTH * 4]
    short = _BLANKS.sub(" ", _INVISIBLE.sub("", near)).strip()
    if len(short) < LENGTH and len(near) == LENGTH * 4:  # wide gaps: look further
        short = _BLANKS.sub(" ", _INVISIBLE.sub("", text)).strip()
    return short[:LENGTH].rstrip()
