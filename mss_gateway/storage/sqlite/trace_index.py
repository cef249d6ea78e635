"""What finds the lines of a message, a transaction or a box: entries that follow the lines in batches (AUD-2).

An index on the table would make every commit write three more pages. So lines are appended without one; when a
thousand wait, the writer makes their entries, sorted, in a commit of their own, together with the mark up to which
lines have them. Readers ask the entries for what lies up to the mark, and look at each line behind it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import apsw

WAITING = 1024
"""Lines without entries after which a batch is made: readers look at so many, mail waits for so many."""

BLOCK = 14
"""Bits of an id within one block: entries of a block lie together, so that few pages change with a batch."""

INDEXED = "coalesce((SELECT line_id FROM trace_indexed), 0)"
"""SQL of the mark: the id of the last line that has its entries."""

_LISTS = (("trace_messages", "message_id"), ("trace_boxes", "box_id"))
_MAKE = (
    *(
        f"INSERT OR IGNORE INTO {table} SELECT id >> {BLOCK}, {column}, id FROM trace"
        f" WHERE id > ?1 AND id <= ?2 AND {column} IS NOT NULL ORDER BY 1, 2, 3"
        for table, column in _LISTS
    ),
    "INSERT OR IGNORE INTO trace_transactions SELECT transaction_id, id FROM trace"
    " WHERE id > ?1 AND id <= ?2 AND transaction_id <> '' ORDER BY 1, 2",
)

_CHECKED = (
    *((*one, "IS NOT NULL", f"x.block = t.id >> {BLOCK} AND ") for one in _LISTS),
    ("trace_transactions", "transaction_id", "<> ''", ""),
)

MISSED_LINES = f"SELECT 'line ' || t.id FROM trace AS t WHERE t.id <= {INDEXED} AND (%s)" % " OR ".join(
    f"t.{column} {there} AND NOT EXISTS (SELECT 1 FROM {table} AS x"
    f" WHERE {place}x.{column} = t.{column} AND x.line_id = t.id)"
    for table, column, there, place in _CHECKED
)
"""SQL of the lines up to the mark that miss an entry."""

WRONG_ENTRIES = " UNION ALL ".join(
    f"SELECT 'line ' || x.line_id FROM {table} AS x WHERE (SELECT count(*) FROM {table})"
    f" <> (SELECT count(*) FROM trace WHERE id <= {INDEXED} AND {column} {there})"
    f" AND (x.line_id > {INDEXED} OR NOT EXISTS"
    f" (SELECT 1 FROM trace AS t WHERE {place}t.id = x.line_id AND t.{column} = x.{column}))"
    for table, column, there, place in _CHECKED
)
"""SQL of the entries that lead to no line, to another one, or behind the mark: looked for when there are too many."""


class TraceIndex:
    """The entries as the writer makes them; used in the writer thread alone."""

    __slots__ = ("_db", "_due", "_waiting")

    def __init__(self, db: apsw.Connection, waiting: int = WAITING) -> None:
        self._db = db
        self._waiting = waiting
        # Ids that were given back can be given again only when somebody has changed the database by hand.
        db.execute(
            "UPDATE trace_indexed SET line_id = s.seq FROM sqlite_sequence AS s"
            " WHERE s.name = 'trace' AND line_id > s.seq"
        )
        self._due = self._mark() + waiting

    def is_due(self, newest: int) -> bool:
        """Are there enough lines, up to this one, for a batch of entries?"""
        return newest >= self._due

    def step(self, newest: int) -> None:
        """Make the entries of the next lines and move the mark, in a commit of its own; raises apsw.Error.

        After a failure the lines wait until as many more have come: readers look at them meanwhile.
        """
        self._due = newest + self._waiting
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            mark = self._mark()
            lines, last = db.execute(
                "SELECT count(*), max(id) FROM (SELECT id FROM trace WHERE id > ? ORDER BY id LIMIT ?)",
                (mark, self._waiting),
            ).get
            if lines:
                for sql in _MAKE:
                    db.execute(sql, (mark, last))
                db.execute(
                    "INSERT INTO trace_indexed VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET line_id = ?1",
                    (last,),
                )
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                with contextlib.suppress(apsw.Error):  # the next batch finds it open and ends it
                    db.execute("ROLLBACK")
            raise
        if lines == self._waiting:
            self._due = last + self._waiting

    def _mark(self) -> int:
        return int(self._db.execute(f"SELECT {INDEXED}").get)


def drop_entries(db: apsw.Connection, lines: Sequence[Sequence[Any]]) -> None:
    """Take away the entries of lines (id, Message-ID, box, transaction), in the commit that removes these."""
    for place, (table, column) in enumerate(_LISTS, 1):
        db.executemany(
            f"DELETE FROM {table} WHERE block = ?1 >> {BLOCK} AND {column} = ?2 AND line_id = ?1",
            [(line[0], line[place]) for line in lines if line[place] is not None],
        )
    db.executemany(
        "DELETE FROM trace_transactions WHERE line_id = ? AND transaction_id = ?",
        [(line[0], line[3]) for line in lines if line[3]],
    )


def _blocks(table: str) -> str:
    """SQL of the blocks of a list, each found with one look."""
    return (
        f"WITH RECURSIVE blocks(n) AS (SELECT min(block) FROM {table} UNION ALL SELECT"
        f" (SELECT min(block) FROM {table} WHERE block > n) FROM blocks WHERE n IS NOT NULL)"
    )


OF_MESSAGE = (
    f"{_blocks('trace_messages')}, named(id) AS MATERIALIZED (SELECT x.line_id FROM blocks CROSS JOIN"
    " trace_messages AS x ON x.block = blocks.n AND x.message_id = ?1"
    f" UNION SELECT id FROM trace WHERE id > {INDEXED} AND message_id = ?1)"
)
"""SQL that a query begins with which needs `named`: the ids of the lines of the Message-ID ?1."""

OF_TRANSACTION = (
    "(SELECT line_id FROM trace_transactions WHERE transaction_id = ?1"
    f" UNION SELECT id FROM trace WHERE id > {INDEXED} AND transaction_id = ?1)"
)
"""SQL of the ids of the lines of the transaction ?1."""

WITH_TRANSACTIONS = (
    f"{OF_MESSAGE}, shared(t) AS MATERIALIZED (SELECT DISTINCT transaction_id FROM trace"
    " WHERE id IN named AND message_id = ?1 AND transaction_id <> ''),"
    " together(id) AS MATERIALIZED (SELECT id FROM named UNION SELECT x.line_id FROM shared CROSS JOIN"
    " trace_transactions AS x ON x.transaction_id = shared.t"
    f" UNION SELECT id FROM trace WHERE id > {INDEXED} AND transaction_id IN shared)"
)
"""The same with `shared`, its transactions, and `together`: the ids of its lines and of the lines of these."""


def of_box(
    db: apsw.Connection, box_id: int, columns: str, limit: int, where: str = "1", *values: str | int | float
) -> list[tuple[Any, ...]]:
    """The newest lines of a box, the newest first; `where` may ask for more, with `values` from ?4 on."""
    wanted = f"t.box_id = ?1 AND {where}"
    found = db.execute(
        f"SELECT {columns} FROM trace AS t WHERE t.id > ?3 AND {wanted} ORDER BY t.id DESC LIMIT ?2",
        (box_id, limit, db.execute(f"SELECT {INDEXED}").get, *values),
    ).fetchall()
    blocks = db.execute(f"{_blocks('trace_boxes')} SELECT n FROM blocks WHERE n IS NOT NULL ORDER BY n DESC")
    for (block,) in blocks.fetchall() if len(found) < limit else ():
        found += db.execute(
            f"SELECT {columns} FROM (SELECT line_id FROM trace_boxes WHERE block = ?3 AND box_id = ?1) AS x"
            f" CROSS JOIN trace AS t ON t.id = x.line_id WHERE {wanted} ORDER BY x.line_id DESC LIMIT ?2",
            (box_id, limit - len(found), block, *values),
        )
        if len(found) >= limit:
            break
    return found
