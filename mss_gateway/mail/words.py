"""Encoded words in header fields (RFC 2047, with the language suffix of RFC 2231 section 5)."""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases

_CODECS = re.compile(
    r"(?:utf_8|utf_16(?:_[bl]e)?|ascii|latin_1|iso8859_\d+|cp\d+|koi8_[rtu]|iso2022_\w+|euc_\w+|shift_jis\w*"
    r"|gb\w+|big5\w*|mac_\w+|tis_620|hz|johab|hp_roman8)\Z"
)
_EXTRA = {
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "x_sjis": "shift_jis",
    "unknown_8bit": "cp1252",
}

# A closed table: asking the codec registry for names found in mail would fill its cache without
# bound, and some codecs (idna, punycode) take quadratic time.
_CHARSETS = {
    **{name: codec for name, codec in aliases.items() if _CODECS.match(codec)},
    **{codec: codec for codec in aliases.values() if _CODECS.match(codec)},
    **_EXTRA,
}

_WORD = re.compile(rb"=\?([^?\s]++)\?([bBqQ])\?([^?\s]*+)\?=")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*+={0,2}\Z")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_CHUNK = 36  # octets of UTF-8 in one encoded word: 75 characters at most in base 64 and nearly so in Q


def codec_of(charset: str) -> str | None:
    """Return the codec of a MIME charset name, or None when it is unknown or not fit for mail."""
    return _CHARSETS.get(charset.lower().replace("-", "_").replace(" ", "_"))


def plain_text(value: bytes) -> str:
    """Decode header octets that carry no encoding: UTF-8, else Windows-1252 as the likely mistake."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def _payload(encoding: bytes, text: bytes) -> bytes | None:
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    bare = text.rstrip(b"=")
    if not _BASE64.match(text) or len(bare) % 4 == 1:
        return None
    return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))


def decode_words(value: bytes) -> str:
    """Return an unfolded field value as text: encoded words decoded, white space between two dropped.

    A word that is broken or of an unknown charset stays as it is. Never raises, linear in time.
    Characters split over adjacent words of the same charset are put together again.
    """
    if b"=?" not in value:
        return plain_text(value)
    out: list[str] = []
    pending: list[bytes] = []  # octets of adjacent words in `codec`
    codec = ""
    end = 0
    for match in _WORD.finditer(value):
        found = codec_of(match[1].partition(b"*")[0].decode("latin-1"))
        octets = _payload(match[2], match[3]) if found else None
        if found is None or octets is None:
            continue
        between = value[end : match.start()]
        if not pending or between.strip(b" \t\r\n"):
            if pending:
                out.append(b"".join(pending).decode(codec, "replace"))
                pending = []
            out.append(plain_text(between))
        elif found != codec:
            out.append(b"".join(pending).decode(codec, "replace"))
            pending = []
        codec = found
        pending.append(octets)
        end = match.end()
    if pending:
        out.append(b"".join(pending).decode(codec, "replace"))
    out.append(plain_text(value[end:]))
    return "".join(out)


def _encode_one(octets: bytes) -> str:
    quoted = "".join(chr(o) if o in _Q_SAFE else "_" if o == 32 else f"={o:02X}" for o in octets)
    if len(quoted) <= 63:
        return f"=?utf-8?Q?{quoted}?="
    return f"=?utf-8?B?{binascii.b2a_base64(octets, newline=False).decode('ascii')}?="


def encode_words(text: str, *, joint: str = "\r\n ") -> str:
    """Return text as UTF-8 encoded words of at most 75 characters, joined by `joint` (RFC 2047 section 2).

    A character is never split over two words. Plain printable ASCII comes back unchanged, unless it
    looks like an encoded word.
    """
    if text.isascii() and text.isprintable() and "=?" not in text:
        return text
    pieces: list[str] = []
    piece = bytearray()
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > _CHUNK:
            pieces.append(_encode_one(bytes(piece)))
            piece.clear()
        piece += octets
    if piece or not pieces:
        pieces.append(_encode_one(bytes(piece)))
    return joint.join(pieces)
