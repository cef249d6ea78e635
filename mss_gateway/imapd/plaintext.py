"""The readable text of a message for SEARCH BODY and TEXT: text parts, decoded."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.message import Header
from mss_gateway.mail.mime import decoded_parameter, parse_content_type
from mss_gateway.mail.parttable import PartRow, load_parts
from mss_gateway.mail.structure import LEAF
from mss_gateway.mail.transfer import decode_transfer
from mss_gateway.mail.words import codec_of
from mss_gateway.ports.mailboxes import MessageRow


def readable_text(row: MessageRow, text: bytes) -> str:
    """All text parts of a message joined; parts that cannot be decoded are read as Latin-1."""
    try:
        table = load_parts(row.structure or b"")
    except InvalidValue:
        return text.decode("latin-1")
    found = []
    for index, part in enumerate(table.rows):
        if part.kind == LEAF:
            head = (row.header or b"") if index == 0 else text[part.start : part.body]
            found.append(_decode(Header(head), part, text[part.body : part.end]))
    return "\n".join(filter(None, found))


def _decode(header: Header, part: PartRow, data: bytes) -> str:
    value = header.first(b"content-type")
    typed = parse_content_type(value) if value else None
    if typed is not None and typed.main.lower() != b"text":
        return ""
    data = decode_transfer(data, part.encoding) or b""
    charset = decoded_parameter(typed, b"charset") if typed is not None else None
    return data.decode(codec_of(charset or "utf-8") or "latin-1", "replace")
