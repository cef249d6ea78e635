"""A store with everything in it that a backup has to bring back, and tasks for what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from mss_gateway.ports.keeping import Work
from mss_gateway.ports.records import SpoolFile
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup_options import KeepOptions, KeptPlace, Task

from .store import ANYONE, EVERYTHING, add_box, body, delivery, inbox, sqlite_options, uids

SMALL, MIDDLE, LARGE = 100, 5_000, 30_000
"""Sizes of texts: in the database, in a shared segment, in a segment of its own."""


class Kept:
    """A store in `folder`/state, its backups in `folder`/target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.target = folder / "target"
        self.options = sqlite_options(self.state / "store")
        self.store = SqliteStore(self.options)
        self.lineage = 1

    async def open(self) -> Kept:
        """Open it, with a configuration file and keys beside it."""
        self.state.mkdir()
        (self.folder / "gateway.toml").write_text("# essai\n", encoding="utf-8")
        (self.state / "correlation.key").write_bytes(bytes(range(32)))
        (self.state / "trust").mkdir()
        (self.state / "trust" / "list.xml").write_text("<liste/>", encoding="utf-8")
        await self.store.open()
        self.box = (await add_box(self.store)).id
        self.inbox = await inbox(self.store, self.box)
        self.lineage = await self.store.lineage()
        return self

    async def deliver(self, *sizes: int, outbox: tuple[str, ...] = ()) -> None:
        """One message of each size."""
        for number, size in enumerate(sizes):
            text: bytes | SpoolFile = bytes((number * 7 + at * at) % 251 for at in range(size))
            if size >= LARGE:
                spool = self.folder / "spool.txt"
                spool.write_bytes(bytes(text))  # type: ignore[arg-type]
                text = SpoolFile(spool, 0, size)
            await self.store.accept(delivery(body(text), self.box, outbox=outbox))

    def task(
        self, work: Work = Work.BACKUP, *, key_file: Path | None = None, keep: int = 0, **arguments: Any
    ) -> Task:
        """What the process would be given."""
        place = KeptPlace(self.state, self.folder / "gateway.toml", self.options)
        options = KeepOptions(self.target, keep=keep, key_file=key_file, rate=1_000_000_000)
        return Task(work, place, options, self.target, tuple(arguments.items()), self.lineage, "0.1.0")


def quiet(phase: str, done: int, total: int) -> None:
    """Nobody listens."""


async def all_octets(store: SqliteStore, folder_id: int) -> list[bytes]:
    """Whole messages of a folder, in the order of their UIDs."""
    rows = await store.rows(folder_id, ANYONE, await uids(store, folder_id), EVERYTHING)
    return [(row.header or b"") + await store.read_text(row.body_id, 0, row.size) for row in rows]


def sql(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a statement on the database of a store that nobody has open."""
    db = apsw.Connection(str(folder / "store.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return list(db.execute(statement))
    finally:
        db.close()
