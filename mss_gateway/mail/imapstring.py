"""Header values as IMAP strings: always ASCII, always quoted, so that any rev1 client can read them.

Octets beyond ASCII become RFC 2047 encoded words in UTF-8 (clients decode those anyway), in domains
A-labels. NUL, CR and LF, which no quoted string may hold, become `?`; a literal is never needed.
"""

from __future__ import annotations

import re

from mss_gateway.base.errors import InvalidValue

from .address import parse_domain
from .words import encode_words, plain_text

_PLAIN = re.compile(rb"[ !#-\[\]-~]*+\Z")
_FORBIDDEN = re.compile(rb"[\0\r\n]")


def quoted(value: bytes) -> bytes:
    """Return octets as an IMAP quoted string."""
    if _PLAIN.match(value):
        return b'"' + value + b'"'
    if not value.isascii():
        value = encode_words(plain_text(value), joint=" ").encode("ascii", "replace")
    value = _FORBIDDEN.sub(b"?", value)
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def nstring(value: bytes | None) -> bytes:
    """Return octets as a quoted string, or NIL."""
    return b"NIL" if value is None else quoted(value)


def host(value: bytes | None) -> bytes:
    """Return a domain as a quoted string or NIL; internationalised ones as A-labels where they have one."""
    if value is not None and not value.isascii():
        try:
            value = parse_domain(plain_text(value)).encode("ascii")
        except InvalidValue:
            value = value.decode("latin-1").encode("ascii", "replace")
    return nstring(value)
