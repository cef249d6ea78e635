"""The manual's list of what grows is complete: every table, every file; and a purged mailbox leaves no row behind."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from mss_gateway.ports.records import NewBox
from mss_gateway.rules.facts import BoxType
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup import HOLD
from mss_gateway.storage.sqlite.migrate import migrate
from tests.support.store import body, delivery, sqlite_options, trace_line

pytestmark = pytest.mark.req("OPS-5")
DOCS = Path(__file__).parents[2] / "docs"
OUTLIVE = {"boxes", "trace", "trace_boxes", "receipts", "logins"}
"""Tables in which a purged box may still be named: the manual says what ends their rows."""


def listed(page: str, heading: str) -> list[set[str]]:
    """What the first columns of the tables of a section name, table by table."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"{heading}\n", 1)[1].partition("\n#")[0]
    tables = re.findall(r"(?m)^\|.*\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", section)
    return [
        set(re.findall(r"`([^`]+)`", "\n".join(row.split("|")[1] for row in one.splitlines())))
        for one in tables
    ]


def tables() -> dict[str, set[str]]:
    """Every table of the store with its columns."""
    db = apsw.Connection(":memory:")
    migrate(db)
    names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name: {row[1] for row in db.execute(f"PRAGMA table_info('{name}')")} for (name,) in list(names)}


def test_every_table_is_in_the_list_of_what_grows() -> None:
    """Who makes a table says what ends its rows."""
    assert listed("keeping.md", "## What grows, and what ends it")[0] == set(tables())


def test_every_file_is_in_the_list_of_what_grows() -> None:
    """All that lies below the state folder, and what a backup makes there."""
    (known,) = listed("operating.md", "### What lies where")
    assert listed("keeping.md", "## What grows, and what ends it")[1] == known | {f"store/{HOLD}/"}


async def test_a_purged_box_leaves_no_row_but_those_that_are_to_stay(tmp_path: Path) -> None:
    """Whatever table names a box."""
    store = SqliteStore(sqlite_options(tmp_path / "store"))
    await store.open()
    box = await store.add_box(NewBox("ferme@exemple.fr", BoxType.ORG), trace_line())
    await store.accept(delivery(body(), box.id))
    named = [name for name, columns in tables().items() if "box_id" in columns and name not in OUTLIVE]
    columns = {name: sorted(tables()[name]) for name in named}

    def fill(db: apsw.Connection) -> None:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for name, parts in columns.items():
            values = [str(box.id) if part == "box_id" else "987654" for part in parts]
            if name not in ("folders", "members", "activity", "delegations"):
                db.execute(f"INSERT OR IGNORE INTO {name} ({', '.join(parts)}) VALUES ({', '.join(values)})")

    assert {"threads", "subscriptions", "alerts", "takeovers", "removed", "quota_warnings"} <= set(named)
    await store._engine.write(lambda writer: fill(writer.db))
    await store.purge_box(box.id, "retention", trace_line())

    def left(db: apsw.Connection) -> list[str]:
        return [
            name
            for name in named
            if db.execute(f"SELECT 1 FROM {name} WHERE box_id = ?", (box.id,)).fetchone()
        ]

    assert await store._engine.read(left) == []
    await store.close()
