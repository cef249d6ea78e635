"""Files that mail programs know: Maildir++ folders and mbox files (mboxrd), written message by message (IMP-4)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from mss_gateway.observe.durable import sync

INBOX = "INBOX"
_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_UNFIT = re.compile(r"[\x00-\x1f/\\:*?\"<>|]")


class Writer(Protocol):
    """One folder being written."""

    def has(self, uid: int) -> bool:
        """Whether the message is there from an earlier run."""

    def add(self, uid: int, flags: Sequence[str], date: float, octets: Iterable[bytes]) -> None:
        """Write one message, whole or not at all."""

    def close(self) -> None:
        """All of it is on the disk."""


def safe_name(name: str) -> str:
    """A folder's name as part of a file name, on every system."""
    return _UNFIT.sub("_", name).strip(". ") or "_"


def _local_ends(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """CRLF to LF, as both formats are kept on disk; a CR at the end of a piece waits for the next."""
    held = b""
    for piece in pieces:
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        yield piece[: len(piece) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held


class MaildirFolder:
    """`root` itself for INBOX, `.Name.Sub` below it for others (Maildir++, as Dovecot and mutt read it)."""

    def __init__(self, root: Path, name: str, uid_validity: int) -> None:
        levels = [safe_name(level).replace(".", "_") for level in name.split("/")]
        self._folder = root if name == INBOX else root / ("." + ".".join(levels))
        for part in ("cur", "new", "tmp"):
            (self._folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder != root:
            (self._folder / "maildirfolder").touch(mode=0o600)
        self._validity = uid_validity
        self._there = {path.name.partition(":")[0] for path in (self._folder / "cur").iterdir()}

    def _base(self, uid: int) -> str:
        return f"{self._validity}.{uid:010}.mss"

    def has(self, uid: int) -> bool:
        """Whether the message is there from an earlier run."""
        return self._base(uid) in self._there

    def add(self, uid: int, flags: Sequence[str], date: float, octets: Iterable[bytes]) -> None:
        """Write into `tmp`, then move to `cur` with the flags in the name."""
        base = self._base(uid)
        letters = "".join(sorted(_LETTERS[flag] for flag in flags if flag in _LETTERS))
        temporary = self._folder / "tmp" / base
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for piece in _local_ends(octets):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.utime(temporary, (date, date))
        temporary.rename(self._folder / "cur" / f"{base}:2,{letters}")

    def close(self) -> None:
        """The names are on the disk too."""
        sync(self._folder / "cur")


class MboxFile:
    """One file for each folder; begun anew by each run, under its name only once it is whole."""

    def __init__(self, root: Path, name: str) -> None:
        levels = [safe_name(level) for level in name.split("/")]
        self._path = root.joinpath(*levels[:-1], levels[-1] + ".mbox")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._partial = self._path.with_name(self._path.name + ".partial")
        self._file = os.fdopen(os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    def has(self, uid: int) -> bool:
        """Never: the file is begun anew."""
        return False

    def add(self, uid: int, flags: Sequence[str], date: float, octets: Iterable[bytes]) -> None:
        """A From line, the flags as `Status` and `X-Status`, the message with its From lines quoted (mboxrd)."""
        day = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(date))
        self._file.write(f"From MAILER-DAEMON {day}\n".encode("ascii"))
        words = set(flags)
        self._file.write(b"Status: " + (b"RO" if "\\Seen" in words else b"O") + b"\n")
        marks = "".join(_MBOX[flag] for flag in _MBOX if flag in words)
        if marks:
            self._file.write(f"X-Status: {marks}\n".encode("ascii"))
        data = _FROM.sub(rb">\1", b"".join(_local_ends(octets)))
        self._file.write(data + (b"\n" if data.endswith(b"\n") else b"\n\n"))

    def close(self) -> None:
        """Give the file its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._path)


_MBOX = {"\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}
