"""The parts of a report sorted by use: machine fields, prose, files, originals; broken MIME is mended (RCP-5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .message import MAX_HEADER, Header, split_message
from .mime import TEXT_PLAIN, Typed, decoded_parameter, parse_content_type, parse_disposition, token
from .parttable import Encoding
from .reports_fields import message_ids
from .reports_words import decode_text, html_text
from .spans import Text
from .structure import MESSAGE, MULTIPART, MimePart, scan_structure
from .transfer import decode_transfer

MAX_TEXT = 1 << 20
"""Octets of a message's text that are read."""

MAX_PARTS = 50
"""Parts looked at."""

MAX_DEPTH = 10
"""Levels of nesting followed; a message within the message is never entered."""

_SNIFFED = 64 * 1024  # octets in which a delimiter is looked for
# "Content-Transfert-Encoding" stands in the official examples (domain 11.3).
_ENCODING_NAMES = (b"content-transfer-encoding", b"content-transfert-encoding", b"content-encoding")
_ENCODINGS = {b"base64": Encoding.BASE64, b"quoted-printable": Encoding.QUOTED_PRINTABLE}
_UNSAID_QP = re.compile(rb"=C3=[89AB][0-9A-F]|=E[0-9AB][a-z ]")
_DELIMITER = re.compile(rb"^--([^\r\n]{1,250})\r?\n(?=[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-)", re.MULTILINE)
_NOTICES = frozenset(
    {
        b"disposition-notification",
        b"global-disposition-notification",
        b"delivery-status",
        b"global-delivery-status",
    }
)
_HEADERS_ONLY = frozenset({b"rfc822-headers", b"global-headers"})
_MESSAGES = frozenset({b"rfc822", b"global"})
_FILE_NAMES = (".er7", ".hl7", ".txt", ".dsn")


@dataclass(slots=True)
class ReportParts:
    """What a message holds outside of the messages within it; texts are decoded, `notices` are raw fields."""

    notices: list[bytes] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    originals: list[str] = field(default_factory=list)
    embedded: bool = False


def sort_parts(header: Header, text: bytes, *, mend_plain: bool) -> ReportParts:
    """Return the parts of a message; with `mend_plain` also of one whose header forgot to say multipart."""
    return _Walk(text[:MAX_TEXT]).run(header, mend_plain)


class _Walk:
    """One walk over one message, in document order and within its caps."""

    __slots__ = ("found", "looked", "pending", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.found = ReportParts()
        self.pending: list[tuple[MimePart, bytes, int]] = []  # part, what its spans count in, depth
        self.looked = 0

    def run(self, header: Header, mend_plain: bool) -> ReportParts:
        root = scan_structure(header, Text(self.text))
        declared = _declared(root)
        if declared.main == b"text" and mend_plain and root.kind not in (MULTIPART, MESSAGE):
            self._mend(self.text, 0)
        if not self.pending:
            self.pending.append((root, self.text, 0))
        while self.pending and self.looked < MAX_PARTS:
            part, data, depth = self.pending.pop()
            self.looked += 1
            self._look(part, data, depth)
        return self.found

    def _look(self, part: MimePart, data: bytes, depth: int) -> None:
        if part.kind == MULTIPART:
            if depth < MAX_DEPTH:
                self.pending += [(child, data, depth + 1) for child in reversed(part.children[:MAX_PARTS])]
            return
        declared = _declared(part)
        if declared.main == b"multipart":
            content, _ = _content(part, data)
            if depth >= MAX_DEPTH or not self._mend(content, depth):
                self.found.prose.append(decode_text(content, None))
            return
        if declared.sub in _MESSAGES:
            self._original(_content(part, data)[0])
        elif declared.sub in _NOTICES:
            # The raw header comes first: the empty line before the fields is sometimes missing.
            self.found.notices.append(data[part.start : part.body] + b"\n" + _content(part, data)[0])
        elif declared.sub in _HEADERS_ONLY:
            self._original(_content(part, data)[0])
        else:
            self._readable(part, declared, data)

    def _readable(self, part: MimePart, declared: Typed, data: bytes) -> None:
        disposition = parse_disposition(part.header.first(b"content-disposition") or b"")
        name = decoded_parameter(disposition, b"filename") if disposition else None
        name = (name or decoded_parameter(declared, b"name") or "").lower()
        if name.endswith(".eml"):
            self._original(_content(part, data)[0])
            return
        attached = bool(name) or bool(disposition and disposition.main == b"attachment")
        if declared.main == b"text" and not attached:
            content, encoded = _content(part, data, guess=True)
            if not encoded and part.depth and not _is_described(part.header):
                content = data[part.start : part.end]  # a text whose first line looks like a field
            text = decode_text(content, declared.parameter(b"charset"))
            self.found.prose.append(html_text(text) if declared.sub == b"html" else text)
        elif declared.main == b"text" or name.endswith(_FILE_NAMES) or b"hl7" in declared.sub:
            self.found.files.append(decode_text(_content(part, data)[0], declared.parameter(b"charset")))

    def _mend(self, content: bytes, depth: int) -> bool:
        """Find the delimiter that is really used and put the parts aside; False when there is none."""
        match = _DELIMITER.search(content, 0, _SNIFFED)
        if match is None:
            return False
        boundary = match[1].rstrip().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        root = scan_structure(
            Header(b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\n'), Text(content)
        )
        if root.kind != MULTIPART:
            return False
        children = root.children[:MAX_PARTS]
        self.pending += [(child, content, depth + 1) for child in reversed(children)]
        return True

    def _original(self, content: bytes) -> None:
        self.found.embedded = True
        content = content[:MAX_HEADER].lstrip(b"\r\n")
        header = Header(content[: split_message(content)])
        self.found.originals.extend(message_ids(header.first(b"message-id"))[:1])


def _declared(part: MimePart) -> Typed:
    """The type as its header says: the structure forgets those that it could not follow."""
    value = part.header.first(b"content-type")
    return parse_content_type(value) if value else TEXT_PLAIN if not part.depth else part.type


def _is_described(header: Header) -> bool:
    return (
        b"content-type" in header
        or b"content-disposition" in header
        or any(n in header for n in _ENCODING_NAMES)
    )


def _content(part: MimePart, data: bytes, *, guess: bool = False) -> tuple[bytes, bool]:
    """The content of a part without its transfer encoding, and whether it had one; `guess` one that is unsaid."""
    raw = data[part.body : part.end]
    named = next(filter(None, map(part.header.first, _ENCODING_NAMES)), None)
    encoding = _ENCODINGS.get(token(named) or b"", Encoding.IDENTITY) if named else Encoding.IDENTITY
    if encoding == Encoding.IDENTITY:
        if guess and not named and _UNSAID_QP.search(raw, 0, _SNIFFED):
            encoding = Encoding.QUOTED_PRINTABLE
        else:
            return raw, False
    return decode_transfer(raw, encoding) or raw, True
