"""The files that travel with a message: leaf parts that are no body text (RFC 2183)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .message import Header
from .mime import Typed, decoded_parameter, parse_content_type, parse_disposition, token
from .parttable import Encoding
from .spans import Text
from .structure import LEAF, MESSAGE, MULTIPART, MimePart
from .transfer import decode_transfer

_ENCODINGS = {b"base64": Encoding.BASE64, b"quoted-printable": Encoding.QUOTED_PRINTABLE}
_BODY_TEXTS = frozenset({b"plain", b"html", b"enriched", b"richtext"})
_TELLING = (b"content-type", b"content-disposition", b"content-transfer-encoding")
_MAX_NAME = 255

UNREADABLE = "application/x-unreadable"
"""The media type given to what programs read differently: no part of it can be vouched for."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """One file: its media type in lower case, its decoded name, and the part that holds it."""

    media_type: str
    name: str
    part: MimePart


def may_hold_files(header: Header, kind: Typed) -> bool:
    """False for a message that is one plain or HTML text, `kind` its type: nothing needs to be scanned."""
    disposition = header.first(b"content-disposition")
    if _contradicts_itself(header):
        return True
    if kind.main == b"text" and kind.sub in _BODY_TEXTS:
        return disposition is not None or kind.parameter(b"name") is not None
    return True


def attached_files(root: MimePart) -> Iterator[AttachedFile]:
    """Every file in document order; a message that is attached counts as one file of type message/rfc822.

    What cannot be read in one way only counts as a file of type `UNREADABLE`.
    """
    if root.cut:
        yield AttachedFile(UNREADABLE, "", root)
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if _contradicts_itself(part.header) or _is_broken_multipart(part):
            yield AttachedFile(UNREADABLE, "", part)
        if part.kind == MULTIPART:
            waiting += reversed(part.children)
            continue
        told = part.header.first(b"content-disposition")
        if told is None and _is_body(part, None) and not _is_named(part.type):
            continue
        disposition = parse_disposition(told) if told else None
        name = _name(part.type, disposition)
        if not name and _is_body(part, disposition):
            continue
        kind = "message/rfc822" if part.kind == MESSAGE else _media_type(part.type)
        yield AttachedFile(kind, name, part)


def _contradicts_itself(header: Header) -> bool:
    """A field there twice with two values: some programs take the first one, some the last."""
    for name in _TELLING:  # noqa: SIM110 - asked for every part of every message to a patient
        if header.count(name) > 1 and len(set(header.every(name))) > 1:
            return True
    return False


def _is_broken_multipart(part: MimePart) -> bool:
    """Told to be of parts, but without a boundary that finds any; a lenient program may find some."""
    if part.kind != LEAF or part.type.main == b"multipart":
        return False
    told = part.header.first(b"content-type")
    return told is not None and b"ultipart" in told.lower() and parse_content_type(told).main == b"multipart"


def _is_body(part: MimePart, disposition: Typed | None) -> bool:
    """A text without a file name that is not called an attachment."""
    readable = part.kind == LEAF and part.type.main == b"text" and part.type.sub in _BODY_TEXTS
    return readable and (disposition is None or disposition.main != b"attachment")


def _is_named(kind: Typed) -> bool:
    """Whether a type carries a file name in any form."""
    return any(name.startswith(b"name") for name, _ in kind.parameters)


def _media_type(kind: Typed) -> str:
    return (kind.main + b"/" + kind.sub).decode("ascii", "replace")


def _name(kind: Typed, disposition: Typed | None) -> str:
    """The file name as programs show it: of the disposition, else of the type; no folder in front."""
    name = decoded_parameter(disposition, b"filename") if disposition is not None else None
    if not name:
        name = decoded_parameter(kind, b"name")
    return (name or "").replace("\\", "/").rpartition("/")[2].strip()[:_MAX_NAME]


def content_of(part: MimePart, text: Text) -> bytes:
    """The decoded octets of a part; as they came when the encoding is unknown."""
    octets = text.slice(part.body, part.end)
    encoding = token(part.header.first(b"content-transfer-encoding") or b"7bit")
    return decode_transfer(octets, _ENCODINGS.get(encoding or b"", Encoding.IDENTITY)) or b""
