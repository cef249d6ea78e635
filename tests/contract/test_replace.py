"""REPLACE and APPEND of several messages in the store: one transaction each (RFC 8508, RFC 3502)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.mailboxes import NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.records import SpoolFile
from mss_gateway.ports.store import Store, StoreError
from tests.support.store import (
    ANYONE,
    NOW,
    add_box,
    body,
    fill,
    flags_of,
    folder_named,
    inbox,
    is_whole,
    uids,
)

FLAGGED = frozenset({"\\Flagged"})
SEEN = frozenset({"\\Seen"})


@pytest.mark.req("IMP-1")
async def test_the_new_one_comes_and_the_old_one_goes(store: Store) -> None:
    """One commit for both: the watcher hears of the folder once, and finds both changes."""
    folder_id = await inbox(store, (await add_box(store)).id)
    old, kept = await fill(store, folder_id, 2)
    heard: list[int] = []
    store.on_folder_change(lambda folder, modseq: heard.append(folder))
    before = (await store.snapshot(folder_id, ANYONE)).highest_modseq
    new = await store.replace(folder_id, old, folder_id, ANYONE, NewAppend(body(), FLAGGED, NOW))
    assert new is not None
    assert await uids(store, folder_id) == [kept, new]
    changes = await store.changes(folder_id, ANYONE, before)
    assert (changes.added, changes.vanished) == ((new,), (old,))
    assert heard == [folder_id]
    status = await store.status(folder_id, ANYONE)
    assert status.messages == 2


@pytest.mark.req("IMP-1")
async def test_across_folders_and_viewers(store: Store) -> None:
    """The target's viewer reads the new message: `\\Seen` is theirs."""
    box = await add_box(store)
    source, target = await inbox(store, box.id), (await folder_named(store, box.id, "Sent")).id
    (old,) = await fill(store, source, 1)
    anne = Viewer(1, shared=True)
    new = await store.replace(source, old, target, anne, NewAppend(body(), SEEN, NOW))
    assert new is not None
    assert await uids(store, source) == []
    assert await uids(store, target) == [new]
    (row,) = await store.rows(target, Viewer(2, shared=True), [new], frozenset())
    assert row.flags == frozenset()
    (row,) = await store.rows(target, anne, [new], frozenset())
    assert row.flags == SEEN


@pytest.mark.req("IMP-1")
async def test_nothing_is_done_by_halves(store: Store) -> None:
    """A message that has gone leaves no new one; a target that has gone leaves the old one."""
    box = await add_box(store)
    source = await inbox(store, box.id)
    (old,) = await fill(store, source, 1)
    assert await store.replace(source, old + 1, source, ANYONE, NewAppend(body(), SEEN, NOW)) is None
    assert await uids(store, source) == [old]
    target = (await store.create_folder(box.id, "gone")).id
    await store.delete_folder(target)
    with pytest.raises(NoSuchFolder):
        await store.replace(source, old, target, ANYONE, NewAppend(body(), SEEN, NOW))
    assert await uids(store, source) == [old]


@pytest.mark.req("IMP-1")
async def test_several_messages_are_all_there_or_none(store: Store, tmp_path: Path) -> None:
    """A fault at the last one takes those before it back, in folders, counters and octets."""
    folder_id = await inbox(store, (await add_box(store)).id)
    first = body()
    file = tmp_path / "lost"
    file.write_bytes(b"x")
    text = SpoolFile(file, 0, 50_000)  # promises more than the file holds
    broken = replace(first, text=text, size=len(first.header) + text.size)
    before = await store.status(folder_id, ANYONE)
    with pytest.raises(StoreError):
        await store.append(folder_id, ANYONE, [NewAppend(first, SEEN, NOW), NewAppend(broken, SEEN, NOW)])
    assert await store.status(folder_id, ANYONE) == before
    given = await store.append(
        folder_id, ANYONE, [NewAppend(first, SEEN, NOW), NewAppend(first, FLAGGED, NOW)]
    )
    assert await flags_of(store, folder_id) == dict(zip(given, (SEEN, FLAGGED), strict=True))
    assert await is_whole(store, folder_id, given[0], first.digest)
