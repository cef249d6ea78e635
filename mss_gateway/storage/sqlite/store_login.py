"""What is stored of passwords: the argon2id hash with the person, sealed SCRAM keys beside it (ACC-2)."""

from __future__ import annotations

import apsw

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError

from .engine import Engine, Writer
from .remembered import Remembered
from .store_traced import TracedRows


def split_record(record: str) -> tuple[str, str]:
    """Hash and sealed keys of a record (`ports.identity.Hasher`)."""
    password_hash, _, keys = record.partition("\n")
    return password_hash, keys


def put_keys(db: apsw.Connection, person_id: int, keys: str) -> None:
    """Replace the sealed keys; none when empty."""
    if keys:
        db.execute("INSERT OR REPLACE INTO login_keys VALUES (?, ?)", (person_id, keys))
    else:
        db.execute("DELETE FROM login_keys WHERE person_id = ?", (person_id,))


class LoginRows(TracedRows):
    """Implements this part of `ports.store.DirectoryRows`; the store gives the engine."""

    _engine: Engine
    _remembered: Remembered

    async def set_password(self, person_id: int, password_hash: str, trace: TraceLine) -> None:
        """Replace the record of a password."""
        hashed, keys = split_record(password_hash)

        def job(writer: Writer) -> None:
            writer.db.execute("UPDATE persons SET password_hash = ? WHERE id = ?", (hashed, person_id))
            if writer.db.changes() == 0:
                raise StoreError("there is nobody of that number")
            put_keys(writer.db, person_id, keys)
            writer.directory_changed = True

        await self._traced(trace, job)

    async def login_keys(self, person_id: int) -> str:
        """The sealed keys of a person."""

        def find(db: apsw.Connection) -> str:
            row = db.execute("SELECT sealed FROM login_keys WHERE person_id = ?", (person_id,)).fetchone()
            return str(row[0]) if row else ""

        return await self._engine.read(find)

    async def put_login_keys(self, person_id: int, password_hash: str, keys: str) -> None:
        """Keep the sealed keys of a password, unless it has been replaced meanwhile."""

        def job(writer: Writer) -> None:
            now = writer.db.execute("SELECT password_hash FROM persons WHERE id = ?", (person_id,)).fetchone()
            if now is not None and now[0] == password_hash:
                put_keys(writer.db, person_id, keys)

        await self._engine.write(job)
