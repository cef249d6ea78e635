"""MIME header fields: types, parameters and tokens (RFC 2045, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .words import codec_of, decode_words, plain_text

MAX_PARAMETERS = 100
"""Parameters read of one field; what follows is left aside."""

MAX_BOUNDARY = 256
"""Octets of a boundary that is honoured; RFC 2046 allows 70."""

_COMMENT = re.compile(rb"\([^()]*+\)")
_TYPE = re.compile(rb"""\s*+([^\s/;"(),<>@:\\]++)\s*+/\s*+([^\s;"(),<>@:\\]++)""")
_TOKEN = re.compile(rb"""\s*+([^\s;"(),<>@:\\/]++)""")
# A missing `;` between parameters occurs in the official examples (IG-MDN), so it is optional here.
_PARAMETER = re.compile(
    rb'[\s;]*+([^\s;=",]++)\s*+=\s*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"?|([^\s;"]*+))', re.DOTALL
)
_SKIP = re.compile(rb"[^;]*+;?")
_PAIR = re.compile(rb"\\(.)", re.DOTALL)

Parameters = tuple[tuple[bytes, bytes], ...]


class Typed(NamedTuple):
    """A Content-Type or Content-Disposition value: `main`, `sub` and names in lower case, values as sent."""

    main: bytes
    sub: bytes
    parameters: Parameters

    def parameter(self, name: bytes) -> bytes | None:
        """The first value of a parameter (name in lower case), or None."""
        for key, value in self.parameters:
            if key == name:
                return value
        return None


TEXT_PLAIN = Typed(b"text", b"plain", ((b"charset", b"us-ascii"),))
"""What a part is when it does not say (RFC 2045 section 5.2)."""

RFC822 = Typed(b"message", b"rfc822", ())
"""What a part of multipart/digest is when it does not say (RFC 2046 section 5.1.5)."""

OPAQUE = Typed(b"application", b"octet-stream", ())
"""What a part is taken for once a cap is reached."""


def _parameters(value: bytes, position: int) -> Parameters:
    found: list[tuple[bytes, bytes]] = []
    size = len(value)
    while position < size and len(found) < MAX_PARAMETERS:
        match = _PARAMETER.match(value, position)
        if match is None:
            skipped = _SKIP.match(value, position)
            position = skipped.end() if skipped and skipped.end() > position else position + 1
            continue
        position = match.end()
        quoted = match[2]
        text = match[3] if quoted is None else _PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        found.append((match[1].lower(), text))
    return tuple(found)


def _parse_content_type(value: bytes) -> Typed:
    if b"(" in value:
        value = _COMMENT.sub(b"", value) if b'"' not in value else value
    match = _TYPE.match(value)
    if match is None:
        return TEXT_PLAIN
    return Typed(match[1].lower(), match[2].lower(), _parameters(value, match.end()))


_cached_content_type = lru_cache(maxsize=1024)(_parse_content_type)


def parse_content_type(value: bytes) -> Typed:
    """Return a Content-Type; `TEXT_PLAIN` when it has no readable type. Never raises, linear in time."""
    # Long values hold names and boundaries that never come back: they would only push out the others.
    return _cached_content_type(value) if len(value) <= 60 else _parse_content_type(value)


def parse_disposition(value: bytes) -> Typed | None:
    """Return a Content-Disposition (`sub` is empty), or None when it has no readable token."""
    match = _TOKEN.match(value)
    return Typed(match[1].lower(), b"", _parameters(value, match.end())) if match else None


def token(value: bytes) -> bytes | None:
    """Return the first token of a value such as Content-Transfer-Encoding, in lower case, or None."""
    match = _TOKEN.match(value)
    return match[1].lower() if match else None


def _extended(value: bytes, charset: str | None) -> tuple[str, str | None]:
    """Decode `charset'language'text` or, in a continuation, percent text in the charset seen before."""
    if charset is None:
        named, _, rest = value.partition(b"'")
        _, _, value = rest.partition(b"'")
        charset = codec_of(plain_text(named)) or "utf-8"
    return unquote_to_bytes(value).decode(charset, "replace"), charset


def decoded_parameter(typed: Typed, name: bytes) -> str | None:
    """Return a parameter as text: RFC 2231 charset and continuations joined, RFC 2047 words tolerated."""
    by_name = dict(reversed(typed.parameters))
    whole = by_name.get(name + b"*")
    if whole is not None:
        return _extended(whole, None)[0]
    charset: str | None = None
    pieces: list[str] = []
    for index in range(MAX_PARAMETERS):
        section = b"%s*%d" % (name, index)
        if section + b"*" in by_name:
            text, charset = _extended(by_name[section + b"*"], charset)
        elif section in by_name:
            text = plain_text(by_name[section])
        else:
            break
        pieces.append(text)
    if pieces:
        return "".join(pieces)
    plain = by_name.get(name)
    return None if plain is None else decode_words(plain)


def boundary_of(typed: Typed) -> bytes | None:
    """Return the boundary of a multipart, from RFC 2231 continuations too, or None."""
    plain = typed.parameter(b"boundary")
    if plain is not None or not any(name.startswith(b"boundary*") for name, _ in typed.parameters):
        return plain
    return (decoded_parameter(typed, b"boundary") or "").encode("utf-8", "replace")


_SECTION = re.compile(rb"([^*]++)\*(0|[1-9][0-9]?)(\*?)\Z")
_ATTRIBUTE_OCTETS = b"!#$&+-.^_`{|}~"


def joined_parameters(parameters: Parameters) -> Parameters:
    """Return parameters with RFC 2231 continuations put together, in the place of their first section.

    Plain sections make `name`, sections of which the first is encoded make `name*` in extended form
    (RFC 9051 section 7.5.2). A section that no row leads to stays as it was sent.
    """
    if not any(b"*" in name for name, _ in parameters):
        return parameters
    sections: dict[tuple[bytes, int], tuple[bytes, bytes]] = {}
    for name, value in parameters:
        match = _SECTION.match(name)
        if match:
            sections.setdefault((match[1], int(match[2])), (match[3], value))
    joined: list[tuple[bytes, bytes]] = []
    for name, value in parameters:
        match = _SECTION.match(name)
        if match is None or (match[1], 0) not in sections:
            joined.append((name, value))
        elif match[2] == b"0" and sections[match[1], 0] == (match[3], value):
            joined.append(_joined(match[1], sections))
        # The other sections of the row are in it now.
    return tuple(joined)


def _joined(base: bytes, sections: dict[tuple[bytes, int], tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    extended = bool(sections[base, 0][0])
    pieces: list[bytes] = []
    while (found := sections.get((base, len(pieces)))) is not None:
        star, value = found
        if extended and not star:
            value = quote_from_bytes(value, safe=_ATTRIBUTE_OCTETS).encode("ascii")
        pieces.append(value)
    return base + b"*" * extended, b"".join(pieces)
