"""The timeline (AUD-2), every line linked to the one before it (AUD-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import apsw
import orjson

from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.ins import mask_text

from .audit_chain import COLUMNS, Row, chain_of
from .trace_index import OF_TRANSACTION, WITH_TRANSACTIONS, of_box

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
        rows: Iterable[Sequence[Any]] = db.execute(
            f"{WITH_TRANSACTIONS} SELECT {COLUMNS} FROM trace WHERE id IN together"
            " AND (message_id = ?1 OR transaction_id IN shared) ORDER BY id LIMIT ?2",
            (message_id, limit),
        )
    elif transaction is not None:
        rows = db.execute(
            f"SELECT {COLUMNS} FROM trace WHERE id IN {OF_TRANSACTION} AND transaction_id = ?1"
            " AND transaction_id <> '' ORDER BY id LIMIT ?2",
            (transaction, limit),
        )
    elif box_id is not None:
        rows = of_box(db, box_id, COLUMNS, limit)[::-1]
    else:
        rows = db.execute(f"SELECT {COLUMNS} FROM trace ORDER BY id DESC LIMIT ?", (limit,)).fetchall()[::-1]
    return trace_lines(rows)


def trace_lines(rows: Iterable[Sequence[Any]]) -> list[TraceLine]:
    """The lines of rows with the columns that a link covers, in their order."""
    return [
        TraceLine(at, event, transaction, message, box, actor, orjson.loads(detail))
        for at, event, transaction, message, box, actor, detail in rows
    ]
