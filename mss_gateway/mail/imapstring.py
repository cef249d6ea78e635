"""Header values as IMAP strings: always ASCII, always quoted, so that any rev1 client can read them.

Octets beyond ASCII become RFC 2047 encoded words in UTF-8 (clients decode those anyway), in domains
A-labels. NUL, CR and LF, which no quoted string may hold, become `?`; a literal is never needed.
Our own encoded words spell their charset in a way that nobody else does, so that `utf8_form` can
give them back as they came to clients that take UTF-8 (RFC 6855 section 3).
"""

from __future__ import annotations

import binascii
import re

from mss_gateway.base.errors import InvalidValue

from .address import parse_domain
from .words import encode_words, plain_text

_PLAIN = re.compile(rb"[ !#-\[\]-~]*+\Z")
_FORBIDDEN = re.compile(rb"[\0\r\n]")
_MARK = b"=?uTF-8?"
_OURS = re.compile(rb"=\?uTF-8\?([QB])\?([^? \"\\]*+)\?=(?: (?==\?uTF-8\?))?")


def quoted(value: bytes) -> bytes:
    """Return octets as an IMAP quoted string."""
    if _PLAIN.match(value):
        return b'"' + value + b'"'
    if not value.isascii():
        value = (
            encode_words(plain_text(value), joint=" ").encode("ascii", "replace").replace(b"=?utf-8?", _MARK)
        )
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


def utf8_form(text: bytes) -> bytes:
    """Return a stored ENVELOPE or BODYSTRUCTURE with its 8-bit header text as UTF-8 in the quoted strings.

    Encoded words that came so stay as they are.
    """
    return _OURS.sub(_as_utf8, text) if _MARK in text else text


def _as_utf8(match: re.Match[bytes]) -> bytes:
    try:
        raw = binascii.a2b_qp(match[2], header=True) if match[1] == b"Q" else binascii.a2b_base64(match[2])
    except binascii.Error:
        return match[0]
    value = _FORBIDDEN.sub(b"?", raw.decode("utf-8", "replace").encode())
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
