"""What the ops door asks of the store: can it write now, do its threads live, counts without names (OPS-4)."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from mss_gateway.ports.store import StoreFull

from .engine import Engine, Writer, one


def write_nothing(writer: Writer) -> None:
    """Write the database's first page as it is: durable like any change, and changes nothing. Raises `StoreFull`."""
    db = writer.db
    if one(db.execute("PRAGMA page_count")) >= one(db.execute("PRAGMA max_page_count")) and not one(
        db.execute("PRAGMA freelist_count")
    ):
        raise StoreFull("The store has reached its size limit")
    version = int(one(db.execute("PRAGMA user_version")))
    db.execute(f"PRAGMA user_version = {version}")


def channel_states(db: apsw.Connection) -> dict[str, int]:
    """Channels by state."""
    return dict(db.execute("SELECT state, count(*) FROM channels GROUP BY state ORDER BY state"))


class OpsRows:
    """What the store tells the ops door; the store gives the engine."""

    _engine: Engine

    async def probe(self) -> None:
        """One durable write that changes nothing; raises `StoreFull`, `StoreError`."""
        await self._engine.write(write_nothing)

    async def channel_states(self) -> dict[str, int]:
        """How many channels are in which state."""
        return await self._engine.read(channel_states)

    @property
    def is_alive(self) -> bool:
        """Whether both threads of the store run."""
        return self._engine.is_alive

    def on_batch(self, listener: Callable[[int, float], None]) -> None:
        """Have the writer thread tell how many changes each commit held, and how many seconds it took."""
        self._engine.after_batch = listener
