"""Old expunges are forgotten, that the messages are gone is not: clients, SELECT and the index never miss one."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.storage.sqlite import SqliteStore, expunges
from mss_gateway.storage.sqlite.engine import connect
from mss_gateway.storage.sqlite.index_file import Known
from mss_gateway.storage.sqlite.index_reading import FolderHead, is_of_another_past, step
from mss_gateway.storage.sqlite.migrate import migrate
from mss_gateway.storage.sqlite.opening import snapshot
from mss_gateway.storage.sqlite.store_resync import touched
from tests.support.store import ANYONE, add_box, fill, inbox, sqlite_options, uids

pytestmark = pytest.mark.req("IMP-1", "OPS-5")
DELETED = frozenset({"\\Deleted"})
DAY = 86400.0
NOW = 2_000_000_000.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open, empty store."""
    made = SqliteStore(sqlite_options(tmp_path / "store"))
    await made.open()
    yield made
    await made.close()


async def take_away(store: SqliteStore, folder_id: int, *gone: int) -> None:
    """Each by a change of its own."""
    for uid in gone:
        await store.store_flags(folder_id, ANYONE, [uid], FlagChange.ADD, DELETED)
        assert await store.expunge(folder_id, ANYONE, [uid]) == [uid]


async def forgotten(store: SqliteStore, now: float, keep: float = 90 * DAY, least: int = 0) -> int:
    """One round; how many expunges it forgot."""
    return sum([tidied.rows async for tidied in store.forget_expunges(now, keep, least)])


async def test_what_is_old_enough_is_forgotten_and_still_told(store: SqliteStore) -> None:
    """By the marks of earlier rounds: nothing before its time, nothing of the latest ones."""
    folder_id = await inbox(store, (await add_box(store)).id)
    await fill(store, folder_id, 12)
    await take_away(store, folder_id, 2, 3, 4, 9)
    at = (await store.snapshot(folder_id, ANYONE)).highest_modseq
    assert await forgotten(store, NOW) == 0
    await take_away(store, folder_id, 6)
    assert await forgotten(store, NOW + 89 * DAY) == 0
    assert await forgotten(store, NOW + 90 * DAY, least=5) == 0
    assert await forgotten(store, NOW + 90 * DAY, least=3) == 2
    assert await forgotten(store, NOW + 90 * DAY) == 2
    assert list((await store.touched(folder_id, ANYONE, at)).vanished) == [6]
    for since in range(1, at):
        vanished = list((await store.touched(folder_id, ANYONE, since)).vanished)
        assert vanished == list((await store.changes(folder_id, ANYONE, since)).vanished)
        assert vanished == [2, 3, 4, 6, 9]
    assert await uids(store, folder_id) == [1, 5, 7, 8, 10, 11, 12]
    assert await forgotten(store, NOW + 400 * DAY) == 1
    assert await uids(store, folder_id) == [1, 5, 7, 8, 10, 11, 12]


async def test_a_clock_that_was_ahead_keeps_nothing_for_ever(store: SqliteStore) -> None:
    """A mark of the future goes as soon as a round has the right time."""
    folder_id = await inbox(store, (await add_box(store)).id)
    await fill(store, folder_id, 3)
    await take_away(store, folder_id, 1)
    assert await forgotten(store, NOW + 1e9) == 0
    assert await forgotten(store, NOW) == 0
    assert await forgotten(store, NOW + 90 * DAY) == 1


async def test_a_folder_that_goes_takes_its_memory_along(store: SqliteStore, tmp_path: Path) -> None:
    """Marks and runs."""
    box = await add_box(store)
    folder = await store.create_folder(box.id, "Classé")
    await fill(store, folder.id, 3)
    await take_away(store, folder.id, 1, 2)
    await forgotten(store, NOW)
    assert await forgotten(store, NOW + DAY, keep=0) == 2
    await store.delete_folder(folder.id)
    await store.close()
    db = connect(tmp_path / "store" / "store.db", sqlite_options(tmp_path / "store"))
    for table in ("gone", "expunge_marks", "expunged"):
        assert db.execute(f"SELECT count(*) FROM {table}").get == 0
    db.close()
    await store.open()


