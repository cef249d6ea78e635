"""Files of the state folder: whole or not there at all, also after a power cut (TRU-3)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mss_gateway.observe.durable import sync

from .refusals import TrustProblem


def keep(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a start after a kill, sees the old one or the new one, never a part.

    Raises `TrustProblem` naming the file.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise _not_kept(path, error) from None


def keep_copy(path: Path, original: Path) -> None:
    """Keep a file under a second name, time included, as safely; raises `TrustProblem` naming the copy."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        try:
            temporary.hardlink_to(original)
        except OSError:  # a file system without hard links
            shutil.copy2(original, temporary)
        temporary.replace(path)
    except OSError as error:
        raise _not_kept(path, error) from None


def _not_kept(path: Path, error: OSError) -> TrustProblem:
    return TrustProblem(
        "state-not-kept", f"{path}: cannot be kept ({error.strerror}): check the folder and the disk"
    )
