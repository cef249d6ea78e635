"""What the national API has said of single addresses, with the day: a small table beside the copy in force."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from .entry import Record, line_of, record_of
from .problems import DirectoryProblem

MOST = 100_000
"""Addresses that are remembered; those seen longest ago go first."""

_TABLE = """
CREATE TABLE IF NOT EXISTS seen (key TEXT NOT NULL, line TEXT NOT NULL, seen_at REAL NOT NULL,
    PRIMARY KEY (key, line)) WITHOUT ROWID
"""
PATIENCE = 2000  # milliseconds that another process may write


class Seen:
    """Opened when it is first needed; used by one thread. Raises `DirectoryProblem` when it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base: apsw.Connection | None = None

    def is_empty(self) -> bool:
        """True when nothing was ever asked online."""
        return not self._path.exists()

    def of(self, key: str) -> list[tuple[Record, float]]:
        """What was seen of an address, and when in epoch seconds; nothing when the table cannot be read."""
        if self.is_empty():
            return []
        try:
            rows = self._opened().execute("SELECT line, seen_at FROM seen WHERE key = ? LIMIT 100", (key,))
            return [(record_of(line), at) for line, at in rows]
        except apsw.Error:
            return []

    def put(self, records: list[Record], now: float) -> None:
        """Replace what was known of the addresses of these rows."""
        lines = [
            (record["address"].lower(), line_of(record), now) for record in records if record.get("address")
        ]
        try:
            base = self._opened()
            with base:
                base.executemany(
                    "DELETE FROM seen WHERE key = ?", [(key,) for key in {one[0] for one in lines}]
                )
                base.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", lines)
                count = base.execute("SELECT count(*) FROM seen").fetchone()
                if count is not None and count[0] > MOST:
                    oldest = "SELECT key FROM seen ORDER BY seen_at LIMIT ?"
                    base.execute(f"DELETE FROM seen WHERE key IN ({oldest})", (count[0] - MOST * 9 // 10,))
        except apsw.Error as error:
            sentence = f"what was seen online cannot be kept ({type(error).__name__}): check folder and disk"
            raise DirectoryProblem("directory-disk", sentence) from None

    def close(self) -> None:
        """Let go of the file."""
        if self._base is not None:
            self._base.close()
            self._base = None

    def _opened(self) -> apsw.Connection:
        if self._base is None:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._base = apsw.Connection(str(self._path))
            self._base.set_busy_timeout(PATIENCE)
            self._base.execute(_TABLE)
        return self._base
