"""Numbered migrations, each in its own transaction, from the first version on."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from importlib import resources

import apsw

from mss_gateway.ports.store import StoreError


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration, in order."""
    folder = resources.files(__package__) / "migrations"
    found = []
    for entry in folder.iterdir():
        number, _, name = entry.name.removesuffix(".sql").partition("_")
        if entry.name.endswith(".sql"):
            found.append((int(number), name, entry.read_text(encoding="utf-8")))
    return sorted(found)


def migrate(db: apsw.Connection) -> int:
    """Bring the database to the newest version and return it.

    Raises `StoreError` when the database is newer than this program, or when a migration that was
    applied has been edited since.
    """
    db.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT, digest TEXT)")
    applied = dict(_applied(db))
    known = migrations()
    if applied and max(applied) > known[-1][0]:
        raise StoreError(
            f"The store has version {max(applied)}, this gateway knows {known[-1][0]}: install the newer gateway"
        )
    for number, name, sql in known:
        digest = sha256(sql.encode()).hexdigest()
        if number in applied:
            if applied[number] != digest:
                raise StoreError(f"Migration {number:04}_{name} was changed after it was applied: reinstall")
            continue
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(sql)
            db.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, name, digest))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    return known[-1][0]


def _applied(db: apsw.Connection) -> Iterator[tuple[int, str]]:
    yield from db.execute("SELECT number, digest FROM migrations")
