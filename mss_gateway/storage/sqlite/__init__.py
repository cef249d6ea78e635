"""ARM. The embedded store: SQLite in WAL mode, one writer thread with group commit, segments for large texts."""

from .keys import EncryptionOptions, UnusableKeys, parse_keys, read_key_file
from .options import SqliteOptions
from .store import SqliteStore

__all__ = [
    "EncryptionOptions",
    "SqliteOptions",
    "SqliteStore",
    "UnusableKeys",
    "parse_keys",
    "read_key_file",
]
