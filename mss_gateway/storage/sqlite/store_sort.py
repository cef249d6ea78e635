"""What SORT and THREAD ask of a folder: the columns by which messages are put in order."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from mss_gateway.protocol.imap.sorting import SortRow

from .encryption import ENVELOPE, OPENED_OR_NULL, SUBJECT, key_join, opened
from .engine import Engine
from .folders import folder_of
from .messages import uid_list


def sort_rows(db: apsw.Connection, folder_id: int, uids: Sequence[int], *, envelopes: bool) -> list[SortRow]:
    """Rows of the ascending UIDs that exist; UIDs without a hole are read as one range. Raises `NoSuchFolder`."""
    keys = key_join(db, "m.body_id")
    envelope = _opened(keys, ENVELOPE, "b.envelope") if envelopes else "x''"
    subject = f"CAST({_opened(keys, SUBJECT, 'b.subject_base')} AS TEXT)" if keys else "b.subject_base"
    columns = f"m.uid, m.internal_date, b.sent_at, b.size, {subject}, {envelope}"
    if uids and uids[-1] - uids[0] == len(uids) - 1:
        found = db.execute(
            f"SELECT {columns} FROM messages AS m CROSS JOIN bodies AS b ON b.id = m.body_id"
            f"{keys} WHERE m.folder_id = ? AND m.uid BETWEEN ? AND ? ORDER BY m.uid",
            (folder_id, uids[0], uids[-1]),
        )
    else:
        found = db.execute(
            f"SELECT {columns} FROM json_each(?) AS j CROSS JOIN messages AS m ON m.folder_id = ? AND m.uid = j.value"
            f" CROSS JOIN bodies AS b ON b.id = m.body_id{keys}",
            (uid_list(uids), folder_id),
        )
    rows = list(map(SortRow._make, found))
    if not rows:
        folder_of(db, folder_id)
    return rows


def _opened(keys: str, part: int, column: str) -> str:
    """What is damaged counts as empty."""
    sql = opened(keys, part, column, OPENED_OR_NULL)
    return f"coalesce({sql}, x'')" if keys else sql


class SortRows:
    """Implements this part of `ports.mailboxes.Mailboxes`; the store gives the engine."""

    _engine: Engine

    async def sort_rows(self, folder_id: int, uids: Sequence[int], *, envelopes: bool) -> list[SortRow]:
        """What messages are sorted by."""
        return await self._engine.read(lambda db: sort_rows(db, folder_id, uids, envelopes=envelopes))
