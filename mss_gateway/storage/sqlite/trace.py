"""The timeline (AUD-2), every line linked to the one before it (AUD-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import apsw
import orjson

from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.ins import mask_text

from .audit_chain import Row, chain_of

_SHORTEST = 13  # characters of a matricule
_author = lru_cache(maxsize=4096)(mask_text)  # few people write most lines


def _detail(detail: Mapping[str, str | int]) -> str:
    for value in detail.values():
        if isinstance(value, str) and len(value) >= _SHORTEST:
            break
    else:
        return orjson.dumps(dict(detail)).decode()
    masked = {name: mask_text(value) if isinstance(value, str) else value for name, value in detail.items()}
    return orjson.dumps(masked).decode()


def _row(line: TraceLine) -> Row:
    known = line.message_id
    return (
        float(line.at),
        line.event,
        line.transaction,
        mask_text(known) if known is not None else None,
        line.box_id,
        _author(line.actor),
        _detail(line.detail),
    )


def insert_trace(db: apsw.Connection, lines: Iterable[TraceLine]) -> None:
    """Append lines to the chain; every text is masked here once more, whoever wrote it (INS-7)."""
    chain_of(db).append(map(_row, lines))


def read_trace(
    db: apsw.Connection,
    message_id: str | None,
    limit: int,
    *,
    transaction: str | None = None,
    box_id: int | None = None,
) -> list[TraceLine]:
    """Lines of one Message-ID, of one transaction, of one box, or the latest ones; oldest first.

    A Message-ID with an INS in it is kept masked, and asked for masked.
    """
    if message_id is not None:
        message_id = mask_text(message_id)
        # The lines of its transactions that name no Message-ID (refusals of a recipient) belong to it.
        rows = _rows(
            db,
            "WHERE message_id = ?1 OR (transaction_id <> '' AND transaction_id IN"
            " (SELECT transaction_id FROM trace WHERE message_id = ?1)) ORDER BY id LIMIT ?2",
            (message_id, limit),
        )
    elif transaction is not None:
        rows = _rows(
            db,
            "WHERE transaction_id = ? AND transaction_id <> '' ORDER BY id LIMIT ?",
            (transaction, limit),
        )
    elif box_id is not None:
        rows = _rows(db, "WHERE box_id = ? ORDER BY id DESC LIMIT ?", (box_id, limit))[::-1]
    else:
        rows = _rows(db, "ORDER BY id DESC LIMIT ?", (limit,))[::-1]
    return rows


def _rows(db: apsw.Connection, where: str, values: tuple[str | int, ...]) -> list[TraceLine]:
    columns = "SELECT at, event, transaction_id, message_id, box_id, actor, detail FROM trace"
    return [
        TraceLine(at, event, transaction, message, box, actor, orjson.loads(detail))
        for at, event, transaction, message, box, actor, detail in db.execute(f"{columns} {where}", values)
    ]
