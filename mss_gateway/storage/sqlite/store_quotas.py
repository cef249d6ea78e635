"""The jobs of the store about boxes that fill up: how full, and of what they were told (BAL-9)."""

from __future__ import annotations

from collections.abc import Collection

import apsw

from mss_gateway.ports.quota import Usage
from mss_gateway.ports.records import Delivery
from mss_gateway.rules.facts import BoxType

from .deliveries import accept
from .engine import Engine, Writer
from .messages import uid_list
from .options import SqliteOptions

_SELECT = (
    "SELECT b.id, b.address, b.type, coalesce(sum(f.octets), 0),"
    " CASE WHEN b.quota_bytes THEN b.quota_bytes ELSE :octets END AS most_octets, coalesce(sum(f.messages), 0),"
    " CASE WHEN b.quota_messages THEN b.quota_messages ELSE :messages END AS most_messages,"
    " coalesce((SELECT percent FROM quota_warnings AS w WHERE w.box_id = b.id), 0)"
    " FROM boxes AS b LEFT JOIN folders AS f ON f.box_id = b.id"
    " WHERE b.state NOT IN ('closed', 'purged') AND {which} GROUP BY b.id"
    " HAVING most_octets OR most_messages ORDER BY b.id LIMIT :limit"
)
_OF_FOLDERS = _SELECT.format(
    which="b.id IN (SELECT box_id FROM folders WHERE id IN (SELECT value FROM json_each(:ids)))"
)
_AFTER = _SELECT.format(which="b.id > :after AND (:octets OR :messages OR b.quota_bytes OR b.quota_messages)")


def _read(db: apsw.Connection, sql: str, options: SqliteOptions, **values: int | str) -> list[Usage]:
    limits = {"octets": options.quota_bytes, "messages": options.quota_messages}
    return [
        Usage(box, address, BoxType(kind), *figures)
        for box, address, kind, *figures in db.execute(sql, {**limits, **values})
    ]


def _told(db: apsw.Connection, box_id: int) -> int:
    row = db.execute("SELECT percent FROM quota_warnings WHERE box_id = ?", (box_id,)).fetchone()
    return int(row[0]) if row else 0


def _note(db: apsw.Connection, box_id: int, told: int) -> None:
    db.execute("INSERT OR REPLACE INTO quota_warnings VALUES (?, ?)", (box_id, told))


class QuotaStore:
    """Implements `ports.quota.QuotaRows`; the store gives the engine."""

    _engine: Engine

    async def any_quota(self) -> bool:
        """Whether any box has a limit."""
        options = self._engine.options
        if options.quota_bytes or options.quota_messages:
            return True
        sql = "SELECT EXISTS (SELECT 1 FROM boxes WHERE quota_bytes OR quota_messages)"
        return await self._engine.read(lambda db: bool(next(iter(db.execute(sql)))[0]))

    async def usage(self, folders: Collection[int]) -> list[Usage]:
        """The boxes of these folders that have a limit."""
        ids = uid_list(sorted(folders))
        options = self._engine.options
        return await self._engine.read(lambda db: _read(db, _OF_FOLDERS, options, ids=ids, limit=-1))

    async def usage_of_all(self, after: int, limit: int) -> list[Usage]:
        """Boxes with a limit, by id."""
        options = self._engine.options
        return await self._engine.read(lambda db: _read(db, _AFTER, options, after=after, limit=limit))

    async def note_told(self, box_id: int, told: int) -> None:
        """Arm thresholds again."""
        await self._engine.write(lambda w: _note(w.db, box_id, told))

    async def tell_usage(self, box_id: int, before: int, told: int, delivery: Delivery) -> bool:
        """Commit a warning with what counts as told."""

        def job(writer: Writer) -> bool:
            if _told(writer.db, box_id) != before:
                return False
            _note(writer.db, box_id, told)
            accept(writer, delivery)
            return True

        return await self._engine.write(job)
