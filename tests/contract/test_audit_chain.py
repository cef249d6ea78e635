"""Whatever one does to the lines of the trace, `verify` finds it and says where (AUD-1)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.audit import Damage, Verdict
from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.audit_chain import read_keys
from mss_gateway.storage.sqlite.audit_verify import verify
from tests.support.store import NOW

LINES = 12


async def _written(folder: Path, lines: int = LINES) -> None:
    store = SqliteStore(SqliteOptions(folder, index=False))
    await store.open()
    for number in range(lines):
        await store.write_trace([_line(number)])
    await store.close()


def _line(number: int) -> TraceLine:
    return TraceLine(NOW + number, "login", "", f"<{number}@x.example>", None, "somebody", {"n": number})


def judged(folder: Path) -> Verdict:
    """What `verify` says of the store in that folder."""
    keys = read_keys(folder / "audit.key")
    return verify(folder / "store.db", keys, folder / "audit.seals", rest=0)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with some lines, closed."""
    folder = tmp_path_factory.mktemp("chain") / "store"
    asyncio.run(_written(folder))
    return folder


def tampered(folder: Path, act: Callable[[sqlite3.Connection], None]) -> Verdict:
    """Change the closed store, judge, and put it back as it was."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as db:
        tables = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in ("trace", "audit_head")}
        try:
            act(db)
            return judged(folder)
        finally:
            for name, rows in tables.items():
                db.execute(f"DELETE FROM {name}")
                marks = ",".join("?" * len(rows[0]))
                db.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)


def only(verdict: Verdict) -> Damage:
    """The one finding that there must be."""
    (damage,) = verdict.damage
    return damage


@pytest.mark.req("AUD-1")
def test_an_untouched_chain_is_good(template: Path) -> None:
    """No finding, every line seen."""
    verdict = judged(template)
    assert (verdict.damage, verdict.lines, verdict.last_id) == ((), LINES, LINES)


@pytest.mark.req("AUD-1")
@settings(max_examples=60, deadline=None)
@given(
    line=st.integers(1, LINES),
    change=st.sampled_from(
        [
            ("at", 1.5),
            ("event", "logout"),
            ("transaction_id", "x"),
            ("message_id", None),
            ("message_id", "<other@x.example>"),
            ("box_id", 7),
            ("actor", "nobody"),
            ("actor", b"somebody"),
            ("detail", '{"n": 3}'),
        ]
    ),
)
def test_any_change_of_any_line_is_found_there(
    template: Path, line: int, change: tuple[str, str | float | bytes | None]
) -> None:
    """Each column counts, and types as well as values."""
    column, value = change
    damage = only(
        tampered(
            template, lambda db: db.execute(f"UPDATE trace SET {column} = ? WHERE id = ?", (value, line))
        )
    )
    assert (damage.kind, damage.first, damage.last) == ("edited", line, line)
    assert damage.following == (line + 1 if line < LINES else None)


@pytest.mark.req("AUD-1")
@settings(max_examples=30, deadline=None)
@given(first=st.integers(1, LINES), count=st.integers(1, LINES))
def test_any_lines_taken_away_are_missed(template: Path, first: int, count: int) -> None:
    """At the head, in the middle, at the tail, and all of them."""
    last = min(first + count - 1, LINES)
    damage = only(
        tampered(template, lambda db: db.execute("DELETE FROM trace WHERE id BETWEEN ? AND ?", (first, last)))
    )
    assert (damage.kind, damage.first, damage.last) == ("deleted", first, last)


@pytest.mark.req("AUD-1")
@settings(max_examples=40, deadline=None)
@given(pair=st.lists(st.integers(1, LINES), min_size=2, max_size=2, unique=True))
def test_two_lines_that_change_places_are_both_found(template: Path, pair: list[int]) -> None:
    """With their links, as somebody would who renumbers lines."""

    def swap(db: sqlite3.Connection) -> None:
        one, other = pair
        for old, new in ((one, -1), (other, one), (-1, other)):
            db.execute("UPDATE trace SET id = ? WHERE id = ?", (new, old))

    named: set[int] = set()
    for damage in tampered(template, swap).damage:
        assert damage.kind in ("edited", "reordered", "inserted")
        named |= set(range(damage.first, damage.last + 1))
    assert set(pair) <= named
    assert named <= {number for one in pair for number in (one, one + 1)} | set(
        range(min(pair), max(pair) + 1)
    )


@pytest.mark.req("AUD-1")
@settings(max_examples=30, deadline=None)
@given(place=st.integers(1, LINES + 1), copied=st.integers(1, LINES), link=st.booleans())
def test_a_line_put_in_between_is_found(template: Path, place: int, copied: int, link: bool) -> None:
    """The lines behind it are moved by one, as an insertion without a hole needs."""

    def insert(db: sqlite3.Connection) -> None:
        db.execute("UPDATE trace SET id = -id - 1 WHERE id >= ?", (place,))
        db.execute("UPDATE trace SET id = -id WHERE id < 0")
        source = copied if copied < place else copied + 1
        found = "link" if link else "randomblob(32)"
        db.execute(
            "INSERT INTO trace SELECT ?1, at + 1, event, transaction_id, message_id, box_id, actor, detail,"
            f" {found} FROM trace WHERE id = ?2",
            (place, source),
        )

    verdict = tampered(template, insert)
    assert any(damage.first <= place <= damage.last for damage in verdict.damage)
    assert {damage.kind for damage in verdict.damage} <= {"inserted", "edited"}


@pytest.mark.req("AUD-1")
@pytest.mark.parametrize("line", [1, 5, LINES])
@pytest.mark.parametrize("link", [b"", b"x" * 32, None])
def test_an_overwritten_link_is_found(template: Path, line: int, link: bytes | None) -> None:
    """The line itself is told to be right, where the one behind it shows so."""
    damage = only(
        tampered(template, lambda db: db.execute("UPDATE trace SET link = ? WHERE id = ?", (link, line)))
    )
    assert damage.kind == ("link-replaced" if line < LINES else "edited")
    assert (damage.first, damage.last) == (line, line)
