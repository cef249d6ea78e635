"""All that is computed once for a message before it is stored (RTE-4, RTE-7)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .conversation import references_of
from .dates import parse_date
from .facts import read_message_id
from .imaptext import bodystructure_text, envelope_of
from .message import Header
from .parttable import dump_parts
from .spans import Buffer, Text
from .structure import MimePart, scan_structure
from .subject import base_subject
from .words import decode_words


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the store keeps beside the octets of a message; fields as in `ports.records.NewBody`."""

    digest: bytes
    envelope: bytes
    bodystructure: bytes
    structure: bytes
    message_id: str | None
    subject_base: str
    sent_at: float | None
    references: tuple[int, ...]


def prepare(
    header: bytes, text: Buffer, offset: int = 0, size: int | None = None, root: MimePart | None = None
) -> Prepared:
    """Return everything derived from a message; raise `InvalidValue` when its header exceeds 512 KiB.

    `header` holds the empty line; the text is the `size` octets of `text` from `offset` on.
    `root` is the structure when it was scanned before, under a header that differs in trace fields only.
    `digest` is SHA-256(SHA-256(header) + SHA-256(text)).
    """
    fields = Header(header)
    body = Text(text, offset, size)
    root = root or scan_structure(fields, body)
    subject, date, identity = fields.first(b"subject"), fields.first(b"date"), fields.first(b"message-id")
    digest = hashlib.sha256(hashlib.sha256(header).digest() + body.sha256()).digest()
    message_id = read_message_id(identity) if identity is not None else None
    return Prepared(
        digest=digest,
        envelope=envelope_of(fields),
        bodystructure=bodystructure_text(root),
        structure=dump_parts(root, len(header), body.size),
        message_id=message_id,
        subject_base=base_subject(decode_words(subject)) if subject else "",
        sent_at=parse_date(date) if date else None,
        references=references_of(fields, message_id, digest),
    )
