"""Commands about the connection and the user: LOGIN, AUTHENTICATE, ENABLE, ID (RFC 9051 sections 6.1 to 6.3.1)."""

from __future__ import annotations

from binascii import Error, a2b_base64

from mss_gateway.base.secret import Secret

from .commands import Authenticate, Enable, Id, Login
from .cursor import Cursor, Malformed

_MAX_ID_PAIRS = 30
_MAX_CREDENTIAL = 4096


def decode_base64(text: bytes) -> bytes:
    """Decode one base64 answer of SASL; `=` is the empty one. Raises `Malformed`."""
    if text == b"=":
        return b""
    try:
        return a2b_base64(text, strict_mode=True) if text else b""
    except Error:
        raise Malformed("Not base64") from None


def login(cursor: Cursor) -> Login:
    """LOGIN user password."""
    cursor.space()
    user = cursor.text_string()
    cursor.space()
    password = cursor.text_string()
    if len(user) > _MAX_CREDENTIAL or len(password) > _MAX_CREDENTIAL:
        raise Malformed("Credential too long")
    return Login(user, Secret(password))


def authenticate(cursor: Cursor) -> Authenticate:
    """AUTHENTICATE mechanism, with an initial response when the client has one (RFC 4959)."""
    cursor.space()
    mechanism = cursor.atom().decode("ascii").upper()
    if not cursor.skip(b" "):
        return Authenticate(mechanism)
    text = cursor.rest()
    if not text:
        raise Malformed("Missing argument")
    return Authenticate(mechanism, decode_base64(text))


def enable(cursor: Cursor) -> Enable:
    """ENABLE with one or more names."""
    names: dict[str, None] = {}
    cursor.space()
    names[cursor.atom().decode("ascii").upper()] = None
    while cursor.skip(b" "):
        names[cursor.atom().decode("ascii").upper()] = None
    return Enable(tuple(names))


def identify(cursor: Cursor) -> Id:
    """ID NIL, or a list of names and values."""
    cursor.space()
    if cursor.peek() != b"(":
        if cursor.word() != "NIL":
            raise Malformed("Expected NIL or a list")
        return Id({})
    texts = cursor.items(cursor.nstring, 2 * _MAX_ID_PAIRS, empty=True)
    if len(texts) % 2:
        raise Malformed("A name without a value")
    fields: dict[str, str] = {}
    for name, value in zip(texts[::2], texts[1::2], strict=True):
        if name is None or len(name) > 30 or (value is not None and len(value) > 1024):
            raise Malformed("ID field too long")
        if value is not None:
            fields[name.decode("utf-8", "replace").lower()] = value.decode("utf-8", "replace")
    return Id(fields)
