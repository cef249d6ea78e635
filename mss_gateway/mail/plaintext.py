"""The text of a whole message for search: fields, text parts, attachment names (RFC 9051 section 6.4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mss_gateway.base.errors import InvalidValue

from .htmltext import html_to_text
from .message import MAX_HEADER, Header
from .mime import Typed, decoded_parameter, parse_content_type, parse_disposition
from .parttable import PartRow, load_parts
from .searchtext import SEPARATOR, fold, folded_lines, header_lines
from .spans import Octets
from .structure import LEAF, MESSAGE
from .transfer import decode_transfer
from .words import codec_of

MAX_WORD = 1000
"""Characters of one word that an index takes; a text with a longer one is not indexed whole."""

_RAW = 6  # octets read of a part for one character to be had of it: markup and encodings are dropped
_TAIL = (
    64  # characters at the end of what was cut: an encoded octet, an entity or a tag may have been cut in two
)

FIELDS = ("subject", "from", "to", "cc", "bcc", "reply-to")
"""Header fields that have a column of their own."""


@dataclass(frozen=True, slots=True)
class IndexText:
    """The folded text of one message; `fields` goes with `FIELDS`. What was cut does not hold all of its words."""

    header: str
    fields: tuple[str, ...]
    body: str
    cut_header: bool = False
    cut_body: bool = False


def fold_body(header: bytes, structure: bytes, text: bytes | Octets) -> str:
    """The text parts and attachment names of a message, folded, with `SEPARATOR` between them."""
    found = [fold(raw) for raw, _ in _texts(header, structure, text, len(text))]
    return SEPARATOR.join(filter(None, found))


def plain_texts(header: bytes, structure: bytes, text: bytes | Octets) -> Iterator[str]:
    """The same, one after the other as they are written."""
    return (raw for raw, _ in _texts(header, structure, text, len(text)))


def index_text(header: bytes, structure: bytes, text: bytes | Octets, cap: int) -> IndexText:
    """All that is searched of one message, with at most `cap` characters of its body."""
    found: list[str] = []
    left = cap
    stopped = False
    for raw, cut in _texts(header, structure, text, _RAW * cap):
        folded = fold(raw)
        if cut:
            folded = folded[:-_TAIL]
        if len(folded) > left:
            folded, stopped = folded[:left], True
        if folded:
            found.append(folded)
        left -= len(folded)
        stopped = stopped or cut or left <= 0
        if left <= 0:
            break
    body, cut_body = _short_words(SEPARATOR.join(found))
    lines = folded_lines(header)
    whole, cut_header = _short_words(SEPARATOR.join([f"{name}: {value}" for name, value in lines]))
    columns: dict[str, list[str]] = {name: [] for name in FIELDS}
    for name, value in lines:
        if name in columns:
            columns[name].append(value)
    fields = tuple(_short_words(SEPARATOR.join(values))[0] for values in columns.values())
    return IndexText(whole, fields, body, cut_header, stopped or cut_body)


def _short_words(text: str) -> tuple[str, bool]:
    """Text without words over `MAX_WORD`, and whether there were any."""
    words = text.split(" ")
    if len(text) <= MAX_WORD or max(map(len, words)) <= MAX_WORD:
        return text, False
    return " ".join("\x1f" if len(word) > MAX_WORD else word for word in words), True


def _texts(header: bytes, structure: bytes, text: bytes | Octets, most: int) -> Iterator[tuple[str, bool]]:
    """Names of parts, texts decoded, headers of attached messages, in document order; and what was cut at `most`."""
    try:
        rows = load_parts(structure).rows
    except InvalidValue:
        yield text[:most].decode("latin-1"), len(text) > most
        return
    for index, part in enumerate(rows):
        head = header if index == 0 else text[part.start : part.body]
        if len(head) > MAX_HEADER:
            continue
        if index and rows[index - 1].kind == MESSAGE:
            yield from ((f"{name}: {value.strip()}", False) for name, value in header_lines(head))
        if part.kind == LEAF:
            yield from _leaf(Header(head), part, text, most)


def _leaf(header: Header, part: PartRow, text: bytes | Octets, most: int) -> Iterator[tuple[str, bool]]:
    value = header.first(b"content-type")
    typed = parse_content_type(value) if value else None
    told = header.first(b"content-disposition")
    disposition = parse_disposition(told) if told else None
    names = [
        decoded_parameter(disposition, b"filename") if disposition else None,
        decoded_parameter(typed, b"name") if typed else None,
    ]
    yield from ((name, False) for name in dict.fromkeys(names) if name)
    if typed is None or typed.main == b"text":
        end = min(part.end, part.body + most)
        yield _decoded(typed, part, text[part.body : end]), end < part.end


def _decoded(typed: Typed | None, part: PartRow, data: bytes) -> str:
    data = decode_transfer(data, part.encoding) or b""
    charset = decoded_parameter(typed, b"charset") if typed is not None else None
    text = data.decode(codec_of(charset or "utf-8") or "latin-1", "replace")
    return html_to_text(text) if typed is not None and typed.sub == b"html" else text
