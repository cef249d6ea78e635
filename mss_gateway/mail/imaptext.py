"""ENVELOPE, BODYSTRUCTURE and BODY as IMAP sends them (RFC 9051 section 7.5.2), computed once at delivery."""

from __future__ import annotations

import re

from .addresses import scan_addresses
from .imapstring import host, nstring, quoted
from .message import Header
from .mime import Parameters, Typed, joined_parameters, parse_disposition, token
from .structure import MESSAGE, MULTIPART, MimePart

_NIL_ENVELOPE = b"(" + b" ".join([b"NIL"] * 10) + b")"
_MAX_NESTED = 1 << 20  # octets of text after which nested envelopes are left empty
_ITEM = re.compile(rb'([()])|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^() "]++')
_LEAF_FIELDS = 7  # type subtype parameters id description encoding octets


def _address_list(values: list[bytes]) -> bytes:
    entries = [entry for value in values for entry in scan_addresses(value)] if values else []
    if not entries:
        return b"NIL"
    items = [
        b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(local), host(domain))
        for name, local, domain, _, route in entries
    ]
    return b"(" + b"".join(items) + b")"


def _addresses(header: Header, name: bytes) -> bytes:
    values = header.every(name)
    return _address_list(values) if values else b"NIL"


def envelope_of(header: Header) -> bytes:
    """Return the ENVELOPE of a header already split; Sender and Reply-To default to From."""
    author = _addresses(header, b"from")
    sender = _addresses(header, b"sender")
    reply_to = _addresses(header, b"reply-to")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(header.first(b"date")),
        nstring(header.first(b"subject")),
        author,
        author if sender == b"NIL" else sender,
        author if reply_to == b"NIL" else reply_to,
        _addresses(header, b"to"),
        _addresses(header, b"cc"),
        _addresses(header, b"bcc"),
        nstring(header.first(b"in-reply-to")),
        nstring(header.first(b"message-id")),
    )


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    pairs = [quoted(name) + b" " + quoted(value) for name, value in joined_parameters(parameters)]
    return b"(" + b" ".join(pairs) + b")"


def _disposition(header: Header) -> bytes:
    value = header.first(b"content-disposition")
    typed: Typed | None = parse_disposition(value) if value else None
    return b"NIL" if typed is None else b"(%b %b)" % (quoted(typed.main), _parameters(typed.parameters))


def _language(header: Header) -> bytes:
    value = header.first(b"content-language")
    if not value:
        return b"NIL"
    tags = [tag for item in value.split(b",")[:20] if (tag := item.strip())]
    return b"(" + b" ".join(map(quoted, tags)) + b")" if tags else b"NIL"


def _extension(header: Header) -> bytes:
    """Disposition, language and location: the end of both extended forms."""
    return b"%b %b %b" % (_disposition(header), _language(header), nstring(header.first(b"content-location")))


class _Writer:
    """Writes one tree; knows how much it has written so that nested envelopes cannot swell it."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = 0

    def part(self, part: MimePart) -> bytes:
        """The extended structure of one part and all below it."""
        header = part.header
        if part.kind == MULTIPART:
            bodies = b"".join([self.part(child) for child in part.children])
            tail = _parameters(part.type.parameters)
            return b"(%b %b %b %b)" % (bodies, quoted(part.type.sub), tail, _extension(header))
        encoding = header.first(b"content-transfer-encoding")
        text = b"%b %b %b %b %b %b %d" % (
            quoted(part.type.main),
            quoted(part.type.sub),
            _parameters(part.type.parameters),
            nstring(header.first(b"content-id")),
            nstring(header.first(b"content-description")),
            quoted((token(encoding) if encoding else None) or b"7bit"),
            part.size,
        )
        self.written += len(text)
        if part.kind == MESSAGE:
            envelope = envelope_of(part.children[0].header) if self.written < _MAX_NESTED else _NIL_ENVELOPE
            self.written += len(envelope)
            text += b" %b %b %d" % (envelope, self.part(part.children[0]), part.lines)
        elif part.type.main == b"text":
            text += b" %d" % part.lines
        return b"(%b %b %b)" % (text, nstring(header.first(b"content-md5")), _extension(header))


def bodystructure_text(root: MimePart) -> bytes:
    """Return the extended BODYSTRUCTURE; parameters in continuations are joined (RFC 9051 section 7.5.2)."""
    return _Writer().part(root)


class _Shortener:
    """Reads a stored BODYSTRUCTURE by items (start, end, first octet) and leaves the extension data out."""

    __slots__ = ("at", "items", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.items = [(m.start(), m.end(), m[0][:1]) for m in _ITEM.finditer(text)]
        self.at = 0

    def _item(self) -> bytes:
        """One item as it stands: a word, or all up to the matching bracket."""
        start, depth = self.items[self.at][0], 0
        while True:
            _, end, octet = self.items[self.at]
            self.at += 1
            depth += (octet == b"(") - (octet == b")")
            if not depth:
                return self.text[start:end]

    def body(self) -> bytes:
        """The short form of the body that opens here."""
        self.at += 1
        if self.items[self.at][2] == b"(":
            bodies: list[bytes] = []
            while self.items[self.at][2] == b"(":
                bodies.append(self.body())
            text = b"".join(bodies) + b" " + self._item()
        else:
            pieces = [self._item() for _ in range(_LEAF_FIELDS)]
            main, sub = pieces[0], pieces[1]
            if main == b'"message"' and sub in (b'"rfc822"', b'"global"'):
                pieces += [self._item(), self.body(), self._item()]
            elif main == b'"text"':
                pieces.append(self._item())
            text = b" ".join(pieces)
        while self.items[self.at][2] != b")":
            self._item()
        self.at += 1
        return b"(" + text + b")"


def body_text(bodystructure: bytes) -> bytes:
    """Return the BODY form (no extension data) of a stored BODYSTRUCTURE that this module wrote."""
    return _Shortener(bodystructure).body()
