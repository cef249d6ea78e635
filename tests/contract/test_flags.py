"""Flags, mod-sequences, COPY, MOVE and EXPUNGE, for one viewer and for the members of a shared box."""

from __future__ import annotations

import pytest

from mss_gateway.ports.mailboxes import FlagChange, NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.store import Store
from tests.support.store import (
    ANYONE,
    NOW,
    add_box,
    body,
    delivery,
    fill,
    flags_of,
    folder_named,
    inbox,
    is_whole,
    snapshot,
    uids,
)

SEEN = frozenset({"\\Seen"})
DELETED = frozenset({"\\Deleted"})
ANNE, BRUNO = Viewer(1, shared=True), Viewer(2, shared=True)


async def _folder(store: Store) -> int:
    return await inbox(store, (await add_box(store)).id)


@pytest.mark.req("IMP-1")
async def test_the_three_forms_of_store(store: Store) -> None:
    """Replace, add and remove give the flags back, keywords included, each with a new mod-sequence."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 2)
    steps = [
        (FlagChange.ADD, {"\\Seen", "$MDNSent"}, {"\\Seen", "$MDNSent"}),
        (FlagChange.ADD, {"\\Flagged"}, {"\\Seen", "\\Flagged", "$MDNSent"}),
        (FlagChange.REMOVE, {"\\Seen"}, {"\\Flagged", "$MDNSent"}),
        (FlagChange.REPLACE, {"\\Answered", "Suivi"}, {"\\Answered", "Suivi"}),
        (FlagChange.REPLACE, set(), set()),
    ]
    modseq = (await snapshot(store, folder_id)).highest_modseq
    for change, given, expected in steps:
        outcome = await store.store_flags(folder_id, ANYONE, [1], change, frozenset(given))
        (row,) = outcome.rows
        assert (row.uid, row.flags) == (1, frozenset(expected))
        assert row.modseq > modseq
        modseq = row.modseq
    assert await flags_of(store, folder_id) == {1: frozenset(), 2: frozenset()}
    assert (await snapshot(store, folder_id)).highest_modseq == modseq


@pytest.mark.req("IMP-1")
async def test_unchangedsince_holds_back_what_moved(store: Store) -> None:
    """RFC 7162 section 3.1.3: the message changed meanwhile is named and keeps its flags."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 3)
    known = (await snapshot(store, folder_id)).highest_modseq
    await store.store_flags(folder_id, ANYONE, [2], FlagChange.ADD, SEEN)
    outcome = await store.store_flags(
        folder_id, ANYONE, [1, 2, 3], FlagChange.ADD, DELETED, unchanged_since=known
    )
    assert outcome.held_back == (2,)
    assert [row.uid for row in outcome.rows] == [1, 3]
    assert await flags_of(store, folder_id) == {1: DELETED, 2: SEEN, 3: DELETED}


@pytest.mark.req("BAL-3")
async def test_each_member_has_their_own_seen(store: Store) -> None:
    """What one member read stays unread for the other; every other flag is shared."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 3)
    await store.store_flags(folder_id, ANNE, [1, 2], FlagChange.ADD, frozenset({"\\Seen", "\\Flagged"}))
    both, flagged = frozenset({"\\Seen", "\\Flagged"}), frozenset({"\\Flagged"})
    assert await flags_of(store, folder_id, ANNE) == {1: both, 2: both, 3: frozenset()}
    assert await flags_of(store, folder_id, BRUNO) == {1: flagged, 2: flagged, 3: frozenset()}
    assert (await store.status(folder_id, ANNE)).unseen == 1
    assert (await store.status(folder_id, BRUNO)).unseen == 3
    assert (await store.snapshot(folder_id, ANNE)).first_unseen == 3
    assert (await store.snapshot(folder_id, BRUNO)).first_unseen == 1
    await store.store_flags(folder_id, ANNE, [1], FlagChange.REMOVE, SEEN)
    assert (await flags_of(store, folder_id, ANNE))[1] == flagged
    await store.store_flags(folder_id, BRUNO, [1], FlagChange.REPLACE, SEEN)
    assert (await flags_of(store, folder_id, BRUNO))[1] == SEEN
    assert (await flags_of(store, folder_id, ANNE))[1] == frozenset()


@pytest.mark.req("BAL-3")
async def test_another_session_of_the_member_hears_of_seen(store: Store) -> None:
    """The change has a mod-sequence that CHANGES gives to the member."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 1)
    known = (await store.snapshot(folder_id, ANNE)).highest_modseq
    outcome = await store.store_flags(folder_id, ANNE, [1], FlagChange.ADD, SEEN)
    hers = await store.changes(folder_id, ANNE, known)
    assert hers.changed == outcome.rows
    his = await store.changes(folder_id, BRUNO, known)
    assert all("\\Seen" not in row.flags for row in his.changed)


