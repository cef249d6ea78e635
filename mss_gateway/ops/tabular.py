"""Files of rows as offices export them: semicolon, comma or tab, UTF-8 or Windows-1252, headings in any spelling.

Each line is read by itself, so that one with an open quote or a foreign character does not spoil those after it.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LINE_LIMIT = 16 * 1024  # octets
BOM = b"\xef\xbb\xbf"
DELIMITERS = ";,\t"
ENCODINGS = {"utf-8": "UTF-8", "cp1252": "Windows-1252"}

Columns = Mapping[str, Sequence[str]]
"""Field name to the headings that mean it, in lower case without accents, spaces or signs, the surest first."""


class BadTable(Exception):
    """The file cannot be read as rows at all; the text says why, without what stands in it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number, counted from 1 with the heading, its octets, and its fields or what is wrong with it."""

    number: int
    size: int
    fields: Mapping[str, str] | None = None
    reason: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class _Layout:
    encoding: str
    delimiter: str
    width: int
    places: Mapping[str, int]


def rows(path: Path, columns: Columns, required: frozenset[str]) -> Iterator[Line]:
    """The lines after the heading, blank ones left out; raises `BadTable` and OSError before the first."""
    encoding = _encoding(path)
    with path.open("rb") as file:
        head = _head(file)
        layout = _layout(head.removeprefix(BOM), encoding, columns, required)
        yield Line(1, len(head))
        number = 1
        while chunk := file.readline(LINE_LIMIT):
            number += 1
            if len(chunk) == LINE_LIMIT and not chunk.endswith(b"\n"):
                size = len(chunk) + _skip_line(file)
                yield Line(number, size, None, "line-length", f"the line is longer than {LINE_LIMIT} octets")
            elif chunk.strip(b";,\t \r\n"):
                yield _line(number, chunk, layout)


def _skip_line(file: BinaryIO) -> int:
    """Read on to the end of a line that is too long; how many octets that was."""
    skipped = 0
    while chunk := file.readline(LINE_LIMIT):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped


def _line(number: int, octets: bytes, layout: _Layout) -> Line:
    size = len(octets)
    try:
        cells = next(csv.reader([_text(octets, layout.encoding)], delimiter=layout.delimiter, strict=True))
    except UnicodeDecodeError:
        return Line(
            number, size, None, "line-encoding", f"a character is not written in {ENCODINGS[layout.encoding]}"
        )
    except (csv.Error, StopIteration):
        return Line(number, size, None, "line-quotes", "a quotation mark is open or in a wrong place")
    if any(cell.strip() for cell in cells[layout.width :]):
        return Line(number, size, None, "line-fields", "there are more fields than headings")
    return Line(
        number,
        size,
        {name: cells[place].strip() if place < len(cells) else "" for name, place in layout.places.items()},
    )


def _text(octets: bytes, encoding: str) -> str:
    return octets.rstrip(b"\r\n").decode(encoding)


def _head(file: BinaryIO) -> bytes:
    head = file.readline(LINE_LIMIT)
    if not head.removeprefix(BOM).strip():
        raise BadTable("the file does not begin with a line of headings")
    if b"\0" in head:
        raise BadTable("this is no text in UTF-8 or Windows-1252: export it as CSV")
    return head


def _encoding(path: Path) -> str:
    """What the heading is written in when it has accents; else what speaks for more of the lines that have some."""
    with path.open("rb") as file:
        head = file.readline(LINE_LIMIT)
        if head.startswith(BOM):
            return "utf-8"
        if not head.isascii():
            return "utf-8" if _is_utf8(head) else "cp1252"
        right = wrong = 0
        while chunk := file.readline(LINE_LIMIT):
            if chunk.isascii():
                continue
            if _is_utf8(chunk):
                right += 1
            else:
                wrong += 1
    return "utf-8" if right >= wrong else "cp1252"


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _layout(head: bytes, encoding: str, columns: Columns, required: frozenset[str]) -> _Layout:
    """The delimiter under which most headings are known, and where each field stands."""
    best: _Layout | None = None
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([_text(head, encoding)], delimiter=delimiter))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            continue
        headings = [heading(cell) for cell in cells]
        places = {}
        for name, known in columns.items():
            place = next((headings.index(word) for word in known if word in headings), None)
            if place is not None:
                places[name] = place
        if best is None or len(places) > len(best.places):
            best = _Layout(encoding, delimiter, len(cells), places)
    missing = sorted(required - set(best.places if best else ()))
    if best is None or missing:
        raise BadTable(
            f"the first line has no heading for {', '.join(missing or sorted(required))}: see --help for the names"
        )
    return best


def heading(text: str) -> str:
    """A heading without case, accents, spaces and signs: `Prénom(s) de naissance` is `prenomsdenaissance`."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
