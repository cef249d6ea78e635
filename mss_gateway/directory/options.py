"""Where the national directory comes from, and where its copy lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 400 * 1024 * 1024
"""Octets of the unpacked extraction, four times what is published."""


@dataclass(frozen=True, slots=True)
class FhirOptions:
    """The national API: its base address, the file of its key, the authorities of its server (none: this machine's).

    `timeout` in seconds is for one page.
    """

    url: str
    key_file: Path
    ca_files: tuple[Path, ...] = ()
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """`state` is the folder of the copies. `file` is watched, `url` fetched `every` so many seconds.

    `ca_files` are the authorities of the server at `url`. `max_removed` is the share of rows that a new extraction
    may lack without being looked at by a person, `max_refused` the share of lines that may be bad. `alarm_days` is
    the age of the extraction that is told. `timeout` in seconds is for one fetch.
    """

    state: Path
    file: Path | None = None
    url: str = ""
    every: float = 86400.0
    ca_files: tuple[Path, ...] = ()
    timeout: float = 900.0
    max_bytes: int = MAX_BYTES
    max_removed: float = 0.1
    max_refused: float = 0.1
    alarm_days: float = 7.0
    fhir: FhirOptions | None = None
