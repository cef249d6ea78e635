"""From octets of the extraction to rows and bad lines, a megabyte at a time (domain 15.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address

from .columns import PLACE, SEPARATOR, Layout, layout_of
from .problems import DirectoryProblem
from .source import Source
from .words import Indexer

Row = tuple[str, str, str]
"""Address key, the line as kept, the text that is indexed."""

LINE_LIMIT = 16 * 1024
"""Octets of one line; the longest published ones have 600."""

HEADER_LIMIT = 16 * 1024
"""Octets of the line of headings."""

TYPES = frozenset({"PER", "ORG", "APP", "CAB"})
"""Codes of TRE_R257 with CAB."""

REASONS = {
    "line-columns": "another number of columns than in the headings",
    "line-encoding": "a character is not written in UTF-8",
    "line-address": "the address is malformed",
    "line-type": "the type is none of PER, ORG, APP, CAB",
    "line-length": f"longer than {LINE_LIMIT} octets",
}
"""Why a line was left out."""

_PLAIN = re.compile(
    r"[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,60}[A-Za-z0-9])?\.)+[A-Za-z]{2,20}\Z"
)
_TYPE, _ADDRESS = PLACE["type"], PLACE["address"]


@dataclass(slots=True)
class Tally:
    """What the lines came to; `bad` holds number and reason of the first bad ones, `reasons` how many have each."""

    most: int
    lines: int = 0
    refused: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def commonest(self) -> str:
        """What is wrong with most of the bad lines, in words; empty when there are none."""
        most = max(self.reasons, key=lambda reason: self.reasons[reason], default="")
        return f"{REASONS[most]}, {most}" if most else ""

    def refuse(self, number: int, reason: str) -> None:
        """Count a bad line; never what stands in it."""
        self.refused += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if len(self.bad) < self.most:
            self.bad.append((number, reason))


def batches(
    source: Source,
    tally: Tally,
    advance: Callable[[int], None],
    digest: Callable[[bytes], None] = lambda octets: None,
    *,
    whole: bool = True,
) -> Iterator[list[Row]]:
    """The good rows, block by block; `advance` is told the octets read, `digest` given them.

    Raises `DirectoryProblem` for a file that is not the extraction, or (`whole`) that ends within a line.
    """
    reader = _Reader(tally)
    for block in source.blocks():
        digest(block)
        yield reader.feed(block)
        advance(len(block))
    yield reader.end(whole)


class _Reader:
    """Cuts blocks into lines and lines into rows."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._layout: Layout | None = None
        self._rest = b""
        self._skipping = False  # within a line that is too long
        self._index = Indexer()

    def feed(self, block: bytes) -> list[Row]:
        """The rows that end in this block."""
        cut = block.rfind(b"\n") + 1
        if not cut:
            self._keep(self._rest + block)
            return []
        whole, rest = self._rest + block[:cut], block[cut:]
        self._rest = b""
        rows = self._rows(whole)
        self._keep(rest)
        return rows

    def end(self, whole: bool) -> list[Row]:
        """What follows the last line end: a whole line, or the half of one."""
        rest = self._rest
        if self._layout is None:
            self._rows(rest + b"\n")
            raise DirectoryProblem(
                "directory-empty", "there is no line after the headings: ask for the file again"
            )
        if self._skipping:
            self._tally.lines += 1
            self._tally.refuse(self._tally.lines, "line-length")
            return []
        if not rest:
            return []
        if rest.count(SEPARATOR.encode()) != self._layout.width - 1 and whole:
            raise DirectoryProblem(
                "directory-truncated",
                "the file ends within a line: it was cut short, fetch it again",
                forcible=True,
            )
        return self._rows(rest + b"\n")

    def _keep(self, rest: bytes) -> None:
        """A line that does not end is swallowed, never held."""
        if self._layout is None and len(rest) > HEADER_LIMIT:
            raise DirectoryProblem("directory-format", "this is not the national extraction: it has no lines")
        if self._layout is not None and len(rest) > LINE_LIMIT:
            self._skipping = True
            rest = b""
        self._rest = rest

    def _rows(self, octets: bytes) -> list[Row]:
        if self._layout is None:
            head, _, octets = octets.partition(b"\n")
            self._layout = layout_of(_header(head))
            self._tally.lines = 1
        if self._skipping:
            _, _, octets = octets.partition(b"\n")
            self._skipping = False
            self._tally.lines += 1
            self._tally.refuse(self._tally.lines, "line-length")
        if not octets:
            return []
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError:
            text = octets.decode("utf-8", "surrogateescape")
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        lines = text.split("\n")
        lines.pop()  # after the last line end
        return self._read(lines, text.isascii())

    def _read(self, lines: list[str], ascii_: bool) -> list[Row]:
        layout, tally, index = self._layout, self._tally, self._index
        assert layout is not None
        straight, width = layout.straight, layout.width
        rows: list[Row] = []
        number = tally.lines
        for line in lines:
            number += 1
            cells = line.split(SEPARATOR)
            if len(cells) != width:
                if line.strip():
                    tally.refuse(number, "line-columns")
                continue
            if len(line) > LINE_LIMIT:
                tally.refuse(number, "line-length")
                continue
            if not ascii_ and not _is_text(line):
                tally.refuse(number, "line-encoding")
                continue
            if not straight:
                cells = layout.arranged(cells)
                line = SEPARATOR.join(cells)
            kind, address = cells[_TYPE], cells[_ADDRESS]
            key = address.lower() if len(address) < 120 and _PLAIN.match(address) else _key(address.strip())
            if key is None:
                tally.refuse(number, "line-address")
            elif kind not in TYPES:
                tally.refuse(number, "line-type")
            else:
                rows.append((key, line, index(cells)))
        tally.lines = number
        return rows


def _is_text(line: str) -> bool:
    """False when an octet was not UTF-8."""
    if line.isascii():
        return True
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _key(address: str) -> str | None:
    try:
        return parse_address(address).key
    except InvalidValue:
        return None


def _header(octets: bytes) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        sentence = "the headings are not written in UTF-8: this is not the file as it is published"
        raise DirectoryProblem("directory-encoding", sentence) from None
