"""Implements `ports.encryption.Encrypted`: counts, work in steps, and what is to be done after it."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import apsw

from mss_gateway.ports.encryption import EncryptionStatus, Goal, KeyUse, Work
from mss_gateway.ports.records import TraceLine

from .encryption import cipher_of, sealing_cipher
from .engine import Engine, Writer, connect, one, translate
from .reencryption import begin, current, step

COUNTED = 20_000
"""Bodies that are counted in one hop."""

STILL_READ = 300.0
"""Seconds a file stays that holds nothing any more: whoever looked where a text lies has read it by then."""


class EncryptedRows:
    """The store gives the engine."""

    _engine: Engine
    _drained: dict[int, float] | None = None

    async def encryption_status(self) -> EncryptionStatus:
        """All bodies, counted by their master keys."""
        read = self._engine.read
        sealing, names, work = await read(_heads)
        counts: dict[int, int] = {}
        clear = after = 0
        while after >= 0:
            some, after = await read(partial(_count, after=after))
            for key_id, bodies in some:
                if key_id is None:
                    clear += bodies
                else:
                    counts[key_id] = counts.get(key_id, 0) + bodies
        keys = tuple(
            KeyUse(name, since, counts.get(number, 0), number == sealing) for number, name, since in names
        )
        return EncryptionStatus(sealing is not None, keys, clear, work)

    async def work_under_way(self) -> Work | None:
        """What is written down."""
        return await self._engine.read(current)

    async def begin_work(self, goal: Goal, trace: TraceLine) -> Work:
        """Write it down."""
        return await self._engine.write(lambda writer: begin(writer, goal, trace))

    async def work_step(self) -> Work | None:
        """One commit."""
        done = await self._engine.write(step)
        await self._sweep()
        return done

    async def end_work(self) -> None:
        """Forget master keys without bodies; what was overwritten leaves the write-ahead log too."""
        status = await self.encryption_status()
        unused = [key.name for key in status.keys if not key.active and not key.bodies]
        if status.work is None and unused:
            await self._engine.write(lambda writer: _retire(writer.db, unused))
        await self._cleaned()
        await self._sweep()

    async def wipe(self) -> int:
        """VACUUM, on a connection of its own."""
        await self._cleaned(vacuum=True)
        return (self._engine.options.path / "store.db").stat().st_size

    async def _cleaned(self, *, vacuum: bool = False) -> None:
        try:
            await asyncio.to_thread(self._clean_log, vacuum=vacuum)
        except apsw.Error as error:
            raise translate(error) from error

    def _clean_log(self, *, vacuum: bool = False) -> None:
        options = self._engine.options
        db = connect(options.path / "store.db", options)
        try:
            # While mail goes on, no commit must wait long for this.
            db.set_busy_timeout(60_000 if vacuum else 1000)
            if vacuum:
                db.execute(
                    "PRAGMA temp_store = FILE"
                )  # of what lies in the database now, which need not fit in memory
                db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            db.close()

    async def _sweep(self) -> None:
        """Remove segments that have held nothing for `STILL_READ` seconds; those of a former run go at the start."""
        now, known = time.monotonic(), self._drained or {}
        filled = self._engine.segments.current  # goes when it is full, if it is empty then
        empty = [one for one in await self._engine.read(_empty_segments) if one != filled]
        self._drained = {one: known.get(one, now) for one in empty}
        due = [segment for segment, since in self._drained.items() if now - since >= STILL_READ]
        if due:
            await self._engine.write(lambda writer: _remove(writer, due))

    async def sweep_segments(self) -> bool:
        """Remove empty segments whose time has come; True while others wait for theirs."""
        await self._sweep()
        return bool(self._drained)


def _heads(db: apsw.Connection) -> tuple[int | None, list[tuple[int, str, float]], Work | None]:
    cipher = sealing_cipher(db)
    names = list(db.execute("SELECT id, name, since FROM master_keys ORDER BY id"))
    return (None if cipher is None else cipher.active), names, current(db)


def _count(db: apsw.Connection, after: int) -> tuple[list[tuple[int | None, int]], int]:
    """Bodies by key, and where to go on, -1 at the end. By what is there: a restore leaves numbers out."""
    last = one(
        db.execute(
            "SELECT coalesce(max(id), -1) FROM (SELECT id FROM bodies WHERE id > ? ORDER BY id LIMIT ?)",
            (after, COUNTED),
        )
    )
    rows = db.execute(
        "SELECT k.key_id, count(*) FROM bodies AS b LEFT JOIN body_keys AS k ON k.body_id = b.id"
        " WHERE b.id > ? AND b.id <= ? GROUP BY 1",
        (after, last),
    )
    return [(key_id, bodies) for key_id, bodies in rows], int(last)


def _retire(db: apsw.Connection, names: list[str]) -> None:
    cipher = cipher_of(db)
    for name in names:
        db.execute(
            "DELETE FROM master_keys WHERE name = ?1 AND id IS NOT ?2 AND NOT EXISTS"
            " (SELECT 1 FROM receipts WHERE key_id = master_keys.id AND wrapped IS NOT NULL)",
            (name, None if cipher is None else cipher.active),
        )


def _empty_segments(db: apsw.Connection) -> list[int]:
    return [int(str(segment)) for (segment,) in db.execute("SELECT id FROM segments WHERE live <= 0")]


def _remove(writer: Writer, segments: list[int]) -> None:
    for segment in segments:
        if segment == writer.segments.current:
            continue
        writer.db.execute("DELETE FROM segments WHERE id = ? AND live <= 0", (segment,))
        if writer.db.changes():
            writer.segments.doom(segment)
