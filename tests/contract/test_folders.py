"""Folders: provisioning, names, UIDVALIDITY, and UIDs that are never given twice."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from mss_gateway.ports.mailboxes import FlagChange, FolderExists, NoSuchFolder
from mss_gateway.ports.store import Store
from tests.support.store import (
    ANYONE,
    BackEnd,
    add_box,
    body,
    delivery,
    fill,
    folder_named,
    inbox,
    snapshot,
    uids,
)

DELETED = frozenset({"\\Deleted"})


@pytest.mark.req("IMP-3")
async def test_a_new_box_has_its_special_use_folders(store: Store) -> None:
    """INBOX comes first; the others carry the attributes of RFC 6154."""
    box = await add_box(store)
    folders = await store.folders(box.id)
    assert [(folder.name, folder.special_use) for folder in folders] == [
        ("INBOX", ""),
        ("Archive", "\\Archive"),
        ("Drafts", "\\Drafts"),
        ("Junk", "\\Junk"),
        ("Sent", "\\Sent"),
        ("Trash", "\\Trash"),
    ]
    assert len({folder.uid_validity for folder in folders}) == 6


@pytest.mark.req("IMP-1")
async def test_parents_are_made_and_names_are_unique(store: Store) -> None:
    """CREATE of an inferior makes its superiors; the same name again is refused."""
    box = await add_box(store)
    made = await store.create_folder(box.id, "Année/2026/mars")
    assert made.name == "Année/2026/mars"
    names = [folder.name for folder in await store.folders(box.id)]
    assert {"Année", "Année/2026", "Année/2026/mars"} <= set(names)
    for name in ("Année/2026", "INBOX"):
        with pytest.raises(FolderExists):
            await store.create_folder(box.id, name)


@pytest.mark.req("IMP-1")
async def test_a_deleted_folder_never_gives_its_uidvalidity_again(back_end: BackEnd, tmp_path: Path) -> None:
    """Folders of one name, deleted and made again across restarts, have growing UIDVALIDITY."""
    seen: list[int] = []
    box_id = 0
    for _ in range(3):
        store = back_end.build(tmp_path / "store")
        await store.open()
        box_id = box_id or (await add_box(store)).id
        for _ in range(2):
            folder = await store.create_folder(box_id, "Passager")
            await fill(store, folder.id, 2)
            seen.append(folder.uid_validity)
            await store.delete_folder(folder.id)
            with pytest.raises(NoSuchFolder):
                await store.snapshot(folder.id, ANYONE)
        await store.close()
    assert seen == sorted(set(seen))


@pytest.mark.req("IMP-1")
async def test_a_uid_is_never_reused_after_expunge_or_restart(back_end: BackEnd, tmp_path: Path) -> None:
    """The last message is expunged, the store reopened, and the next UID is still a new one."""
    store = back_end.build(tmp_path / "store")
    await store.open()
    folder_id = await inbox(store, (await add_box(store)).id)
    assert await fill(store, folder_id, 3) == [1, 2, 3]
    await store.store_flags(folder_id, ANYONE, [2, 3], FlagChange.ADD, DELETED)
    assert await store.expunge(folder_id, ANYONE, None) == [2, 3]
    await store.close()
    store = back_end.build(tmp_path / "store")
    await store.open()
    assert (await snapshot(store, folder_id)).uid_next == 4
    assert await fill(store, folder_id, 1) == [4]
    assert await uids(store, folder_id) == [1, 4]
    await store.close()


@pytest.mark.req("IMP-1")
async def test_rename_takes_the_inferiors_along(store: Store) -> None:
    """Folders keep their ids, UIDVALIDITY and messages; names that only share a prefix stay."""
    box = await add_box(store)
    for name in ("a/b/c", "ab", "a_b"):
        await store.create_folder(box.id, name)
    top, low = await folder_named(store, box.id, "a"), await folder_named(store, box.id, "a/b/c")
    await fill(store, low.id, 2)
    await store.rename_folder(top.id, "x/y")
    names = {folder.name: folder for folder in await store.folders(box.id)}
    assert {"x", "x/y", "x/y/b", "x/y/b/c", "ab", "a_b"} <= set(names)
    assert "a" not in names
    assert (names["x/y/b/c"].id, names["x/y/b/c"].uid_validity) == (low.id, low.uid_validity)
    assert await uids(store, low.id) == [1, 2]
    with pytest.raises(FolderExists):
        await store.rename_folder(top.id, "ab")
    with pytest.raises(NoSuchFolder):
        await store.rename_folder(99_999, "z")
    await store.accept(delivery(body(), box.id, folder="a"))
    assert (await folder_named(store, box.id, "a")).id != top.id


@pytest.mark.req("IMP-1")
async def test_renaming_inbox_moves_its_messages(store: Store) -> None:
    """INBOX stays, empty, and its inferiors with it (RFC 9051 section 6.3.6)."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await store.create_folder(box.id, "INBOX/sous")
    await fill(store, folder_id, 3, frozenset({"\\Flagged"}))
    await store.rename_folder(folder_id, "Ancien")
    old = await folder_named(store, box.id, "Ancien")
    assert (await uids(store, folder_id), await uids(store, old.id)) == ([], [1, 2, 3])
    assert (await snapshot(store, folder_id)).uid_next == 4
    assert (await folder_named(store, box.id, "INBOX/sous")).id
    changes = await store.changes(folder_id, ANYONE, 0)
    assert changes.vanished == (1, 2, 3)


