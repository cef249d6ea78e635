"""Append-only files for texts that are too large for the database."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import apsw

from mss_gateway.observe.durable import sync
from mss_gateway.ports.records import SpoolFile
from mss_gateway.ports.sealing import Seal

from .texts import COPY_SIZE, is_all, pieces_of, sealed_pieces, size_of, stored_size

OPEN_READERS = 32  # files kept open for reading


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that a job which fails is taken back to."""

    current: int | None
    size: int
    made: int
    adopted: int
    doomed: frozenset[int]


class Segments:
    """Written by the writer thread only, read by the reader thread. Octets count only once a row names them.

    What happens to files inside a transaction is undone with it: a spool file is taken over by a hard
    link and loses its own name only after the commit, so that its owner can try again.
    """

    def __init__(self, folder: Path, limit: int, adopt_from: int) -> None:
        self._folder = folder
        self._limit = limit
        self._adopt_from = adopt_from
        self._current: int | None = None
        self._current_fd = -1
        self._current_size = 0
        self._dirty = False
        self._folder_dirty = False
        self._made: list[int] = []  # files that came with this transaction
        self._adopted: list[Path] = []  # spool files that this transaction took over
        self._doomed: set[int] = set()  # files that go with this transaction
        self._readers: dict[int, int] = {}
        self._drained: set[int] = set()  # files that texts were moved out of
        self._removed: deque[int] = deque()  # told by the writer thread: no longer worth an open file

    def path(self, segment: int) -> Path:
        """The file of a segment."""
        return self._folder / f"{segment:08}.seg"

    def recover(self, db: apsw.Connection) -> None:
        """After any end: remove files that no live row names, cut tails that were never committed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        sync(self._folder.parent)
        db.execute("DELETE FROM segments WHERE live <= 0")
        known = {
            self.path(segment): octets for segment, octets in db.execute("SELECT id, octets FROM segments")
        }
        for file in self._folder.glob("*.seg"):
            octets = known.get(file)
            if octets is None:
                file.unlink()
            elif file.stat().st_size > octets:
                os.truncate(file, octets)

    # --- the writer thread

    def takes_over(self, text: bytes | SpoolFile, *, sealed: bool) -> bool:
        """Does `store` make this file a segment without copying it? Sealed ones stay sealed with their own key."""
        return (
            isinstance(text, SpoolFile)
            and text.size >= self._adopt_from
            and (text.key is not None) == sealed
            and is_all(text)
        )

    def store(
        self, db: apsw.Connection, text: bytes | SpoolFile, seal: Seal | None = None
    ) -> tuple[int, int]:
        """Keep a text, sealed when told so, and return (segment, offset); durable after `sync` and the commit."""
        if isinstance(text, SpoolFile) and self.takes_over(text, sealed=seal is not None):
            return self._adopt(db, text), 0
        size = stored_size(size_of(text), sealed=seal is not None)
        segment = self._room(db)
        offset = self._current_size
        self._append(text, seal)
        self._current_size += size
        db.execute(
            "UPDATE segments SET octets = ?, live = live + ? WHERE id = ?",
            (self._current_size, size, segment),
        )
        return segment, offset

    def carry(self, db: apsw.Connection, segment: int, offset: int, size: int) -> tuple[int, int]:
        """Append octets of another segment as they are, as `store` does; raises OSError when they are not all there."""
        source = os.open(self.path(segment), os.O_RDONLY)
        try:
            if os.fstat(source).st_size < offset + size:
                raise OSError("the segment is shorter than announced")
            target, at = self._room(db), self._current_size
            self._dirty = True
            for done in range(0, size, COPY_SIZE):
                wanted = min(COPY_SIZE, size - done)
                data = os.pread(source, wanted, offset + done)
                if len(data) != wanted:
                    raise OSError("the segment became shorter")
                _write_at(self._current_fd, data, at + done)
        finally:
            os.close(source)
        self._current_size += size
        db.execute(
            "UPDATE segments SET octets = ?, live = live + ? WHERE id = ?", (self._current_size, size, target)
        )
        return target, at

    def _adopt(self, db: apsw.Connection, text: SpoolFile) -> int:
        size = stored_size(text.size, sealed=text.key is not None)
        db.execute("INSERT INTO segments (octets, live) VALUES (?, ?)", (size, size))
        segment = db.last_insert_rowid()
        target = self.path(segment)
        target.unlink(missing_ok=True)
        self._made.append(segment)
        try:
            os.link(text.path, target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
            shutil.copyfile(text.path, target)
        fd = os.open(target, os.O_RDWR)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)
        self._adopted.append(text.path)
        self._folder_dirty = True
        return segment

    def _room(self, db: apsw.Connection) -> int:
        if self._current is not None and self._current_size >= self._limit:
            self.sync()
            db.execute("DELETE FROM segments WHERE id = ? AND live <= 0", (self._current,))
            if db.changes():
                self.doom(self._current)
            self._leave()
        if self._current is None:
            db.execute("INSERT INTO segments (octets, live) VALUES (0, 0)")
            segment = db.last_insert_rowid()
            self.path(segment).unlink(missing_ok=True)
            self._made.append(segment)
            self._current_fd = os.open(self.path(segment), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            self._current = segment
            self._current_size = 0
            self._folder_dirty = True
        return self._current

    def _append(self, text: bytes | SpoolFile, seal: Seal | None) -> None:
        at = self._current_size
        self._dirty = True
        if seal is None and isinstance(text, bytes):
            _write_at(self._current_fd, text, at)
            return
        for data in pieces_of(text) if seal is None else sealed_pieces(text, seal):
            _write_at(self._current_fd, data, at)
            at += len(data)

    def sync(self) -> None:
        """Make everything written so far durable; called before each commit."""
        if self._dirty:
            os.fdatasync(self._current_fd)
            self._dirty = False
        if self._folder_dirty:
            sync(self._folder)
            self._folder_dirty = False

    def doom(self, segment: int) -> None:
        """The row of this segment is deleted: its file goes after the commit."""
        self._doomed.add(segment)

    def drain(self, segment: int) -> None:
        """Texts move out of this segment: its file does not go with its last text, but a while later (`doom`)."""
        self._drained.add(segment)

    def is_needed(self, segment: int) -> bool:
        """Must the file of a segment stay when its last text goes? It is being filled, or a reader may look for a text
        there that was moved."""
        return segment == self._current or segment in self._drained

    def mark(self) -> Mark:
        """Where a job begins."""
        made, adopted, doomed = len(self._made), len(self._adopted), frozenset(self._doomed)
        return Mark(self._current, self._current_size, made, adopted, doomed)

    def undo(self, mark: Mark) -> None:
        """A job was rolled back: its files go, what it appended will be written over."""
        if self._current == mark.current:
            self._current_size = mark.size
            if self._current_fd >= 0:
                os.ftruncate(self._current_fd, mark.size)
        else:
            # The segment that was full stays as it is; the one begun by this job goes.
            self._leave()
        self._unlink(self._made[mark.made :])
        del self._made[mark.made :], self._adopted[mark.adopted :]
        self._doomed = set(mark.doomed)

    def undo_all(self, *, unlink: bool) -> None:
        """The transaction failed; begin a new segment, for nobody knows what reached the disk.

        Without `unlink` its files stay until the next start: after a failed fsync the commit may be found there.
        """
        self._leave()
        if unlink:
            self._unlink(self._made)
        self._made.clear()
        self._adopted.clear()
        self._doomed.clear()

    def committed(self) -> None:
        """The transaction is durable: files that it freed go, and the spool names of those it took over."""
        self._unlink(self._doomed)
        self._drained -= self._doomed
        for spool in self._adopted:
            with contextlib.suppress(OSError):
                spool.unlink()
        self._made.clear()
        self._adopted.clear()
        self._doomed.clear()

    def _unlink(self, segments: Iterable[int]) -> None:
        for segment in segments:
            # A file that cannot be removed now is removed at the next start.
            with contextlib.suppress(OSError):
                self.path(segment).unlink()
            self._removed.append(segment)

    def _leave(self) -> None:
        if self._current_fd >= 0:
            os.close(self._current_fd)
        self._current, self._current_fd, self._current_size, self._dirty = None, -1, 0, False

    @property
    def current(self) -> int | None:
        """The segment that is being filled."""
        return self._current

    # --- the reader thread

    def read(self, segment: int, offset: int, size: int) -> bytes:
        """Octets of a committed text; raises OSError when the file is damaged or has just gone."""
        while self._removed:
            gone = self._readers.pop(self._removed.popleft(), None)
            if gone is not None:
                os.close(gone)
        fd = self._readers.get(segment)
        if fd is None:
            if len(self._readers) >= OPEN_READERS:
                os.close(self._readers.pop(next(iter(self._readers))))
            fd = self._readers[segment] = os.open(self.path(segment), os.O_RDONLY)
        return os.pread(fd, size, offset)

    def close(self) -> None:
        """Close every file, once both threads have ended."""
        self._leave()
        for fd in self._readers.values():
            os.close(fd)
        self._readers.clear()


def _write_at(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, at)
        view = view[done:]
        at += done
