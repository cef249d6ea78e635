"""Which messages a message answers, as numbers made of Message-IDs (RFC 5322 section 3.6.4)."""

from __future__ import annotations

import re
from hashlib import blake2b

from .message import Header

MAX_ANCESTORS = 5
"""Answered messages told apart: the nearest ones, and always the first of the conversation."""

_ID = re.compile(rb"<[^<>]{1,998}>")
_BLANKS = b" \t\r\n"
_MAX_FIELD = 64 * 1024  # octets of References that are read


def id_number(message_id: bytes) -> int:
    """The number of a Message-ID, 64 bits with a sign."""
    return int.from_bytes(blake2b(message_id, digest_size=8).digest(), "big", signed=True)


def _ids(value: bytes) -> list[bytes]:
    return [found.translate(None, _BLANKS) for found in _ID.findall(value[:_MAX_FIELD])]


def references_of(header: Header, message_id: str | None, digest: bytes) -> tuple[int, ...]:
    """The number of the message itself, then those of the messages it answers, the nearest first, the root last.

    A message without a Message-ID is named by its digest.
    """
    own = (
        int.from_bytes(digest[:8], "big", signed=True)
        if message_id is None
        else id_number(message_id.encode())
    )
    chain = header.first(b"references")
    parent = header.first(b"in-reply-to")
    if chain is None and parent is None:
        return (own,)
    ancestors = _ids(chain) if chain else []
    # In-Reply-To names the parent; the last of References is that one too, unless References is missing or broken.
    nearest = _ids(parent)[:1] if parent else []
    ordered = [*nearest, *reversed(ancestors)]
    if len(ordered) > MAX_ANCESTORS:
        ordered = [*ordered[: MAX_ANCESTORS - 1], ordered[-1]]
    numbers = dict.fromkeys((own, *map(id_number, ordered)))
    return tuple(numbers)
