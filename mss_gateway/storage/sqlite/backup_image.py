"""The database as it is in one read transaction, page by page into pieces, without a copy beside it.

SQLite's backup copies the pages of a snapshot into another database; that one lies in a file system of our own here,
which hands each piece on as soon as it is full. Its cache is so small that the pages come in their order. Should
SQLite ever ask for what was handed on already, the backup fails: nothing is guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import apsw

CHUNK = 1024 * 1024
"""Octets of a piece of the database: small enough that most pieces stay as they were from one backup to the next."""

_STEP = 256  # pages
_BEHIND = 2  # pieces that stay open behind the one that is being filled
_numbers = itertools.count(1)

Take = Callable[[int, bytes], None]
"""Is given number and octets of each piece once, in any order."""


class _ImageFile:
    """What SQLite writes to."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._open: dict[int, bytearray] = {}
        self._handed = 0  # pieces below this number, but the first, have been handed on
        self._size = 0

    def xWrite(self, data: bytes, offset: int) -> None:
        number, at = divmod(offset, CHUNK)
        if 0 < number < self._handed or at + len(data) > CHUNK:
            raise apsw.IOError("the pages do not come in their order")
        piece = self._open.get(number)
        if piece is None:
            piece = self._open[number] = bytearray(CHUNK)
            while self._handed < number - _BEHIND:
                self._hand_on(self._handed)
                self._handed += 1
        piece[at : at + len(data)] = data
        self._size = max(self._size, offset + len(data))

    def _hand_on(self, number: int) -> None:
        if number == 0:  # the first page is written once more in the end
            return
        piece = self._open.pop(number, None)
        octets = bytes(piece) if piece is not None else bytes(CHUNK)
        self._take(number, octets[: max(0, self._size - number * CHUNK)])

    def finish(self) -> int:
        """Hand on what is left; return the size of the whole."""
        last = -(-self._size // CHUNK)
        for number in range(max(1, self._handed), last):
            self._hand_on(number)
        if last:
            self._take(0, bytes(self._open[0][: self._size]))
        return self._size

    def xRead(self, amount: int, offset: int) -> bytes:
        number, at = divmod(offset, CHUNK)
        if offset >= self._size:
            return b""
        piece = self._open.get(number)
        if piece is None:
            raise apsw.IOError("a page is asked for that has been handed on")
        return bytes(piece[at : at + amount])

    def xFileSize(self) -> int:
        return self._size

    def xTruncate(self, size: int) -> None:
        if size < self._size:
            raise apsw.IOError("the image is not to be shortened")

    def xSync(self, flags: int) -> None:
        pass

    def xClose(self) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return 0


class _ImageSystem(apsw.VFS):
    """A file system that has one file."""

    def __init__(self, name: str, take: Take) -> None:
        super().__init__(name, "")
        self.file = _ImageFile(take)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        flags[1] = flags[0]
        return self.file  # type: ignore[return-value]

    def xAccess(self, pathname: str, flags: int) -> bool:
        return False

    def xFullPathname(self, name: str) -> str:
        return name

    def xDelete(self, filename: str, syncdir: bool) -> None:
        pass


def copy_pages(db: apsw.Connection, take: Take, moved: Callable[[int, int], None]) -> int:
    """Hand on the snapshot of the read transaction that `db` is in; return its octets.

    `moved` is called now and then with the pages done and the pages of all. Raises apsw.Error.
    """
    name = f"backup-image-{next(_numbers)}"
    system = _ImageSystem(name, take)
    try:
        image = apsw.Connection("image", vfs=name)
        try:
            image.execute(f"PRAGMA page_size = {db.pragma('page_size')}")
            image.execute("PRAGMA journal_mode = OFF")
            image.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = 10; PRAGMA locking_mode = EXCLUSIVE")
            with image.backup("main", db, "main") as copying:
                while not copying.step(_STEP):
                    moved(copying.page_count - copying.remaining, copying.page_count)
        finally:
            image.close()
        return system.file.finish()
    finally:
        system.unregister()
