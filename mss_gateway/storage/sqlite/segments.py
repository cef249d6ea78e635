"""Append-only files for texts that are too large for the database."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from mss_gateway.ports.records import SpoolFile

COPY_SIZE = 1024 * 1024


class Segments:
    """Written by the writer thread only, read by the reader thread. Octets count only once a row names them."""

    def __init__(self, folder: Path, limit: int, adopt_from: int) -> None:
        self._folder = folder
        self._limit = limit
        self._adopt_from = adopt_from
        self._current: int | None = None
        self._current_fd = -1
        self._current_size = 0
        self._dirty: set[int] = set()
        self._folder_dirty = False
        self._readers: dict[int, int] = {}

    def path(self, segment: int) -> Path:
        """The file of a segment."""
        return self._folder / f"{segment:08}.seg"

    def recover(self, db: apsw.Connection) -> None:
        """After any end: remove files that no row names, cut tails that were never committed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        known = dict(db.execute("SELECT id, octets FROM segments"))
        for file in self._folder.glob("*.seg"):
            octets = known.get(int(file.stem))
            if octets is None:
                file.unlink()
            elif file.stat().st_size > octets:
                os.truncate(file, octets)

    def store(self, db: apsw.Connection, text: bytes | SpoolFile) -> tuple[int, int]:
        """Keep a text and return (segment, offset); durable after `sync` and the commit."""
        if isinstance(text, SpoolFile) and text.offset == 0 and text.size >= self._adopt_from:
            return self._adopt(db, text), 0
        size = text.size if isinstance(text, SpoolFile) else len(text)
        segment = self._room(db)
        offset = self._current_size
        self._append(text)
        self._current_size += size
        db.execute(
            "UPDATE segments SET octets = ?, live = live + ? WHERE id = ?",
            (self._current_size, size, segment),
        )
        return segment, offset

    def _adopt(self, db: apsw.Connection, text: SpoolFile) -> int:
        db.execute("INSERT INTO segments (octets, live) VALUES (?, ?)", (text.size, text.size))
        segment = db.last_insert_rowid()
        fd = os.open(text.path, os.O_RDWR)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)
        os.rename(text.path, self.path(segment))
        self._folder_dirty = True
        return segment

    def _room(self, db: apsw.Connection) -> int:
        if self._current is None or self._current_size >= self._limit:
            if self._current_fd >= 0:
                self.sync()
                os.close(self._current_fd)
                self._current_fd = -1
            db.execute("INSERT INTO segments (octets, live) VALUES (0, 0)")
            self._current = db.last_insert_rowid()
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
            self._current_fd = os.open(self.path(self._current), flags, 0o600)
            self._current_size = 0
            self._folder_dirty = True
        return self._current

    def _append(self, text: bytes | SpoolFile) -> None:
        at = self._current_size
        self._dirty.add(self._current_fd)
        if isinstance(text, bytes):
            _write_at(self._current_fd, text, at)
            return
        with text.path.open("rb") as source:
            source.seek(text.offset)
            left = text.size
            while left:
                data = source.read(min(left, COPY_SIZE))
                if not data:
                    raise OSError("the spool file is shorter than announced")
                _write_at(self._current_fd, data, at)
                at += len(data)
                left -= len(data)

    def sync(self) -> None:
        """Make everything written so far durable; called before each commit."""
        for fd in self._dirty:
            os.fdatasync(fd)
        self._dirty.clear()
        if self._folder_dirty:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._folder_dirty = False

    def forget_current(self) -> None:
        """A job was rolled back: the segment's row may be gone, so begin a new one next time.

        Other jobs of the batch may have written to it, so it is made durable before it is closed.
        """
        self.sync()
        if self._current_fd >= 0:
            os.close(self._current_fd)
        self._current, self._current_fd, self._current_size = None, -1, 0

    def read(self, segment: int, offset: int, size: int) -> bytes:
        """Octets of a committed text; raises OSError when the file is damaged."""
        fd = self._readers.get(segment)
        if fd is None:
            if len(self._readers) >= 64:
                os.close(self._readers.pop(next(iter(self._readers))))
            fd = self._readers[segment] = os.open(self.path(segment), os.O_RDONLY)
        return os.pread(fd, size, offset)

    def remove(self, segment: int) -> None:
        """Delete the file of a segment that no row names any more; an open reader keeps its data."""
        self.path(segment).unlink(missing_ok=True)

    @property
    def current(self) -> int | None:
        """The segment that is being filled."""
        return self._current

    def close(self) -> None:
        """Close every file."""
        self.forget_current()
        for fd in self._readers.values():
            os.close(fd)
        self._readers.clear()


def _write_at(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, at)
        view = view[done:]
        at += done
