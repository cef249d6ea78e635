"""Content transfer encodings undone, as far as what came allows (RFC 2045 section 6)."""

from __future__ import annotations

import binascii
import quopri

from .parttable import Encoding

_BLANKS = b"\r\n\t "


def decode_transfer(data: bytes, encoding: int) -> bytes | None:
    """Return the octets behind a transfer encoding; None when it is unknown.

    Blanks and a missing end of base64 are no reason to hide a document; anything else that is not
    base64 leaves the octets as they came.
    """
    if encoding == Encoding.IDENTITY:
        return data
    if encoding == Encoding.QUOTED_PRINTABLE:
        return quopri.decodestring(data)
    if encoding != Encoding.BASE64:
        return None
    try:
        return binascii.a2b_base64(data)  # blanks are passed over
    except binascii.Error:
        pass
    kept = data.translate(None, _BLANKS)
    try:
        return binascii.a2b_base64(kept[: len(kept) - len(kept) % 4])
    except binascii.Error:
        return data
