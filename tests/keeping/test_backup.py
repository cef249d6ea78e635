"""Backup and restore of the embedded store: of one instant, incremental, torn ones refused (OPS-5)."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.ports.keeping import KeepProblem, Work
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteStore, compaction, store_encryption
from mss_gateway.storage.sqlite.backup import HOLD, back_up
from mss_gateway.storage.sqlite.backup_chunks import read_key
from mss_gateway.storage.sqlite.backup_verify import list_backups, verify_backups
from mss_gateway.storage.sqlite.opening_marks import MARKER
from mss_gateway.storage.sqlite.restore import restore
from tests.support.keeping import LARGE, MIDDLE, SMALL, Kept, all_octets, quiet, sql
from tests.support.store import ANYONE, inbox, sqlite_options, uids

pytestmark = pytest.mark.req("OPS-5")


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """A store with messages of every size."""
    made = await Kept(tmp_path).open()
    await made.deliver(SMALL, MIDDLE, LARGE, SMALL)
    yield made
    await made.store.close()


async def opened(state: Path) -> SqliteStore:
    """The store of a state folder, open."""
    store = SqliteStore(sqlite_options(state / "store"))
    await store.open()
    return store


def modes(folder: Path) -> tuple[set[int], set[int]]:
    """Permissions of files and of folders."""
    files, folders = set(), {stat.S_IMODE(folder.stat().st_mode)}
    for path in folder.rglob("*"):
        (folders if path.is_dir() else files).add(stat.S_IMODE(path.stat().st_mode))
    return files, folders


async def test_what_was_stored_before_the_instant_comes_back_octet_by_octet(
    kept: Kept, tmp_path: Path
) -> None:
    """Small, middle and large texts, with the files beside the store; later mail is not in it."""
    before = await all_octets(kept.store, kept.inbox)
    made = back_up(kept.task(), quiet)
    await kept.deliver(SMALL, LARGE)
    told = restore(kept.target, tmp_path / "new", "", None, quiet)
    assert (told["backup"], told["counts"]["messages"]) == (made["backup"], 4)
    store = await opened(tmp_path / "new")
    assert await all_octets(store, await inbox(store, kept.box)) == before
    await store.close()
    for name in ("correlation.key", "trust/list.xml"):
        assert (tmp_path / "new" / name).read_bytes() == (kept.state / name).read_bytes()
    assert (tmp_path / "new" / "gateway.toml.kept").read_bytes() == (tmp_path / "gateway.toml").read_bytes()


async def test_only_the_owner_may_read_it(kept: Kept, tmp_path: Path) -> None:
    """Files 0600, folders 0700, whatever the umask is; both in the backup and in what is restored."""
    before = os.umask(0)
    try:
        back_up(kept.task(), quiet)
        restore(kept.target, tmp_path / "new", "", None, quiet)
    finally:
        os.umask(before)
    for folder in (kept.target, tmp_path / "new"):
        assert modes(folder) == ({0o600}, {0o700})


async def test_a_folder_that_is_there_keeps_its_rights(kept: Kept) -> None:
    """It may be the root of a disk; what is made in it is private all the same."""
    kept.target.mkdir(mode=0o755)
    kept.target.chmod(0o755)
    (kept.target / "lost+found").mkdir(mode=0o700)
    back_up(kept.task(), quiet)
    assert stat.S_IMODE(kept.target.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.target.iterdir()} == {0o700, 0o600}


async def test_the_second_backup_writes_what_is_new(kept: Kept) -> None:
    """Segments that have not grown are neither read nor written; both backups are whole afterwards."""
    first = back_up(kept.task(), quiet)
    await kept.deliver(LARGE)
    segments = (kept.state / "store" / "segments").glob("*.seg")
    read = {path.name: path.stat().st_atime_ns for path in segments}
    second = back_up(kept.task(), quiet)
    assert len(read) == 3
    assert second["written"] < first["octets"]
    assert [one["backup"] for one in list_backups(kept.target)] == [second["backup"], first["backup"]]
    assert verify_backups(kept.target, None, "", quiet)["findings"] == []


async def test_a_segment_of_another_past_is_read_again(kept: Kept, tmp_path: Path) -> None:
    """After a restore a segment may have number and size of another one: the store's own number tells them apart."""
    back_up(kept.task(), quiet)
    restore(kept.target, tmp_path / "new", "", None, quiet)
    other = Kept(tmp_path)
    other.state = tmp_path / "new"
    other.options = sqlite_options(other.state / "store")
    (segment,) = [
        path for path in (other.state / "store" / "segments").iterdir() if path.stat().st_size == LARGE
    ]
    segment.write_bytes(b"x" * LARGE)
    other.store = await opened(other.state)
    other.lineage = await other.store.lineage()
    assert other.lineage != kept.lineage
    back_up(other.task(), quiet)
    await other.store.close()
    restore(kept.target, tmp_path / "third", "", None, quiet)
    assert (tmp_path / "third/store/segments" / segment.name).read_bytes() == b"x" * LARGE


