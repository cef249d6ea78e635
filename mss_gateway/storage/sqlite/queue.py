"""What ops see of the outbox and do to it (QUE-3).

Rows are looked for on the reader, which may take long, and changed on the writer by their ids when they still are as
they were: a change keeps the mail waiting for its `limit` of rows at most, whatever the length of the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import repeat
from typing import Any

import apsw
import orjson

from mss_gateway.ports.queue import DomainQueue, Selection
from mss_gateway.ports.records import Queued, TraceLine
from mss_gateway.rules.ins import mask_text

from .engine import Writer
from .trace import insert_trace

Values = Mapping[str, str | float | int]
"""Values of named parameters."""

SHOWN_DOMAINS = 3
"""Domains that the trace line of one message names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change by hand in SQL: the rows that it concerns, and what it sets."""

    concerns: str
    sets: str


RETRY = Change(
    # A row behind one that is under way would only be put behind it again.
    "state <> 'held' AND lease = '' AND next_attempt > :now AND NOT EXISTS"
    " (SELECT 1 FROM outbox AS first WHERE first.id = outbox.behind AND first.lease <> '')",
    "next_attempt = :now, behind = NULL",
)
"""Due now."""

HOLD = Change("held = 0", "held = 1, hold_reason = :reason, state = iif(lease = '', 'held', state)")
"""Kept back, from the end of its attempt on when it is under way."""

RELEASE = Change(
    "held = 1",
    "held = 0, hold_reason = '', next_attempt = iif(lease = '' AND behind IS NULL, :now, next_attempt),"
    " state = CASE WHEN lease <> '' THEN 'leased' WHEN uncertain THEN 'uncertain' ELSE 'waiting' END",
)
"""Due now; a row behind an earlier one when that one has ended, or after its hour (CHN-9)."""


def _where(selection: Selection) -> tuple[str, dict[str, str | float | int]]:
    """The selection in SQL."""
    clauses, values = ["1"], dict[str, str | float | int]()
    if selection.ids:
        clauses.append("id IN (SELECT value FROM json_each(:ids))")
        values["ids"] = orjson.dumps(selection.ids).decode()
    if selection.message_id is not None:
        clauses.append("message_id IN (:message_id, :masked)")
        values |= {"message_id": selection.message_id, "masked": mask_text(selection.message_id)}
    for column in ("sender", "recipient"):
        address = getattr(selection, column)
        if address is not None:
            clauses.append(f"{column} = :{column} COLLATE NOCASE")
            values[column] = address
    if selection.domain is not None:
        clauses.append("domain = :domain")
        values["domain"] = selection.domain.lower()
    if selection.state is not None:
        clauses.append("state = :state")
        values["state"] = selection.state
    return " AND ".join(clauses), values


def queued(db: apsw.Connection, selection: Selection, limit: int, after: int) -> list[Queued]:
    """Rows with an id above `after`, by id."""
    where, values = _where(selection)
    rows = db.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM outbox WHERE id > :after AND {where} ORDER BY id LIMIT :limit",
        {**values, "after": after, "limit": limit},
    )
    return _records(rows)


_COLUMNS = tuple(one.name for one in fields(Queued))  # the columns are called as the fields are
_SETTERS = tuple(getattr(Queued, name).__set__ for name in _COLUMNS)


def _records(rows: Iterable[tuple[Any, ...]]) -> list[Queued]:
    """Each row as a record, filled column by column.

    `__init__` of a frozen record takes three times the time of the query, and with it the interpreter from the mail.
    """
    found = list(rows)
    records: list[Queued] = list(map(Queued.__new__, repeat(Queued, len(found))))
    for fill, column in zip(_SETTERS, zip(*found, strict=True), strict=bool(found)):
        deque(map(fill, records, column), maxlen=0)
    return records


def find(db: apsw.Connection, selection: Selection, concerns: str, more: Values, limit: int) -> list[int]:
    """Ids of selected rows that a change concerns, the oldest first."""
    where, values = _where(selection)
    rows = db.execute(
        f"SELECT id FROM outbox WHERE {where} AND {concerns} ORDER BY id LIMIT :limit",
        {**values, **more, "limit": limit},
    )
    return [row[0] for row in rows]


def change(writer: Writer, ids: Sequence[int], change: Change, values: Values, trace: TraceLine) -> int:
    """Change those of these rows that it still concerns, traced; return how many."""
    rows = list(
        writer.db.execute(
            f"UPDATE outbox SET {change.sets} WHERE id IN (SELECT value FROM json_each(:rows)) AND {change.concerns}"
            " RETURNING message_id, body_id, domain",
            {**values, "rows": orjson.dumps(list(ids)).decode()},
        )
    )
    messages: dict[str | int, list[str]] = {}
    for message_id, body_id, domain in rows:
        messages.setdefault(body_id if message_id is None else message_id, []).append(domain)
    insert_trace(writer.db, [_line(trace, key, domains) for key, domains in messages.items()])
    if rows:
        writer.queued = True
    return len(rows)


def _line(trace: TraceLine, key: str | int, domains: list[str]) -> TraceLine:
    names = sorted(set(domains))
    shown = ", ".join(names[:SHOWN_DOMAINS])
    if len(names) > SHOWN_DOMAINS:
        shown += f" +{len(names) - SHOWN_DOMAINS}"
    detail = {**trace.detail, "domain": shown, "recipients": len(domains)}
    return replace(trace, message_id=key if isinstance(key, str) else None, detail=detail)


_FIGURES = """
SELECT domain, sum(waiting), sum(leased), sum(uncertain), sum(held), sum(octets), min(oldest), min(due), max(tried)
FROM (
    SELECT domain, sum(state = 'waiting') AS waiting, sum(state = 'leased') AS leased,
        sum(state = 'uncertain') AS uncertain, 0 AS held, sum(size) AS octets, min(queued_at) AS oldest,
        min(next_attempt) AS due, max(attempts) AS tried
    FROM outbox INDEXED BY outbox_due WHERE state <> 'held' GROUP BY domain
    UNION ALL
    SELECT domain, 0, 0, 0, count(*), sum(size), min(queued_at), NULL, max(attempts)
    FROM outbox INDEXED BY outbox_held WHERE state = 'held' GROUP BY domain
) GROUP BY domain ORDER BY domain
"""

_ERRORS = """
SELECT domain, last_error FROM outbox WHERE id IN (
    SELECT id FROM (
        SELECT domain, id, max(tried) FROM (
            SELECT domain, id, max(last_attempt) AS tried
            FROM outbox INDEXED BY outbox_due WHERE state <> 'held' GROUP BY domain
            UNION ALL
            SELECT domain, id, max(last_attempt) FROM outbox INDEXED BY outbox_held WHERE state = 'held' GROUP BY domain
        ) WHERE tried IS NOT NULL GROUP BY domain
    )
)
"""  # SQLite takes the id from the row that has the maximum

_TWICE = """
SELECT domain, sum((rows - 1) * size)
FROM (SELECT domain, size, count(*) AS rows FROM outbox WHERE shared = 1 GROUP BY body_id, domain HAVING rows > 1)
GROUP BY domain
"""


def queue_by_domain(db: apsw.Connection) -> list[DomainQueue]:
    """What waits for each domain, by domain: a message counts once in `octets`; `attempts` are the most of one row."""
    twice = dict(db.execute(_TWICE))
    errors = dict(db.execute(_ERRORS))
    return [
        DomainQueue(
            domain,
            waiting,
            leased,
            uncertain,
            held,
            octets - twice.get(domain, 0),
            oldest,
            due,
            attempts,
            errors.get(domain, ""),
        )
        for domain, waiting, leased, uncertain, held, octets, oldest, due, attempts in db.execute(_FIGURES)
    ]
