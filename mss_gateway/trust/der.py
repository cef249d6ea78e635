"""PURE. Just enough DER to read a certificate's subject, whatever string types it uses.

The general library refuses T61String in Latin-1, which old certificates hold; names must be compared
by their decoded text (domain reference 6.4), so this reads them itself. Time is linear.
"""

from __future__ import annotations

_SEQUENCE, _SET, _OID, _VERSION = 0x30, 0x31, 0x06, 0xA0
_UTF8, _BMP, _UNIVERSAL = 12, 30, 28
_LATIN = frozenset({18, 19, 20, 22, 26, 27})  # Numeric, Printable, T61, IA5, Visible, General
MAX_ATTRIBUTES = 64  # of one name; real ones hold five


class DerError(ValueError):
    """The octets are not the DER that was expected."""


def element(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (tag, start of the content, end) of the element at offset `at`; raises `DerError`."""
    try:
        tag, length = data[at], data[at + 1]
        start = at + 2
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise DerError("a length is malformed")
            length = int.from_bytes(data[start : start + count], "big")
            start += count
    except IndexError:
        raise DerError("it is truncated") from None
    if start + length > len(data):
        raise DerError("it is truncated")
    return tag, start, start + length


def _enter(data: bytes, at: int, expected: int) -> tuple[int, int]:
    tag, start, end = element(data, at)
    if tag != expected:
        raise DerError("its structure is not that of a certificate")
    return start, end


def subject_of(certificate: bytes) -> bytes:
    """Return the DER of the subject of an X.509 certificate (RFC 5280 section 4.1); raises `DerError`."""
    at, _ = _enter(certificate, 0, _SEQUENCE)
    at, _ = _enter(certificate, at, _SEQUENCE)
    tag, _, end = element(certificate, at)
    if tag == _VERSION:
        at = end
    for _ in range(4):  # serialNumber, signature, issuer, validity
        _, _, at = element(certificate, at)
    _, end = _enter(certificate, at, _SEQUENCE)
    return certificate[at:end]


def name_attributes(name: bytes) -> tuple[tuple[str, str], ...]:
    """Return (dotted OID, decoded text) of each attribute of a DER Name, in order; raises `DerError`."""
    found: list[tuple[str, str]] = []
    at, end = _enter(name, 0, _SEQUENCE)
    while at < end:
        inside, set_end = _enter(name, at, _SET)
        while inside < set_end:
            start, pair_end = _enter(name, inside, _SEQUENCE)
            oid_start, oid_end = _enter(name, start, _OID)
            found.append((_dotted(name[oid_start:oid_end]), text_of(name[oid_end:pair_end])))
            inside = pair_end
            if len(found) > MAX_ATTRIBUTES:
                raise DerError("its subject has too many attributes")
        at = set_end
    return tuple(found)


def _dotted(oid: bytes) -> str:
    if not oid or len(oid) > 64:
        raise DerError("an object identifier is malformed")
    arcs = []
    value = 0
    for octet in oid:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    if oid[-1] & 0x80:
        raise DerError("an object identifier is malformed")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def text_of(value: bytes) -> str:
    """Return the text of one DER string element; raises `DerError` when it is no string or badly encoded."""
    tag, start, end = element(value, 0)
    raw = value[start:end]
    try:
        if tag == _UTF8:
            return raw.decode("utf-8")
        if tag == _BMP:
            return raw.decode("utf-16-be")
        if tag == _UNIVERSAL:
            return raw.decode("utf-32-be")
        if tag in _LATIN:
            return _eight_bit(raw)
    except UnicodeDecodeError:
        raise DerError("a name is badly encoded") from None
    raise DerError("a name is not a text")


def _eight_bit(raw: bytes) -> str:
    # Issuers put UTF-8 or Latin-1 into T61String; a valid multi-byte UTF-8 text is hardly ever meant as Latin-1.
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
