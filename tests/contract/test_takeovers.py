"""Messages taken over from another server: each once, whatever is brought again (IMP-4)."""

from __future__ import annotations

import pytest

from mss_gateway.ports.access import OverQuota
from mss_gateway.ports.mailboxes import NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.records import BoxChoices
from mss_gateway.ports.store import Store
from mss_gateway.ports.takeover import Origin, TakenOver
from tests.support.store import ANYONE, NOW, add_box, body, flags_of, inbox, snapshot, trace_line

SEEN = frozenset({"\\Seen", "Suivi"})


def message(uid: int, flags: frozenset[str] = SEEN) -> TakenOver:
    """One message of the other server."""
    return TakenOver(uid, NewAppend(body(subject=f"n° {uid}"), flags, NOW - uid))


@pytest.mark.req("IMP-4")
async def test_what_is_brought_again_stays_one_message(store: Store) -> None:
    """The second run gives the UIDs of the first, and adds only what is new; flags and dates are kept."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    origin = Origin(box.id, "source", "INBOX", 7)
    first = await store.take_over(folder_id, origin, [message(3), message(5)], [])
    again = await store.take_over(folder_id, origin, [message(3), message(5), message(9)], [])
    assert again[:2] == first
    assert await store.taken(origin) == [3, 5, 9]
    assert len((await snapshot(store, folder_id)).uids) == 3
    assert (await flags_of(store, folder_id))[first[0]] == SEEN
    (row,) = await store.rows(folder_id, ANYONE, first[:1], frozenset())
    assert row.internal_date == NOW - 3


@pytest.mark.req("IMP-4")
async def test_origins_are_told_apart(store: Store) -> None:
    """Another account, folder, UIDVALIDITY or mailbox here is another message, though the UID is the same."""
    one, other = await add_box(store), await add_box(store, "secretariat")
    folder_id, other_id = await inbox(store, one.id), await inbox(store, other.id)
    origins = [
        (folder_id, Origin(one.id, "source", "INBOX", 7)),
        (folder_id, Origin(one.id, "autre", "INBOX", 7)),
        (folder_id, Origin(one.id, "source", "Sent", 7)),
        (folder_id, Origin(one.id, "source", "INBOX", 8)),
        (other_id, Origin(other.id, "source", "INBOX", 7)),
    ]
    for place, origin in origins:
        assert await store.taken(origin) == []
        await store.take_over(place, origin, [message(1)], [])
    assert len((await snapshot(store, folder_id)).uids) == 4


@pytest.mark.req("IMP-4", "BAL-3")
async def test_in_a_shared_mailbox_what_was_read_is_read_by_its_members(store: Store) -> None:
    """`\\Seen` is each member's own there: those of today get it, one who comes later does not."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    origin = Origin(box.id, "source", "INBOX", 7)
    read, unread = await store.take_over(folder_id, origin, [message(1), message(2, frozenset())], [11, 12])
    for person, seen in ((11, True), (12, True), (13, False)):
        rows = await store.rows(folder_id, Viewer(person, shared=True), [read, unread], frozenset())
        assert [("\\Seen" in row.flags) for row in rows] == [seen, False]
        assert "Suivi" in rows[0].flags


@pytest.mark.req("IMP-4")
async def test_a_folder_that_has_gone_takes_nothing(store: Store) -> None:
    """Nothing is remembered of what was not stored."""
    box = await add_box(store)
    folder = await store.create_folder(box.id, "Ancien")
    await store.delete_folder(folder.id)
    origin = Origin(box.id, "source", "INBOX", 7)
    with pytest.raises(NoSuchFolder):
        await store.take_over(folder.id, origin, [message(1)], [])
    assert await store.taken(origin) == []


@pytest.mark.req("IMP-4", "BAL-9")
async def test_a_full_mailbox_takes_none_of_a_group(store: Store) -> None:
    """Over its quota nothing of the commit is kept; with more room the same group comes whole."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    origin = Origin(box.id, "source", "INBOX", 7)
    await store.set_box_choices(box.id, BoxChoices(quota_messages=1), trace_line())
    with pytest.raises(OverQuota):
        await store.take_over(folder_id, origin, [message(1), message(2)], [])
    assert await store.taken(origin) == []
    await store.set_box_choices(box.id, BoxChoices(quota_messages=2), trace_line())
    assert len(await store.take_over(folder_id, origin, [message(1), message(2)], [])) == 2
