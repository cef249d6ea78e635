"""Files that last, with their names, through a power cut; and who may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

PRIVATE = 0o600
"""Mode of a file that only its owner reads and writes."""


def sync(path: Path) -> None:
    """Make the octets of a file, or the names in a folder, last; raises OSError."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_private(path: Path, octets: bytes) -> None:
    """A new file that nobody else may read at any moment, durable with its name; raises FileExistsError, OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(fd, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def mode_of(path: Path) -> int:
    """Who may do what with a file; raises OSError."""
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(mode: int) -> bool:
    """Whether others than the owner may read or change a file, or anybody run it."""
    return bool(mode & 0o777 & ~PRIVATE)
