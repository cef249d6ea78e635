"""The header block of a message, read over its bytes (RFC 5322 section 2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from mmap import mmap

from mss_gateway.base.errors import InvalidValue

MAX_HEADER = 512 * 1024
"""Octets of one header block; beyond it the message is refused rather than read in part."""

# Possessive throughout: a line that is no field costs one look, whatever its length.
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_RAW_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+\n?", re.MULTILINE)


def split_message(data: bytes | mmap) -> int:
    """Return the offset just after the empty line that ends the header; the whole length without one.

    Lines may end in CRLF or, in what clients append, in a bare LF.
    """
    if data[:2] == b"\r\n":
        return 2
    if data[:1] == b"\n":
        return 1
    size = len(data)
    crlf = data.find(b"\n\r\n")
    # The second search stops where the first one succeeded, so a large body is never scanned twice.
    lf = data.find(b"\n\n", 0, crlf + 1 if crlf >= 0 else size)
    if lf >= 0:
        return lf + 2
    return crlf + 3 if crlf >= 0 else size


def unfold(value: bytes) -> bytes:
    """Return a field value without its line breaks (RFC 5322 section 2.2.3); white space stays."""
    if value.endswith(b"\r"):
        value = value[:-1]
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value


class Header:
    """The fields of one header block: names compared without case, order kept, values as received.

    Lines that are no field are passed over. Raises `InvalidValue` when the block exceeds `MAX_HEADER`.
    """

    __slots__ = ("_fields",)

    def __init__(self, block: bytes) -> None:
        if len(block) > MAX_HEADER:
            raise InvalidValue("the header is larger than 512 KiB", "header-too-large")
        fields: dict[bytes, list[bytes]] = {}
        for name, value in _FIELD.findall(block):
            fields.setdefault(name.lower(), []).append(value)
        self._fields = fields

    def raw(self, name: bytes) -> bytes | None:
        """The first value of a field (name in lower case) with folds and white space, or None."""
        values = self._fields.get(name)
        return values[0] if values else None

    def first(self, name: bytes) -> bytes | None:
        """The first value of a field (name in lower case), unfolded and stripped, or None."""
        values = self._fields.get(name)
        return unfold(values[0]).strip(b" \t\r") if values else None

    def every(self, name: bytes) -> list[bytes]:
        """All values of a field (name in lower case) from top to bottom, unfolded and stripped."""
        return [unfold(value).strip(b" \t\r") for value in self._fields.get(name, ())]

    def count(self, name: bytes) -> int:
        """How often a field (name in lower case) occurs."""
        return len(self._fields.get(name, ()))

    def __contains__(self, name: bytes) -> bool:
        return name in self._fields


def select_fields(block: bytes, names: Iterable[bytes], *, others: bool = False) -> bytes:
    """Return the named fields as they stand, then the empty line: BODY[HEADER.FIELDS (…)] of IMAP.

    With `others`, all fields but the named ones (HEADER.FIELDS.NOT, RFC 9051 section 6.4.5).
    """
    wanted = {name.lower() for name in names}
    chosen = [m[0] for m in _RAW_FIELD.finditer(block) if (m[1].lower() in wanted) is not others]
    return b"".join((*(field if field.endswith(b"\n") else field + b"\r\n" for field in chosen), b"\r\n"))
