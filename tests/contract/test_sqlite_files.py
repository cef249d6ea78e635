"""What belongs to the embedded store alone: migrations, the lock, segment files and their recovery."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import pytest

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.records import SpoolFile
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.migrate import migrate, migrations
from tests.support.store import ANYONE, add_box, body, delivery, inbox, is_whole, sqlite_options, uids


async def _opened(folder: Path) -> SqliteStore:
    store = SqliteStore(sqlite_options(folder))
    await store.open()
    return store


def _segments(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in (folder / "segments").iterdir()}


@pytest.mark.req("RTE-4")
async def test_every_commit_is_synced(tmp_path: Path) -> None:
    """The writer works with synchronous=FULL in WAL mode: a commit is on the disk before its answer."""
    store = await _opened(tmp_path)
    settings = await store._engine.write(
        lambda writer: [
            writer.db.execute(f"PRAGMA {name}").fetchone()[0]  # type: ignore[index]
            for name in ("journal_mode", "synchronous")
        ]
    )
    assert settings == ["wal", 2]
    await store.close()


async def test_migrations_are_numbered_without_gaps_and_idempotent() -> None:
    """An empty database reaches the newest version, and a second run changes nothing."""
    numbers = [number for number, _, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    db = apsw.Connection(":memory:")
    assert migrate(db) == numbers[-1]
    schema = db.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    assert migrate(db) == numbers[-1]
    assert db.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == schema


async def test_a_database_of_the_first_version_is_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages stored under version 1 are there after the upgrade."""
    first = migrations()[:1]
    db = apsw.Connection(str(tmp_path / "store.db"))
    with monkeypatch.context() as patch:
        patch.setattr("mss_gateway.storage.sqlite.migrate.migrations", lambda: first)
        assert migrate(db) == 1
    new = body(b"avant")
    db.execute(
        "INSERT INTO boxes VALUES (7, 'a@hopital.example', 'a@hopital.example', 'ORG', 'active', '', '', '', 0,"
        " 'fin', 0, 1, 1, '');"
        "INSERT INTO folders (id, box_id, name, special_use, uid_validity, uid_next, messages)"
        " VALUES (3, 7, 'INBOX', '', 1, 2, 1);"
        "INSERT INTO messages VALUES (3, 1, 5, 0, '', 1, 1, 1)"
    )
    db.execute(
        "INSERT INTO bodies VALUES (5, 1, ?, ?, ?, x'', x'', x'', NULL, '', NULL, NULL, NULL)",
        (new.size, len(new.header), new.digest),
    )
    db.execute("INSERT INTO body_bytes VALUES (5, ?, ?)", (new.header, new.text))
    db.close()
    store = await _opened(tmp_path)
    assert await is_whole(store, await inbox(store, 7), 1, new.digest)
    await store.close()


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("INSERT INTO migrations VALUES (9000, 'later', '')", "install the newer gateway"),
        ("UPDATE migrations SET digest = 'x' WHERE number = 1", "was changed after it was applied"),
    ],
)
@pytest.mark.req("OPS-6")
async def test_a_database_of_another_program_is_refused(tmp_path: Path, sql: str, sentence: str) -> None:
    """A newer version and an edited migration are named, the lock is given back, and nothing is touched."""
    store = await _opened(tmp_path)
    await store.close()
    db = apsw.Connection(str(tmp_path / "store.db"))
    db.execute(sql)
    db.close()
    for _ in range(2):
        with pytest.raises(StoreError, match=sentence):
            await _opened(tmp_path)


@pytest.mark.req("OPS-6")
async def test_two_gateways_never_open_one_store(tmp_path: Path) -> None:
    """The second one is told that a gateway is running; after the first has closed it may open."""
    store = await _opened(tmp_path)
    with pytest.raises(StoreError, match="control socket"):
        await _opened(tmp_path)
    await store.close()
    await (await _opened(tmp_path)).close()


@pytest.mark.req("OPS-6")
async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be gives a `StoreError` with the path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be opened"):
        await _opened(tmp_path / "file")


@pytest.mark.req("RTE-4")
async def test_what_a_crash_left_in_the_segments_is_removed(tmp_path: Path) -> None:
    """Files that no row names go, a tail beyond the last committed octet is cut, the rest stays whole."""
    store = await _opened(tmp_path)
    box = await add_box(store)
    new = body(b"s" * 5000)
    await store.accept(delivery(new, box.id))
    await store.close()
    ((name, size),) = _segments(tmp_path).items()
    with (tmp_path / "segments" / name).open("ab") as file:
        file.write(b"torn")
    (tmp_path / "segments" / "00000777.seg").write_bytes(b"orphan")
    store = await _opened(tmp_path)
    assert _segments(tmp_path) == {name: size}
    assert await is_whole(store, await inbox(store, box.id), 1, new.digest)
    await store.close()