@pytest.mark.req("IMP-1")
async def test_rename_onto_names_of_inferiors_changes_nothing(store: Store) -> None:
    """When an inferior's new name is taken, `FolderExists`, and every folder keeps its name."""
    box = await add_box(store)
    for name in ("a/x", "b/x"):
        await store.create_folder(box.id, name)
    await store.delete_folder((await folder_named(store, box.id, "b")).id)
    before = await store.folders(box.id)
    with pytest.raises(FolderExists):
        await store.rename_folder((await folder_named(store, box.id, "a")).id, "b")
    assert await store.folders(box.id) == before


@pytest.mark.req("IMP-1")
async def test_rename_below_itself_leaves_a_new_folder_of_the_old_name(store: Store) -> None:
    """The folder and its inferiors go one level down; the parent they need is made, with a new UIDVALIDITY."""
    box = await add_box(store)
    await store.create_folder(box.id, "a/b/c")
    top, low = await folder_named(store, box.id, "a"), await folder_named(store, box.id, "a/b/c")
    await fill(store, top.id, 2)
    await store.rename_folder(top.id, "a/b2")
    names = {folder.name: folder for folder in await store.folders(box.id)}
    assert (names["a/b2"].id, names["a/b2/b/c"].id) == (top.id, low.id)
    assert names["a"].uid_validity > low.uid_validity
    assert (await uids(store, names["a"].id), await uids(store, top.id)) == ([], [1, 2])


@pytest.mark.req("IMP-1")
async def test_a_store_made_anew_gives_later_uidvalidities(back_end: BackEnd, tmp_path: Path) -> None:
    """A client that knew folders of a store since lost must not take its cache for the new one's messages."""
    begun = int(time.time())
    store = back_end.build(tmp_path / "anew")
    await store.open()
    box = await add_box(store)
    validities = [folder.uid_validity for folder in await store.folders(box.id)]
    assert len(set(validities)) == len(validities)
    assert min(validities) >= begun
    assert max(validities) < 2**32
    await store.close()


@pytest.mark.req("IMP-1")
async def test_subscriptions_are_kept(store: Store) -> None:
    """SUBSCRIBE and UNSUBSCRIBE are seen by the next LIST."""
    box = await add_box(store)
    folder = await folder_named(store, box.id, "Junk")
    await store.set_subscription(box.id, 7, folder.name, False)
    assert await store.subscriptions(box.id, 7) == {"Junk": False}
    assert await store.subscriptions(box.id, 8) == {}
    await store.set_subscription(box.id, 7, folder.name, True)
    assert await store.subscriptions(box.id, 7) == {"Junk": True}


@pytest.mark.req("IMP-1")
async def test_every_call_on_a_folder_that_has_gone_says_so(store: Store) -> None:
    """A session whose folder was deleted meanwhile gets `NoSuchFolder`, never an empty success."""
    box = await add_box(store)
    gone = await store.create_folder(box.id, "Passager")
    await fill(store, gone.id, 1)
    await store.delete_folder(gone.id)
    calls = [
        store.status(gone.id, ANYONE),
        store.snapshot(gone.id, ANYONE),
        store.changes(gone.id, ANYONE, 0),
        store.rows(gone.id, ANYONE, [1], frozenset()),
        store.store_flags(gone.id, ANYONE, [1], FlagChange.ADD, DELETED),
        store.expunge(gone.id, ANYONE, None),
        store.copy(await inbox(store, box.id), ANYONE, [], gone.id),
        store.move(gone.id, ANYONE, [1], await inbox(store, box.id)),
        fill(store, gone.id, 1),
        store.delete_folder(gone.id),
        store.grantees(gone.id),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NoSuchFolder] * len(calls)


@pytest.mark.req("IMP-1")
async def test_listeners_hear_of_each_changed_folder_after_the_commit(store: Store) -> None:
    """The call carries the new highest mod-sequence, and the reader already sees the change."""
    heard: list[tuple[int, int]] = []
    directory: list[int] = []
    store.on_folder_change(lambda folder_id, modseq: heard.append((folder_id, modseq)))
    store.on_directory_change(lambda: directory.append(1))
    box = await add_box(store)
    assert directory
    folder_id = await inbox(store, box.id)
    heard.clear()
    (place,) = await store.accept(delivery(body(), box.id))
    assert heard == [(folder_id, place.modseq)]
    assert (await snapshot(store, folder_id)).highest_modseq == place.modseq