@pytest.mark.req("BAL-3")
async def test_a_member_s_seen_travels_with_append_and_copy(store: Store) -> None:
    """APPEND with `\\Seen` is read for the one who appended; a copy of a read message is read for them."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await store.append(folder_id, ANNE, [NewAppend(body(), SEEN, NOW)])
    target = await folder_named(store, box.id, "Archive")
    await store.copy(folder_id, ANNE, [1], target.id)
    for place in (folder_id, target.id):
        assert await flags_of(store, place, ANNE) == {1: SEEN}
        assert await flags_of(store, place, BRUNO) == {1: frozenset()}


@pytest.mark.req("IMP-1")
async def test_changes_tell_the_whole_story(store: Store) -> None:
    """Additions, flags and expunges after a mod-sequence, once each; nothing when there was nothing."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 4)
    since = (await snapshot(store, folder_id)).highest_modseq
    assert await store.changes(folder_id, ANYONE, since) == type(
        await store.changes(folder_id, ANYONE, since)
    )(since, 5, (), (), ())
    await store.store_flags(folder_id, ANYONE, [1, 2], FlagChange.ADD, DELETED)
    await store.expunge(folder_id, ANYONE, [2])
    await fill(store, folder_id, 1)
    changes = await store.changes(folder_id, ANYONE, since)
    assert changes.added == (5,)
    assert {row.uid: row.flags for row in changes.changed if row.uid not in changes.added} == {1: DELETED}
    assert changes.vanished == (2,)
    assert changes.uid_next == 6
    assert changes.highest_modseq == (await snapshot(store, folder_id)).highest_modseq > since


