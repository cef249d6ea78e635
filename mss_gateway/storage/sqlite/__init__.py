"""ARM. The embedded store: SQLite in WAL mode, one writer thread with group commit, segments for large texts."""

from .options import SqliteOptions
from .store import SqliteStore

__all__ = ["SqliteOptions", "SqliteStore"]
