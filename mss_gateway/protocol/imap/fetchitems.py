"""What a FETCH asks for (RFC 9051 section 6.4.5). Each item knows the label its answer carries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Attribute(Enum):
    """Items without arguments; the value is the label in the answer."""

    ENVELOPE = b"ENVELOPE"
    FLAGS = b"FLAGS"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    UID = b"UID"
    MODSEQ = b"MODSEQ"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"
    SAVEDATE = b"SAVEDATE"
    PREVIEW = b"PREVIEW"
    PREVIEW_LAZY = b"PREVIEW (LAZY)"  # answered as PREVIEW


class SectionText(Enum):
    """Which half of a message or part `BodySection` means."""

    WHOLE = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Partial:
    """`<offset.length>`, in octets; `length` is at least 1."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class BodySection:
    """BODY[...], BODY.PEEK[...], RFC822, RFC822.HEADER or RFC822.TEXT.

    `part` is the path (empty: the message itself), `fields` lower-case header names. Without `peek` the
    answer sets `\\Seen`. `label` is what stands before the literal in the answer, `<offset>` included.
    """

    label: bytes
    part: tuple[int, ...] = ()
    text: SectionText = SectionText.WHOLE
    fields: tuple[str, ...] = ()
    partial: Partial | None = None
    peek: bool = False


@dataclass(frozen=True, slots=True)
class BinarySection:
    """BINARY[part] or BINARY.PEEK[part]: the part with its transfer encoding removed (RFC 9051 section 6.4.5)."""

    label: bytes
    part: tuple[int, ...] = ()
    partial: Partial | None = None
    peek: bool = False


@dataclass(frozen=True, slots=True)
class BinarySize:
    """BINARY.SIZE[part]: the decoded size of the part in octets."""

    label: bytes
    part: tuple[int, ...] = ()


FetchItem = Attribute | BodySection | BinarySection | BinarySize
"""Any item of a FETCH."""
