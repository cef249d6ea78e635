"""Extractions of the national directory for tests, all of invented people."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from mss_gateway.dev.annuaire import HEADER, NAME, line, lines, write
from mss_gateway.directory.importing import Report, import_file
from mss_gateway.directory.options import DirectoryOptions

__all__ = ["HEADER", "NAME", "extraction", "line", "lines", "options", "taken", "write", "zipped"]

DAY = "20261120"
"""Of the extraction, unless told otherwise."""


def options(folder: Path, **changes: object) -> DirectoryOptions:
    """Copies in a folder of their own."""
    return DirectoryOptions(folder / "state", **changes)  # type: ignore[arg-type]


def extraction(folder: Path, body: Iterable[str] | bytes, *, day: str = DAY, header: str = HEADER) -> Path:
    """A file of that day with these lines, or these octets after the headings."""
    path = folder / f"Extraction_Correspondance_MSSante_{day}0605.txt"
    if not isinstance(body, bytes):
        body = "".join(one + "\n" for one in body).encode()
    path.write_bytes(header.encode() + b"\n" + body)
    return path


def taken(folder: Path, body: Iterable[str] | bytes, *, day: str = DAY, **how: object) -> Report:
    """The same, imported."""
    return import_file(options(folder), extraction(folder, body, day=day), **how)  # type: ignore[arg-type]


def zipped(folder: Path, body: Iterable[str], *, day: str = DAY, name: str = "annuaire.zip") -> Path:
    """The extraction in a ZIP, as it is published."""
    path = folder / name
    text = extraction(folder, body, day=day)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(text, text.name)
    text.unlink()
    return path