async def test_files_expunged_during_the_backup_are_in_it(kept: Kept, tmp_path: Path) -> None:
    """The segment is unlinked while the database is copied: its second name holds it, and is gone in the end."""
    before = await all_octets(kept.store, kept.inbox)
    gone: list[Path] = []

    def meanwhile(phase: str, done: int, total: int) -> None:
        if not gone:
            gone.extend(
                path for path in (kept.state / "store/segments").iterdir() if path.stat().st_size == LARGE
            )
            for path in gone:
                path.unlink()

    back_up(kept.task(), meanwhile)
    assert len(gone) == 1
    assert not (kept.state / "store" / HOLD).exists()
    restore(kept.target, tmp_path / "new", "", None, quiet)
    store = await opened(tmp_path / "new")
    assert await all_octets(store, await inbox(store, kept.box)) == before
    await store.close()


async def test_uids_of_a_restored_store_are_not_those_of_before(kept: Kept, tmp_path: Path) -> None:
    """A UID given after the backup is given again: the folder's UIDVALIDITY is new, each folder has its own, and the
    body's number (EMAILID) has never been given."""
    back_up(kept.task(), quiet)
    await kept.deliver(SMALL)
    lost = (await uids(kept.store, kept.inbox))[-1]
    old = await kept.store.snapshot(kept.inbox, ANYONE)
    old_bodies = max(row[0] for row in sql(kept.state / "store", "SELECT id FROM bodies"))
    restore(kept.target, tmp_path / "new", "", None, quiet)
    store = await opened(tmp_path / "new")
    kept_store, kept.store = kept.store, store
    await kept.deliver(SMALL)
    new = await store.snapshot(kept.inbox, ANYONE)
    fresh = await store.create_folder(kept.box, "Nouveau")
    await store.close()
    kept.store = kept_store
    assert list(new.uids)[-1] == lost
    assert new.uid_validity > old.uid_validity
    validities = [row[0] for row in sql(tmp_path / "new/store", "SELECT uid_validity FROM folders")]
    assert len(set(validities)) == len(validities) == 7
    assert fresh.uid_validity == max(validities)
    assert (
        max(row[0] for row in sql(tmp_path / "new/store", "SELECT id FROM bodies")) > old_bodies + 1_000_000
    )


async def test_the_queue_waits_after_a_restore(kept: Kept, tmp_path: Path) -> None:
    """What may have been sent since the backup is kept back until it is released, receipts as well."""
    await kept.deliver(SMALL, outbox=("dr.durand@autre.example",))
    await kept.store._engine.write(
        lambda w: w.db.execute(
            "INSERT INTO receipts (box_id, body_id, notify, recipient, state) VALUES"
            " (1, 1, 'a@b.example', 'c@d.example', 'due'), (1, 2, 'a@b.example', 'c@d.example', 'opened')"
        )
    )
    back_up(kept.task(), quiet)
    told = restore(kept.target, tmp_path / "new", "", None, quiet)
    assert (told["queue_held"], told["receipts_held"]) == (1, 2)
    store = await opened(tmp_path / "new")
    assert await store.next_due() is None
    found = await store.restored()
    assert found is not None
    assert (found.queue_held, found.receipts_held) == (1, 2)
    assert await store.tell_restored()
    assert not await store.tell_restored()
    assert await store.release_receipts("ops") == 2
    again = await store.restored()
    assert again is not None
    assert again.receipts_held == 0
    events = [line.event for line in await store.trace(None, 10)]
    await store.close()
    assert events[-2:] == ["store-restored", "receipts-released"]
    assert await kept.store.restored() is None


async def test_an_encrypted_backup_needs_its_key(kept: Kept, tmp_path: Path) -> None:
    """No piece holds a text in the clear or tells its digest; without the key, or with another, nothing is restored."""
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_bytes(os.urandom(32))
    other.write_bytes(os.urandom(32))
    before = await all_octets(kept.store, kept.inbox)
    back_up(kept.task(key_file=key), quiet)
    whole = b"".join(path.read_bytes() for path in kept.target.rglob("*") if path.is_file())
    assert before[2][-1000:] not in whole
    with pytest.raises(KeepProblem, match="is encrypted: name its key"):
        restore(kept.target, tmp_path / "new", "", None, quiet)
    with pytest.raises(KeepProblem, match="or this is not its key"):
        restore(kept.target, tmp_path / "new", "", other, quiet)
    restore(kept.target, tmp_path / "new", "", key, quiet)
    store = await opened(tmp_path / "new")
    assert await all_octets(store, await inbox(store, kept.box)) == before
    await store.close()
    back_up(kept.task(), quiet)
    assert verify_backups(kept.target, read_key(key), "", quiet)["findings"] == []
    with pytest.raises(KeepProblem, match="is not encrypted, though a key is named"):
        restore(kept.target, tmp_path / "plain", "", key, quiet)
    (tmp_path / "short").write_bytes(b"kurz")
    with pytest.raises(KeepProblem, match="openssl rand"):
        back_up(kept.task(key_file=tmp_path / "short"), quiet)


