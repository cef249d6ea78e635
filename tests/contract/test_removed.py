"""What is removed can be brought back for a while: messages, folders, read marks; and is ended in the end (OPS-5)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.access import OverQuota
from mss_gateway.ports.mailboxes import FlagChange, NewAppend, Viewer
from mss_gateway.ports.records import BoxChoices, BoxRow, TraceLine
from mss_gateway.ports.removed import Wanted
from mss_gateway.rules.facts import BoxState
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from tests.support.store import ANYONE, add_box, body, delivery, inbox, is_whole, uids

LINE = TraceLine(1.0, "undeleted", "")
DAY = 86400.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store that keeps what is removed for a day; large texts go to segments soon."""
    made = SqliteStore(SqliteOptions(tmp_path / "store", inline_limit=2000, keep_deleted=DAY))
    await made.open()
    yield made
    await made.close()


async def filled(store: SqliteStore, count: int, size: int = 100) -> tuple[BoxRow, int, dict[int, bytes]]:
    """A box with so many messages in INBOX: the box, the folder, digests by UID."""
    box = await add_box(store)
    digests = {}
    for number in range(count):
        new = body(b"%d " % number + b"d" * size)
        (placed,) = await store.accept(delivery(new, box.id))
        digests[placed.uid] = new.digest
    return box, await inbox(store, box.id), digests


