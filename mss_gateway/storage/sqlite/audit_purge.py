"""Takes old lines out of the trace and leaves the chain verifiable: what is gone is a run with a proof (AUD-1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import apsw

from mss_gateway.ports.audit import PurgePlan
from mss_gateway.ports.records import TraceLine

from .audit_chain import START, write_gaps
from .engine import Engine, Writer
from .trace import insert_trace
from .trace_index import drop_entries

SLICE = 1000
"""Ids that one commit goes through: others wait that long at most."""

_OPEN = (
    "SELECT DISTINCT b.message_id FROM outbox AS o JOIN bodies AS b ON b.id = o.body_id"
    " WHERE o.state IN ('waiting', 'leased', 'held') AND b.message_id IS NOT NULL"
)
_KEPT = f"message_id IS NOT NULL AND message_id IN ({_OPEN})"


def plan(db: apsw.Connection, before: float) -> PurgePlan:
    """Lines that are older, up to the first one that is not; those of messages that still wait stay."""
    oldest = db.execute("SELECT min(id), max(id) FROM trace").fetchone()
    if oldest is None or oldest[0] is None:
        return PurgePlan(0, 0, 0, 0)
    first, newest = int(oldest[0]), int(oldest[1])
    young = db.execute("SELECT id FROM trace WHERE at >= ? ORDER BY id LIMIT 1", (before,)).fetchone()
    boundary = int(young[0]) - 1 if young is not None else newest
    (count,) = db.execute("SELECT count(*) FROM trace WHERE id <= ?", (boundary,)).fetchone() or (0,)
    (kept,) = db.execute(f"SELECT count(*) FROM trace WHERE id <= ? AND {_KEPT}", (boundary,)).fetchone() or (
        0,
    )
    return PurgePlan(boundary, first, int(count) - int(kept), int(kept))


async def purge(engine: Engine, planned: PurgePlan, line: TraceLine) -> int:
    """Write the line, then remove slice by slice; each commit leaves the chain whole."""
    removed = 0
    after, told = 0, False
    while after < planned.boundary:
        until = min(max(after, planned.first - 1) + SLICE, planned.boundary)
        removed += await engine.write(partial(_slice, after=after, until=until, line=None if told else line))
        after, told = until, True
    return removed


def _slice(writer: Writer, after: int, until: int, line: TraceLine | None) -> int:
    db = writer.db
    if line is not None:
        insert_trace(db, [line])
    doomed = db.execute(
        "SELECT id, message_id, box_id, transaction_id, link FROM trace"
        f" WHERE id > ? AND id <= ? AND NOT ({_KEPT}) ORDER BY id",
        (after, until),
    ).fetchall()
    drop_entries(db, doomed)
    db.execute(f"DELETE FROM trace WHERE id > ? AND id <= ? AND NOT ({_KEPT})", (after, until))
    gaps = list(db.execute("SELECT first_id, last_id, link FROM audit_gaps ORDER BY first_id"))
    runs = sorted([*gaps, *((line[0], line[0], _link(line[4])) for line in doomed)])
    write_gaps(db, writer.chain, list(_merged(runs)))
    return len(doomed)


def _link(stored: object) -> bytes:
    return stored if isinstance(stored, bytes) else START


def _merged(runs: list[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    """Runs that follow on each other become one, with the link of its last line."""
    current: tuple[int, int, bytes] | None = None
    for first, last, link in runs:
        if current is not None and first == current[1] + 1:
            current = (current[0], last, link)
            continue
        if current is not None:
            yield current
        current = (first, last, link)
    if current is not None:
        yield current
