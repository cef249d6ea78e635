"""A new copy of the directory, written into a file that nobody reads yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import apsw

from .lines import Row
from .problems import DirectoryProblem

VERSION = 1
"""Of the tables below; a copy of another version is built anew with the next import."""

_TABLES = """
CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT NOT NULL, line TEXT NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE word USING fts5(text, content='', detail=none, columnsize=0,
    tokenize="unicode61 remove_diacritics 0");
"""
_FAST = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA page_size = 8192;
PRAGMA cache_size = -65536;
PRAGMA temp_store = MEMORY;
"""
_HASH = 32 * 1024 * 1024  # octets of the index that are gathered before they are written


class Builder:
    """Fills a new file; nothing of it counts before `finish`. Raises `DirectoryProblem` when the disk does not."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.rows = 0
        with _told():
            self._base = apsw.Connection(str(path))
            self._base.execute(_FAST)
            self._base.execute(_TABLES)
            self._base.execute("INSERT INTO word(word, rank) VALUES ('hashsize', ?)", (_HASH,))
            self._base.execute("INSERT INTO word(word, rank) VALUES ('automerge', 0)")
            self._base.execute("BEGIN EXCLUSIVE")

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows in their order."""
        first = self.rows + 1
        numbered = [(first + place, *row) for place, row in enumerate(rows)]
        with _told():
            self._base.executemany(
                "INSERT INTO entry (id, key, line) VALUES (?, ?, ?)", [one[:3] for one in numbered]
            )
            self._base.executemany(
                "INSERT INTO word (rowid, text) VALUES (?, ?)", [(one[0], one[3]) for one in numbered]
            )
        self.rows += len(numbered)

    def addresses(self) -> int:
        """How many different addresses there are; makes the index of addresses."""
        with _told():
            self._base.execute("CREATE INDEX entry_key ON entry (key)")
            found = self._base.execute("SELECT count(DISTINCT key) FROM entry").fetchone()
        return int(found[0]) if found else 0

    def finish(self, meta: Mapping[str, str]) -> None:
        """Write what is to be known of this copy, and close it."""
        with _told():
            self._base.execute("INSERT INTO word(word) VALUES ('optimize')")
            self._base.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
            self._base.execute("COMMIT")
            self._base.execute(f"PRAGMA user_version = {VERSION}")
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()


class _told:
    """Errors of SQLite as the directory names them."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.FullError):
            sentence = "no space left for the new copy: make room; the copy in force stays"
            raise DirectoryProblem("directory-disk-full", sentence) from None
        if isinstance(error, apsw.Error):
            sentence = f"the new copy cannot be written ({type(error).__name__}); the copy in force stays"
            raise DirectoryProblem("directory-disk", sentence) from None