async def test_prune_keeps_what_others_need(kept: Kept, tmp_path: Path) -> None:
    """Of three backups one stays, whole; with a torn list nothing is removed."""
    first = back_up(kept.task(), quiet)
    await kept.deliver(LARGE)
    back_up(kept.task(), quiet)
    torn = kept.target / "backups" / f"{first['backup']}.json"
    text = torn.read_bytes()
    await kept.deliver(LARGE)
    third = back_up(kept.task(keep=1), quiet)
    assert len(third["removed"]["backups"]) == 2
    assert [one["backup"] for one in list_backups(kept.target)] == [third["backup"]]
    assert verify_backups(kept.target, None, "", quiet)["whole"]
    torn.write_bytes(text[:-20])
    pieces = sum(1 for _ in (kept.target / "chunks").rglob("*"))
    with pytest.raises(KeepProblem, match="nothing is removed while"):
        back_up(kept.task(keep=5), quiet)
    assert sum(1 for _ in (kept.target / "chunks").rglob("*")) >= pieces


async def test_any_kept_backup_by_name_or_time(kept: Kept, tmp_path: Path) -> None:
    """`--backup` takes a name, or the newest until a time."""
    first = back_up(kept.task(), quiet)
    await kept.deliver(SMALL)
    path = kept.target / "backups" / f"{first['backup']}.json"
    path.rename(path.with_name("20200101T000000Z.json"))
    back_up(kept.task(), quiet)
    for number, (which, count) in enumerate((("20200101T000000Z", 4), ("2021-01-01", 4), ("", 5))):
        told = restore(kept.target, tmp_path / f"new{number}", which, None, quiet)
        assert told["counts"]["messages"] == count
    for which, sentence in (("2019-01-01", "The oldest backup"), ("gestern", "There is no backup gestern")):
        with pytest.raises(KeepProblem, match=sentence):
            restore(kept.target, tmp_path / "none", which, None, quiet)
    assert not (tmp_path / "none").exists()


async def test_only_an_empty_place_is_restored_to(kept: Kept, tmp_path: Path) -> None:
    """What is there stays; an interrupted restore is named, and no gateway starts on it."""
    back_up(kept.task(), quiet)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("là", encoding="utf-8")
    with pytest.raises(KeepProblem, match="is not empty: restore into a new folder"):
        restore(kept.target, tmp_path / "full", "", None, quiet)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter"]
    (tmp_path / "half" / "store").mkdir(parents=True)
    (tmp_path / "half" / "store" / MARKER).touch()
    with pytest.raises(KeepProblem, match="interrupted: remove it"):
        restore(kept.target, tmp_path / "half", "", None, quiet)
    with pytest.raises(StoreError, match="restored in part only"):
        await SqliteStore(sqlite_options(tmp_path / "half" / "store")).open()


async def test_a_target_inside_the_store_is_refused(kept: Kept) -> None:
    """It would be lost with the store, and back up itself."""
    kept.target = kept.state / "store" / "backups"
    with pytest.raises(KeepProblem, match="belongs on another disk"):
        back_up(kept.task(), quiet)


async def test_the_list_of_files_says_what_it_is(kept: Kept) -> None:
    """Version, migration, time, counts and the pieces of everything stand in it."""
    made = back_up(kept.task(Work.BACKUP), quiet)
    text = (kept.target / "backups" / f"{made['backup']}.json").read_text(encoding="utf-8")
    found = json.loads(text.splitlines()[0])
    assert {"gateway", "migration", "at", "counts", "lineage", "files"} <= found.keys()
    assert {one["path"] for one in found["files"]} >= {
        "store/store.db",
        "correlation.key",
        "gateway.toml.kept",
    }


async def test_texts_that_move_while_a_backup_runs_are_in_it_and_in_the_store(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction between the instant and the reading of segments: the second names hold what the instant names."""
    monkeypatch.setattr(compaction, "LEAST_WON", 1)
    monkeypatch.setattr(store_encryption, "STILL_READ", 0.0)
    await kept.deliver(*[MIDDLE] * 16)
    there = await uids(kept.store, kept.inbox)
    await kept.store.store_flags(kept.inbox, ANYONE, there[5:15], FlagChange.ADD, frozenset({"\\Deleted"}))
    await kept.store.expunge(kept.inbox, ANYONE, None)
    before = await all_octets(kept.store, kept.inbox)
    snapped, moved = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        if not snapped.is_set():
            snapped.set()
            assert moved.wait(30)

    running = asyncio.create_task(asyncio.to_thread(back_up, kept.task(), wait))
    assert await asyncio.to_thread(snapped.wait, 30)
    assert sum([tidied.rows async for tidied in kept.store.compact(0.9)]) > 0
    await kept.store.sweep_segments()
    moved.set()
    await running
    assert await all_octets(kept.store, kept.inbox) == before
    for folder in ("new", "newer"):
        restore(kept.target, tmp_path / folder, "", None, quiet)
        store = await opened(tmp_path / folder)
        assert await all_octets(store, await inbox(store, kept.box)) == before
        await store.close()
        back_up(kept.task(), quiet)
