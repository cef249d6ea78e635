"""The extraction as it comes: a text or a ZIP that holds it, read in bounded pieces (domain 15.1)."""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from .problems import DirectoryProblem

BLOCK = 1024 * 1024
"""Octets that are read at once."""

MAX_MEMBERS = 64  # files in one ZIP
MAX_TABLE = 64 * 1024  # octets of the table of contents of a ZIP
RATIO = 100  # unpacked octets for one packed; the extraction has 5
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_TAIL = 22 + 65535  # the end record with the longest comment
_STAMP = re.compile(r"Extraction_Correspondance_MSSante_(\d{12})(?:\D|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """An opened extraction: its octets from `stream`, at most `limit`; `size` is what is announced.

    `name` is the file's own, `generated` its date in epoch seconds: of its name, else of the file.
    """

    stream: IO[bytes]
    name: str
    size: int
    generated: float
    limit: int

    def blocks(self) -> Iterator[bytes]:
        """The octets up to the end; raises `DirectoryProblem` when there are too many, or when they do not come."""
        left = self.limit
        try:
            while block := self.stream.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise _too_large(self.limit)
                yield block
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise _damaged() from None


@contextlib.contextmanager
def opened(path: Path, limit: int, name: str = "", dated: float = 0.0) -> Iterator[Source]:
    """Open a file or the one in a ZIP; `name` and `dated` replace the file's own when they are known.

    Raises `DirectoryProblem`, OSError.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0, 2)
        size = file.tell()
        file.seek(0)
        dated = dated or path.stat().st_mtime
        if not head:
            raise DirectoryProblem("directory-empty", "the file is empty: ask for it again")
        if size > limit:
            raise _too_large(limit)
        if head[:2] != b"PK":
            own = name or path.name
            yield Source(file, own, size, stamp_of(own) or dated, limit)
            return
        try:
            _check_table(file, size)
            with zipfile.ZipFile(file) as archive:
                member = _member(archive, limit, size)
                with archive.open(member) as stream:
                    yield Source(
                        stream, member.filename, member.file_size, stamp_of(member.filename) or dated, limit
                    )
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            raise _damaged() from None


def stamp_of(name: str) -> float:
    """The date in the name of an extraction (AAAAMMJJhhmm), in epoch seconds; 0 when there is none."""
    found = _STAMP.search(name)
    if not found:
        return 0.0
    try:
        return datetime.strptime(found[1], "%Y%m%d%H%M").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _check_table(file: IO[bytes], size: int) -> None:
    """Look at the end record before anything is read for it: a hostile table costs memory."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    file.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise _damaged()
    if tail[max(0, at - 20) : at].startswith(_END_64):
        raise _damaged()  # ZIP64 has another end record, which says other numbers: no extraction is that large
    members = int.from_bytes(tail[at + 10 : at + 12], "little")
    table = int.from_bytes(tail[at + 12 : at + 16], "little")
    if members > MAX_MEMBERS or table > MAX_TABLE:
        raise DirectoryProblem(
            "directory-zip", f"the ZIP holds {members} files: the extraction is alone in its ZIP"
        )


def _member(archive: zipfile.ZipFile, limit: int, size: int) -> zipfile.ZipInfo:
    texts = [one for one in archive.infolist() if one.filename.lower().endswith(".txt")]
    named = [one for one in texts if "extraction_correspondance_mssante" in one.filename.lower()]
    chosen = named or texts
    if len(chosen) != 1:
        raise DirectoryProblem(
            "directory-zip",
            f"the ZIP holds {len(chosen)} files that may be the extraction: unpack it, and import the right one",
        )
    member = chosen[0]
    if member.flag_bits & 0x1:
        raise DirectoryProblem("directory-zip", "the ZIP is encrypted: the published one is not")
    if member.file_size > limit:
        raise _too_large(limit)
    if member.file_size > RATIO * max(size, 1):
        raise DirectoryProblem(
            "directory-bomb", "the ZIP unpacks to more than a hundred times its size: not the published file"
        )
    return member


def _too_large(limit: int) -> DirectoryProblem:
    return DirectoryProblem(
        "directory-too-large", f"larger than {limit} octets (directory.max_bytes): not the published file"
    )


def _damaged() -> DirectoryProblem:
    return DirectoryProblem("directory-damaged", "the ZIP is cut short or damaged: fetch it again")