class Forgetful:
    """A database whose folders forget at will."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path, sqlite_options(path.parent))
        migrate(self.db)
        self.db.execute("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF")
        self.folder = 0

    def fill(self, turns: list[set[int]], count: int) -> set[int]:
        """A folder of so many messages out of which these went, each set by a change of its own; what is left."""
        self.folder += 1
        left = set(range(1, count + 1))
        for modseq, gone in enumerate(turns, 2):
            rows = [(self.folder, modseq, uid) for uid in sorted(gone & left)]
            self.db.executemany("INSERT INTO expunged VALUES (?, ?, ?)", rows)
            left -= gone
        self.db.executemany(
            "INSERT INTO messages VALUES (?, ?, 1, 0, '', 1, 1, 0, 0, NULL)",
            [(self.folder, uid) for uid in left],
        )
        self.db.execute(
            "INSERT INTO folders (id, box_id, name, special_use, uid_validity, uid_next, highest_modseq, messages)"
            " VALUES (?, 1, ?, '', 1, ?, ?, ?)",
            (self.folder, str(self.folder), count + 1, len(turns) + 1, len(left)),
        )
        return left

    def forget(self, keep: int) -> None:
        """All but so many of the latest ones, one commit after the other."""
        self.db.execute(
            "INSERT OR IGNORE INTO expunge_marks SELECT id, 1, highest_modseq FROM folders WHERE id = ?",
            (self.folder,),
        )
        until = expunges.border(self.db, self.folder, 2.0, 0.0, keep)
        writer = type("Writer", (), {"db": self.db})()
        while until is not None and expunges.forget(writer, until):
            continue


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Forgetful:
    """Used by every example, each with a folder of its own."""
    return Forgetful(tmp_path_factory.mktemp("forgetful") / "store.db")


@settings(max_examples=80, deadline=None)
@given(
    turns=st.lists(st.sets(st.integers(1, 40), max_size=15), max_size=7),
    least=st.lists(st.integers(0, 30), min_size=1, max_size=3),
    since=st.integers(0, 9),
    at_once=st.integers(1, 7),
    most=st.sampled_from([0, 4096]),
)
def test_whatever_is_forgotten_nobody_misses_an_expunge(
    database: Forgetful, turns: list[set[int]], least: list[int], since: int, at_once: int, most: int
) -> None:
    """What vanished after a mod-sequence is told; what is told besides is gone; what lies there is never told."""
    left = database.fill(turns, 40)
    gone, after = set(range(1, 41)) - left, set()
    for modseq, group in enumerate(turns, 2):
        earlier = set().union(*turns[: modseq - 2])
        after |= (group - earlier) if modseq > since else set()
    for turn, keep in enumerate(least, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(expunges, "AT_ONCE", at_once)
            patch.setattr(expunges, "MOST", most)
            database.forget(keep)
            told = list(touched(database.db, database.folder, ANYONE, since).vanished)
        assert told == sorted(told)
        assert after <= set(told) <= gone
        assert list(snapshot(database.db, database.folder, ANYONE).uids) == sorted(left)
        found = step(database.db, database.folder, Known(25, since), 100)
        assert found is not None
        assert (
            {uid for uid in after if uid <= 25} <= set(found.vanished) <= {uid for uid in gone if uid <= 25}
        )
        remembered = database.db.execute(
            "SELECT count(*) FROM expunged WHERE folder_id = ?", (database.folder,)
        ).get
        assert remembered == min(len(gone), min(least[:turn]))
    runs = database.db.execute("SELECT count(*) FROM gone WHERE folder_id = ?", (database.folder,)).get
    assert runs <= len(left) + remembered + 1


def test_twenty_thousand_in_a_row_become_one_run(database: Forgetful) -> None:
    """In whatever order they went: what is kept does not grow with what is gone."""
    order = list(range(2, 20_001))
    random.Random(4).shuffle(order)
    database.fill([set(order[at : at + 50]) for at in range(0, len(order), 50)], 20_001)
    database.forget(0)
    rows = list(database.db.execute("SELECT first, last FROM gone WHERE folder_id = ?", (database.folder,)))
    assert rows == [(2, 20_000)]
    assert isinstance(touched(database.db, database.folder, ANYONE, 1).vanished, range)


def test_an_index_from_before_begins_anew() -> None:
    """It cannot learn what it has to take out; one that is up to date goes on."""
    assert is_of_another_past(FolderHead(1, 9, 50, 20), Known(8, 19))
    assert not is_of_another_past(FolderHead(1, 9, 50, 20), Known(8, 20))
    assert not is_of_another_past(FolderHead(1, 9, 50, 20), None)
