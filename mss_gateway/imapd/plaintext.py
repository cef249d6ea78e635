"""The text of a stored message for SEARCH BODY and TEXT: text parts and attachment names."""

from __future__ import annotations

from collections.abc import Iterator

from mss_gateway.mail.plaintext import fold_body, plain_texts
from mss_gateway.mail.spans import Octets
from mss_gateway.ports.mailboxes import MessageRow


def readable_text(row: MessageRow, text: bytes | Octets) -> str:
    """What a text search reads of a message's body, folded (`mail.searchtext`); `row` has header and structure."""
    return fold_body(row.header or b"", row.structure or b"", text)


def unfolded_texts(row: MessageRow, text: bytes | Octets) -> Iterator[str]:
    """The same texts one by one, as they are written."""
    return plain_texts(row.header or b"", row.structure or b"", text)
