"""What a client that comes back asks of a store: changed and expunged UIDs, flags alone, what EXPUNGE would take."""

from __future__ import annotations

import pytest

from mss_gateway.ports.mailboxes import FlagChange, FlagRow, NoSuchFolder, Viewer
from mss_gateway.ports.store import Store
from tests.support.store import ANYONE, add_box, fill, inbox, snapshot

SEEN = frozenset({"\\Seen"})
DELETED = frozenset({"\\Deleted"})
ANNE, BRUNO = Viewer(1, shared=True), Viewer(2, shared=True)
pytestmark = pytest.mark.req("IMP-1")


async def _folder(store: Store) -> int:
    return await inbox(store, (await add_box(store)).id)


async def test_what_was_touched_is_what_the_changes_say(store: Store) -> None:
    """From every mod-sequence on: UIDs changed or new, and UIDs expunged, both ascending."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 8)
    for uids in ([7, 2], [4]):
        await store.store_flags(folder_id, ANYONE, uids, FlagChange.ADD, DELETED)
    assert await store.marked_deleted(folder_id) == [2, 4, 7]
    await store.expunge(folder_id, ANYONE, [7])
    await store.expunge(folder_id, ANYONE, [2])
    await fill(store, folder_id, 1)
    assert await store.marked_deleted(folder_id) == [4]
    for since in range((await snapshot(store, folder_id)).highest_modseq + 2):
        changes = await store.changes(folder_id, ANYONE, since)
        touched = await store.touched(folder_id, ANYONE, since)
        assert list(touched.changed) == [row.uid for row in changes.changed]
        assert list(touched.vanished) == list(changes.vanished)


async def test_the_seen_of_another_member_touches_nothing(store: Store) -> None:
    """In a shared box each hears of their own reading, and of what everybody shares (BAL-3)."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 3)
    since = (await snapshot(store, folder_id)).highest_modseq
    await store.store_flags(folder_id, ANNE, [1], FlagChange.ADD, SEEN)
    await store.store_flags(folder_id, ANNE, [3], FlagChange.ADD, frozenset({"\\Flagged"}))
    assert list((await store.touched(folder_id, ANNE, since)).changed) == [1, 3]
    assert list((await store.touched(folder_id, BRUNO, since)).changed) == [3]
    assert [row.flags for row in await store.flags_of(folder_id, ANNE, [1, 2])] == [SEEN, frozenset()]
    assert [row.flags for row in await store.flags_of(folder_id, BRUNO, [1, 2])] == [frozenset(), frozenset()]


@pytest.mark.parametrize("uids", [[1], [1, 2, 3, 4, 5], [2, 5], [3, 4, 5, 6, 7], [6, 9]])
async def test_flags_alone_are_those_of_the_rows(store: Store, uids: list[int]) -> None:
    """Whether the UIDs have holes or not; those that are not there are left out."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 6)
    await store.store_flags(folder_id, ANYONE, [2, 4], FlagChange.ADD, frozenset({"\\Deleted", "Suivi"}))
    await store.expunge(folder_id, ANYONE, [4])
    rows = await store.rows(folder_id, ANYONE, uids, frozenset())
    expected = [FlagRow(row.uid, row.flags, row.modseq) for row in rows]
    assert await store.flags_of(folder_id, ANYONE, uids) == expected


async def test_a_folder_that_has_gone_says_so(store: Store) -> None:
    """Instead of being empty."""
    with pytest.raises(NoSuchFolder):
        await store.touched(999, ANYONE, 0)
    with pytest.raises(NoSuchFolder):
        await store.flags_of(999, ANYONE, [1, 2])
    with pytest.raises(NoSuchFolder):
        await store.marked_deleted(999)