async def expunged(store: SqliteStore, folder: int, gone: list[int], viewer: Viewer = ANYONE) -> None:
    """Marked and expunged."""
    await store.store_flags(folder, viewer, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
    assert await store.expunge(folder, viewer, gone) == gone


async def kept(store: SqliteStore, box: BoxRow, **wanted: object) -> list[int]:
    """Ids of what can be brought back, the latest first."""
    return [one.id for one in await store.removed(box.id, Wanted(**wanted))]  # type: ignore[arg-type]


@pytest.mark.req("OPS-5")
@pytest.mark.parametrize("size", [100, 5000])
async def test_a_message_comes_back_octet_for_octet_under_a_new_uid(store: SqliteStore, size: int) -> None:
    """Flags, keywords and date are kept, only \\Deleted is not; no UID is given twice."""
    box, folder, digests = await filled(store, 3, size)
    await store.store_flags(folder, ANYONE, [2], FlagChange.ADD, frozenset({"\\Flagged", "Urgent"}))
    await expunged(store, folder, [2])
    assert await uids(store, folder) == [1, 3]
    (one,) = await store.removed(box.id, Wanted())
    assert (one.folder, one.how, one.size > size) == ("INBOX", "message", True)
    back = await store.bring_back(box.id, [one.id], "", LINE)
    assert back.folders == {"INBOX": 1}
    assert await uids(store, folder) == [1, 3, 4]
    assert await is_whole(store, folder, 4, digests[2])
    (row,) = await store.flags_of(folder, ANYONE, [4])
    assert row.flags == frozenset({"\\Flagged", "Urgent"})
    assert await kept(store, box) == []
    assert (await store.bring_back(box.id, [one.id], "", LINE)).messages == 0
    assert [line.event for line in await store.trace(None, 10)].count("undeleted") == 1


@pytest.mark.req("OPS-5")
async def test_a_folder_comes_back_with_all_that_was_in_it(store: SqliteStore) -> None:
    """Under its name, with another UIDVALIDITY than before, so that no client takes one message for another."""
    box, folder, digests = await filled(store, 2)
    target = await store.create_folder(box.id, "Patients 2026")
    await store.move(folder, ANYONE, [1, 2], target.id)
    await store.delete_folder(target.id)
    found = await store.removed(box.id, Wanted(folder="Patients 2026"))
    assert [one.how for one in found] == ["folder", "folder"]
    back = await store.bring_back(box.id, [one.id for one in found], "", LINE)
    assert back.folders == {"Patients 2026": 2}
    (again,) = [one for one in await store.folders(box.id) if one.name == "Patients 2026"]
    assert again.uid_validity != target.uid_validity
    there = await uids(store, again.id)
    for uid, digest in zip(there, digests.values(), strict=True):
        assert await is_whole(store, again.id, uid, digest)


@pytest.mark.req("OPS-5", "BAL-3")
async def test_who_had_read_it_has_read_it_still(store: SqliteStore) -> None:
    """In a shared mailbox each member keeps their own mark."""
    box, folder, _ = await filled(store, 1)
    first, second = [
        await store.add_person(login, login, "", "", replace(LINE, event="person-add"))
        for login in ("un", "deux")
    ]
    for person in (first, second):
        await store.add_member(box.id, person.id, "member", replace(LINE, event="bal-member"))
    reader, other = Viewer(first.id, shared=True), Viewer(second.id, shared=True)
    await store.store_flags(folder, reader, [1], FlagChange.ADD, frozenset({"\\Seen"}))
    await expunged(store, folder, [1], reader)
    (one,) = await store.removed(box.id, Wanted())
    assert one.removed_by == first.id
    await store.bring_back(box.id, [one.id], "", LINE)
    seen = [(await store.flags_of(folder, who, [2]))[0].flags for who in (reader, other)]
    assert ["\\Seen" in flags for flags in seen] == [True, False]


@pytest.mark.req("OPS-5")
async def test_what_was_removed_is_found_by_folder_message_and_time(store: SqliteStore) -> None:
    """The latest first, and of this box only."""
    box, folder, _ = await filled(store, 3)
    other = await add_box(store, "autre")
    await expunged(store, folder, [1, 3])
    last, first = await kept(store, box)
    assert last > first
    assert await kept(store, box, folder="Sent") == []
    assert await kept(store, box, since=1e12) == []
    assert await kept(store, box, ids=(first,)) == [first]
    assert await kept(store, other) == []
    assert (await store.bring_back(other.id, [first], "", LINE)).messages == 0


@pytest.mark.req("OPS-5", "BAL-9")
async def test_a_full_box_gets_none_back_rather_than_some(store: SqliteStore) -> None:
    """What is kept counts for no quota; what comes back does, all of it or nothing."""
    box, folder, _ = await filled(store, 3)
    await expunged(store, folder, [1, 2])
    await store.set_box_choices(box.id, BoxChoices(quota_messages=2), LINE)
    with pytest.raises(OverQuota):
        await store.bring_back(box.id, await kept(store, box), "", LINE)
    assert await uids(store, folder) == [3]
    assert len(await kept(store, box)) == 2


@pytest.mark.req("OPS-5")
async def test_its_time_over_it_is_gone_with_its_octets(store: SqliteStore, tmp_path: Path) -> None:
    """The segment's file goes too; what is younger stays."""
    box, folder, _ = await filled(store, 2, 5000)
    await expunged(store, folder, [1, 2])
    assert await store.forget_removed(0.0) == 0
    assert await store.forget_removed(math.inf, limit=1) == 1
    assert len(await kept(store, box)) == 1
    assert await store.forget_removed(math.inf, box_id=box.id + 1) == 0
    assert await store.forget_removed(math.inf, box_id=box.id) == 1
    assert await kept(store, box) == []


@pytest.mark.req("OPS-5")
async def test_drafts_are_gone_at_once_and_nothing_is_kept_without_the_setting(tmp_path: Path) -> None:
    """A client saves a draft every minute; nobody misses the one before."""
    for seconds, expected in ((DAY, 1), (0.0, 0)):
        store = SqliteStore(SqliteOptions(tmp_path / f"{seconds}", keep_deleted=seconds))
        await store.open()
        box, folder, _ = await filled(store, 1)
        draft = NewAppend(body(b"draft"), frozenset({"\\Draft"}), 1.0)
        await store.append(folder, ANYONE, [draft])
        await expunged(store, folder, [1, 2])
        assert len(await kept(store, box)) == expected
        await store.close()


@pytest.mark.req("BAL-5")
async def test_a_purged_box_keeps_nothing(store: SqliteStore) -> None:
    """Neither what lay in it nor what had been removed from it."""
    box, folder, _ = await filled(store, 3, 5000)
    await expunged(store, folder, [1])
    purged = await store.purge_box(box.id, "essai", replace(LINE, event="bal-purge"))
    assert purged.state is BoxState.PURGED
    assert await kept(store, box) == []
