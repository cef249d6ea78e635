"""PURE. Distinguished names compared attribute by attribute, never as strings (TRU-4).

The trusted list writes DNs loosely: quoted values, quotes inside values, doubled and non-breaking
spaces, `L` for `ST`. A certificate holds the same name in DER. Both become one canonical text, the
DN key: folded, sorted and escaped, so that two names have the same key if and only if they hold the
same attributes with the same values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from unicodedata import normalize

from mss_gateway.base.errors import InvalidValue

from .der import MAX_ATTRIBUTES, DerError, name_attributes, subject_of, text_of

MAX_DN = 4096  # characters of a DN's text

_NAMES = {
    "2.5.4.3": "cn",
    "2.5.4.4": "sn",
    "2.5.4.5": "serialnumber",
    "2.5.4.6": "c",
    "2.5.4.7": "l",
    "2.5.4.8": "st",
    "2.5.4.9": "street",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "2.5.4.12": "title",
    "2.5.4.42": "gn",
    "2.5.4.97": "organizationidentifier",
    "0.9.2342.19200300.100.1.1": "uid",
    "0.9.2342.19200300.100.1.25": "dc",
    "1.2.840.113549.1.9.1": "emailaddress",
}
_SYNONYMS = {"s": "st", "sp": "st", "e": "emailaddress", "email": "emailaddress", "givenname": "gn"}

_TYPE = r"(?:[Oo][Ii][Dd]\.)?([A-Za-z][A-Za-z0-9-]{0,63}|[0-9]{1,20}(?:\.[0-9]{1,40}){1,30})"
_HEAD = re.compile(rf"\s*{_TYPE}\s*=\s*")
_SEPARATOR = re.compile(rf"[,;+](?=\s*{_TYPE}\s*=)")
_ESCAPE = re.compile(r"\\(?:((?:[0-9A-Fa-f]{2})(?:\\[0-9A-Fa-f]{2})*)|(.))", re.DOTALL)
_HEX = re.compile(r"#(?:[0-9A-Fa-f]{2})+\Z")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f",;+<>\\=]')


def fold(value: str) -> str:
    """Return a value as it is compared: caseless by Unicode's rule, NFC, white space runs as one space."""
    if value.isascii():
        return " ".join(value.lower().split())
    caseless = normalize("NFD", normalize("NFD", value).casefold())
    return " ".join(normalize("NFC", caseless).split())


def _attribute(kind: str) -> str:
    name = kind.lower()
    return _SYNONYMS.get(name) or _NAMES.get(name) or name


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\{ord(found[0]):02x}", text)


def key_of(attributes: Iterable[tuple[str, str]], *, st_is_l: bool = True) -> str:
    """Return the DN key of (attribute type, value) pairs; types are names or dotted OIDs.

    With `st_is_l`, `L` counts as `ST` (domain reference 6.4). Raises `InvalidValue` on an empty name.
    """
    folded = []
    for kind, value in attributes:
        name = _attribute(kind)
        if st_is_l and name == "l":
            name = "st"
        folded.append(f"{name}={_escaped(fold(value))}")
    if not folded:
        raise InvalidValue("the distinguished name is empty", "dn-empty")
    return ",".join(sorted(folded))


def parse(text: str) -> tuple[tuple[str, str], ...]:
    """Read a DN as the trusted list or an operator writes it: RFC 4514, leniently.

    Quotes that enclose a whole value are stripped, other quotes are kept; a comma that no attribute
    follows belongs to the value. Raises `InvalidValue` when it is not a DN, or longer than `MAX_DN`.
    """
    if len(text) > MAX_DN:
        raise InvalidValue(f"the distinguished name is longer than {MAX_DN} characters", "dn-too-long")
    cuts = [found.start() for found in _SEPARATOR.finditer(text)]
    if len(cuts) >= MAX_ATTRIBUTES:
        raise InvalidValue("the distinguished name has too many attributes", "dn-too-long")
    cuts.append(len(text))
    attributes: list[tuple[str, str]] = []
    start, index = 0, 0
    while index < len(cuts):
        # The first cut outside quotes; a quote that is never closed is an ordinary character.
        whole = (at for at in range(index, len(cuts)) if _complete(text[start : cuts[at]]))
        index = next(whole, index)
        attributes.append(_pair(text[start : cuts[index]]))
        start = cuts[index] + 1
        index += 1
    return tuple(attributes)


def _complete(piece: str) -> bool:
    """True when a separator may follow: the last backslash is paired and an opening quote is closed."""
    if (len(piece) - len(piece.rstrip("\\"))) % 2:
        return False
    head = _HEAD.match(piece)
    value = piece[head.end() :] if head else piece
    return not value.startswith('"') or _quoted(value) is not None


def _quoted(value: str) -> str | None:
    """The inside of a value wholly enclosed in quotes, or None."""
    body = value.rstrip()
    if len(body) < 2 or body[0] != '"' or body[-1] != '"':
        return None
    inner = body[1:-1]
    escapes = len(inner) - len(inner.rstrip("\\"))
    return None if escapes % 2 else inner


def _pair(piece: str) -> tuple[str, str]:
    head = _HEAD.match(piece)
    if head is None:
        raise InvalidValue("the distinguished name has a part without attribute type", "dn-syntax")
    raw = piece[head.end() :]
    inner = _quoted(raw)
    if inner is None:
        raw = _stripped(raw)
        if _HEX.match(raw):
            return head[1], _from_hex(raw)
    return head[1], _unescaped(raw if inner is None else inner)


def _stripped(raw: str) -> str:
    """Without trailing space, unless a backslash keeps the first of it."""
    body = raw.rstrip()
    if (len(body) - len(body.rstrip("\\"))) % 2 and len(body) < len(raw):
        body = raw[: len(body) + 1]
    return body


def _from_hex(raw: str) -> str:
    try:
        return text_of(bytes.fromhex(raw[1:]))
    except DerError:
        return raw


def _unescaped(raw: str) -> str:
    if "\\" not in raw:
        return raw

    def plain(found: re.Match[str]) -> str:
        if found[1]:
            return bytes.fromhex(found[1].replace("\\", "")).decode("utf-8", "replace")
        return found[2]

    return _ESCAPE.sub(plain, raw)


@lru_cache(maxsize=8192)
def key_of_text(text: str, st_is_l: bool = True) -> str:
    """Return the DN key of a DN's text; raises `InvalidValue`."""
    return key_of(parse(text), st_is_l=st_is_l)


def subject_attributes(der: bytes) -> tuple[tuple[str, str], ...]:
    """Return (dotted OID, decoded value) of a certificate's subject, in its own order.

    PrintableString, UTF8String, T61String and the rest are decoded alike. Raises `InvalidValue`.
    """
    try:
        return name_attributes(subject_of(der))
    except DerError as wrong:
        raise InvalidValue(f"the certificate cannot be read: {wrong}", "certificate-malformed") from None


def text_of_attributes(attributes: Iterable[tuple[str, str]]) -> str:
    """Return a DN as people read it, most specific part first, safe to print (RFC 4514 escapes)."""
    parts = [f"{_attribute(kind).upper()}={_escaped(value)}" for kind, value in attributes]
    return ",".join(reversed(parts))