@pytest.mark.req("IMP-1")
async def test_expunge_takes_only_deleted_ones_of_the_named(store: Store) -> None:
    """UID EXPUNGE touches neither others that are marked nor named ones that are not."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 4)
    await store.store_flags(folder_id, ANYONE, [1, 2, 3], FlagChange.ADD, DELETED)
    assert await store.expunge(folder_id, ANYONE, [2, 4, 77]) == [2]
    assert await store.expunge(folder_id, ANYONE, []) == []
    assert await store.expunge(folder_id, ANYONE, None) == [1, 3]
    assert await store.expunge(folder_id, ANYONE, None) == []
    assert await uids(store, folder_id) == [4]
    status = await store.status(folder_id, ANYONE)
    assert (status.messages, status.deleted, status.unseen) == (1, 0, 1)


@pytest.mark.req("IMP-1")
async def test_copies_share_the_body_and_outlive_the_original(store: Store) -> None:
    """Expunging the original does not take the octets from the copy; flags and dates are kept."""
    box = await add_box(store)
    folder_id, target = await inbox(store, box.id), await folder_named(store, box.id, "Archive")
    new = body(b"g" * 5000)
    await store.accept(delivery(new, box.id))
    await fill(store, folder_id, 1)
    await store.store_flags(folder_id, ANYONE, [1], FlagChange.ADD, frozenset({"\\Seen", "Suivi"}))
    copied = await store.copy(folder_id, ANYONE, [1, 55, 2], target.id)
    assert (copied.source_uids, copied.target_uids, copied.uid_validity) == (
        (1, 2),
        (1, 2),
        target.uid_validity,
    )
    await store.store_flags(folder_id, ANYONE, [1], FlagChange.ADD, DELETED)
    await store.expunge(folder_id, ANYONE, None)
    assert await is_whole(store, target.id, 1, new.digest)
    (row,) = await store.rows(target.id, ANYONE, [1], frozenset())
    assert (row.flags, row.internal_date) == (frozenset({"\\Seen", "Suivi"}), NOW)


@pytest.mark.req("IMP-1")
async def test_move_is_one_step(store: Store) -> None:
    """After MOVE the message is in one place only, and the source tells that it vanished."""
    box = await add_box(store)
    folder_id, target = await inbox(store, box.id), await folder_named(store, box.id, "Archive")
    new = body(b"g" * 5000)
    await store.accept(delivery(new, box.id))
    await fill(store, folder_id, 2)
    since = (await snapshot(store, folder_id)).highest_modseq
    moved = await store.move(folder_id, ANYONE, [1, 3], target.id)
    assert (moved.source_uids, moved.target_uids) == ((1, 3), (1, 2))
    assert (await uids(store, folder_id), await uids(store, target.id)) == ([2], [1, 2])
    assert (await store.changes(folder_id, ANYONE, since)).vanished == (1, 3)
    assert await is_whole(store, target.id, 1, new.digest)
    before = await uids(store, folder_id)
    with pytest.raises(NoSuchFolder):
        await store.move(folder_id, ANYONE, [2], 99_999)
    with pytest.raises(NoSuchFolder):
        await store.copy(folder_id, ANYONE, [2], 99_999)
    assert await uids(store, folder_id) == before


@pytest.mark.req("IMP-1")
async def test_moving_within_one_folder_gives_new_uids(store: Store) -> None:
    """RFC 6851 allows the same folder as target: messages get new UIDs and none is lost."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 2)
    moved = await store.move(folder_id, ANYONE, [1, 2], folder_id)
    assert moved.target_uids == (3, 4)
    assert await uids(store, folder_id) == [3, 4]


@pytest.mark.req("IMP-1")
async def test_status_counts(store: Store) -> None:
    """Messages, unseen, deleted and octets follow what happens."""
    folder_id = await _folder(store)
    new = body(b"abc")
    await store.append(folder_id, ANYONE, [NewAppend(new, SEEN, NOW), NewAppend(new, DELETED, NOW)])
    status = await store.status(folder_id, ANYONE)
    assert (status.messages, status.unseen, status.deleted, status.size) == (2, 1, 1, 2 * new.size)
    assert (status.uid_next, status.highest_modseq) == (3, (await snapshot(store, folder_id)).highest_modseq)
    await store.expunge(folder_id, ANYONE, None)
    status = await store.status(folder_id, ANYONE)
    assert (status.messages, status.unseen, status.deleted, status.size) == (1, 0, 0, new.size)


@pytest.mark.req("IMP-1")
async def test_rows_carry_only_what_was_wanted(store: Store) -> None:
    """Unknown UIDs are left out, order is ascending, columns that were not asked are None."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 3)
    rows = await store.rows(folder_id, ANYONE, [3, 9, 1], frozenset())
    assert [row.uid for row in rows] == [1, 3]
    assert all(
        (row.envelope, row.bodystructure, row.header, row.structure) == (None, None, None, None)
        for row in rows
    )


@pytest.mark.req("IMP-1")
async def test_keywords_of_a_folder_are_listed(store: Store) -> None:
    """SELECT announces the keywords in use; the same word in another case is the same keyword."""
    folder_id = await _folder(store)
    await fill(store, folder_id, 1, frozenset({"Suivi", "$MSSClosed"}))
    await store.store_flags(folder_id, ANYONE, [1], FlagChange.ADD, frozenset({"suivi"}))
    assert {word.lower() for word in (await snapshot(store, folder_id)).keywords} == {"suivi", "$mssclosed"}
    assert len((await flags_of(store, folder_id))[1]) == 2