@pytest.mark.req("RTE-4")
async def test_refused_jobs_leave_no_files_behind(tmp_path: Path) -> None:
    """Texts appended or taken over by a job that fails do not stay, and the segment under way goes on."""
    folder = tmp_path / "store"
    store = await _opened(folder)
    box = await add_box(store)
    await store.accept(delivery(body(b"a" * 5000), box.id))
    before = _segments(folder)
    spool = tmp_path / "spool"
    spool.write_bytes(b"b" * 20_000)
    for text in (b"b" * 5000, SpoolFile(spool, 0, 20_000), b"b" * 50_000):
        failing = delivery(body(text), box.id)
        twice = failing.parts[0]
        with pytest.raises(StoreError):
            await store.accept(type(failing)((twice, delivery(body(text), 9999).parts[0])))
    assert set(_segments(folder)) == set(before)
    assert spool.stat().st_size == 20_000
    new = body(b"c" * 5000)
    await store.accept(delivery(new, box.id))
    assert _segments(folder) == {name: size + 5000 for name, size in before.items()}
    assert await is_whole(store, await inbox(store, box.id), 2, new.digest)
    await store.close()


async def test_an_adopted_spool_file_is_not_copied(tmp_path: Path) -> None:
    """A large spool file becomes the segment itself, and its spool name is gone after the commit."""
    folder = tmp_path / "store"
    store = await _opened(folder)
    box = await add_box(store)
    spool = tmp_path / "spool"
    spool.write_bytes(b"b" * 20_000)
    inode = spool.stat().st_ino
    await store.accept(delivery(body(SpoolFile(spool, 0, 20_000)), box.id))
    assert not spool.exists()
    assert [file.stat().st_ino for file in (folder / "segments").iterdir()] == [inode]
    await store.close()


async def test_a_segment_without_messages_is_deleted(tmp_path: Path) -> None:
    """After the last message of a segment is expunged its file goes, at once or at the next start."""
    store = await _opened(tmp_path)
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    for _ in range(30):
        await store.accept(delivery(body(b"a" * 5000), box.id))
    assert len(_segments(tmp_path)) > 2
    known = await uids(store, folder_id)
    (row,) = await store.rows(folder_id, ANYONE, known[:1], frozenset())
    await store.read_text(row.body_id, 0, 10)
    await store.store_flags(folder_id, ANYONE, known, FlagChange.ADD, frozenset({"\\Deleted"}))
    await store.expunge(folder_id, ANYONE, None)
    assert await store.read_text(row.body_id, 0, 10) == b""
    assert len(_segments(tmp_path)) == 1
    new = body(b"z" * 5000)
    await store.accept(delivery(new, box.id))
    assert await is_whole(store, folder_id, known[-1] + 1, new.digest)
    await store.delete_folder(folder_id)
    await store.close()
    store = await _opened(tmp_path)
    assert _segments(tmp_path) == {}
    await store.close()


async def test_the_folder_of_the_store_is_private(tmp_path: Path) -> None:
    """Neither group nor others may look into it."""
    store = SqliteStore(SqliteOptions(tmp_path / "deep" / "store"))
    await store.open()
    await store.close()
    assert (tmp_path / "deep" / "store").stat().st_mode & 0o077 == 0
    shutil.rmtree(tmp_path / "deep")


@pytest.mark.req("RCP-2", "CHN-10")
async def test_a_database_of_the_third_version_keeps_channels_and_receipts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was owed before the receipts had a table of their own is owed after, and channels keep their traffic."""
    before = migrations()[:3]
    db = apsw.Connection(str(tmp_path / "store.db"))
    with monkeypatch.context() as patch:
        patch.setattr("mss_gateway.storage.sqlite.migrate.migrations", lambda: before)
        assert migrate(db) == 3
    db.execute(
        "INSERT INTO boxes VALUES (7, 'un@hopital.example', 'un@hopital.example', 'PAT', 'active', '', '', '', 0,"
        " 'fin', 0, 1.0, 1.0, '');"
        "INSERT INTO folders (id, box_id, name, special_use, uid_validity, uid_next, messages, octets)"
        " VALUES (3, 7, 'INBOX', '', 3, 3, 2, 8);"
        "INSERT INTO bodies VALUES (5, 2, 4, 4, x'', x'', x'', x'', '<a@b>', '', NULL, NULL, NULL);"
        "INSERT INTO body_bytes VALUES (5, x'0d0a0d0a', x'');"
        "INSERT INTO messages VALUES (3, 1, 5, 0, '', 1, 1, 1.0), (3, 2, 5, 0, '', 1, 1, 1.0);"
        "INSERT INTO receipts VALUES (3, 1, 'dr@hopital.example', 'due'), (3, 9, 'dr@hopital.example', 'due');"
        "INSERT INTO channels VALUES ('un@hopital.example', 'dr@hopital.example', 'open', 4, 'message', 50.0);"
    )
    db.close()
    store = await _opened(tmp_path)
    await store.store_flags(3, ANYONE, [2], FlagChange.ADD, frozenset({"\\Seen"}))
    (opened,) = await store.opened()
    assert (opened.box_id, opened.notify, opened.recipient) == (7, "dr@hopital.example", "un@hopital.example")
    (channel,) = await store.channels()
    assert (channel.version, channel.active_at) == (4, 50.0)
    await store.close()
