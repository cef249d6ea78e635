"""Names of files in an archive that are safe on every system."""

from __future__ import annotations

import re
import unicodedata

from .problems import ArchiveProblem

MAX_NAME = 255
"""Characters of one name, folders included."""

_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\u2028\u2029\u202a-\u202e\u2066-\u2069]')
_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)")
_NESTED = re.compile(r"(?i)\.(?:zip|zipx|jar|7z|rar|gz|tgz|tar|bz2|xz|zst|cab|iso|arj|lzh)\Z")


def check_name(name: str) -> None:
    """Refuse what leads elsewhere or cannot be created: absolute, `..`, drive letters, devices, controls.

    Raises `ArchiveProblem`.
    """
    if not name or len(name) > MAX_NAME or _UNFIT.search(name) or name.startswith("/"):
        raise ArchiveProblem("xdm-path", name)
    for part in name.removesuffix("/").split("/"):
        if not part or part in (".", "..") or part[-1] in ". " or part[0] == " " or _DEVICE.match(part):
            raise ArchiveProblem("xdm-path", name)


def folded(name: str) -> str:
    """The name as file systems without case compare it."""
    return unicodedata.normalize("NFC", name.removesuffix("/")).casefold()


def check_distinct(names: list[str]) -> None:
    """Refuse two entries of one name, case aside, and a file that another entry uses as a folder.

    Raises `ArchiveProblem`.
    """
    seen: set[str] = set()
    files: set[str] = set()
    for name in names:
        key = folded(name)
        if key in seen:
            raise ArchiveProblem("xdm-duplicate", name)
        seen.add(key)
        if not name.endswith("/"):
            files.add(key)
    for name in names:
        parts = folded(name).split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in files:
                raise ArchiveProblem("xdm-duplicate", name)


def names_archive(name: str) -> bool:
    """True when the name ends as an archive's does."""
    return _NESTED.search(name) is not None
