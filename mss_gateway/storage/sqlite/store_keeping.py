"""The store's methods for backups: its own number, and what a restore left behind."""

from __future__ import annotations

import time

from mss_gateway.ports.keeping import Restored
from mss_gateway.ports.records import TraceLine

from . import restore_renew
from .engine import Engine, Writer
from .trace import insert_trace


class KeepingRows:
    """Implements `backup_keeper.KeptStore` for `SqliteStore`."""

    _engine: Engine

    async def lineage(self) -> int:
        """The store's own number: another one after each restore."""
        return await self._engine.write(restore_renew.lineage_of)

    async def restored(self) -> Restored | None:
        """What a restore left behind, None in a store that was never restored."""
        return await self._engine.read(restore_renew.restored)

    async def release_receipts(self, actor: str) -> int:
        """Let the read receipts go that a restore keeps back; return how many."""

        def release(writer: Writer) -> int:
            count = restore_renew.release_receipts(writer)
            detail = {"recipients": count}
            insert_trace(
                writer.db, [TraceLine(time.time(), "receipts-released", "", actor=actor, detail=detail)]
            )
            return count

        return await self._engine.write(release)

    async def tell_restored(self) -> bool:
        """Write the restore into the trace, once; True when it was not there yet."""

        def tell(writer: Writer) -> bool:
            found = restore_renew.restored(writer.db)
            if found is None:
                return False
            writer.db.execute("INSERT OR IGNORE INTO counters VALUES ('told_restored', 0)")
            writer.db.execute(
                "UPDATE counters SET value = ?1 WHERE name = 'told_restored' AND value < ?1", (int(found.at),)
            )
            if not writer.db.changes():
                return False
            detail = {"backup_at": int(found.backup_at), "recipients": found.queue_held}
            insert_trace(
                writer.db, [TraceLine(time.time(), "store-restored", "", actor="restore", detail=detail)]
            )
            return True

        return await self._engine.write(tell)
