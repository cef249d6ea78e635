"""What the store tells of the tree of folders and of rights after each commit, and the counters of many folders."""

from __future__ import annotations

import pytest

from mss_gateway.ports.mailboxes import FolderExists
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import Store
from mss_gateway.ports.tree import TreeAct, TreeEvent
from tests.support.store import add_box, fill, folder_named, inbox

pytestmark = pytest.mark.req("IMP-1")
LINE = TraceLine(0.0, "test", "", actor="ops")


def listening(store: Store) -> list[tuple[TreeAct, str, str]]:
    """What is heard from now on: the act, the name and the old one."""
    heard: list[tuple[TreeAct, str, str]] = []
    store.on_tree_change(lambda event: heard.append((event.act, event.name, event.old_name)))
    return heard


async def test_each_act_is_told_once_and_in_order(store: Store) -> None:
    """Parents that are made too are told; inferiors that are renamed too are not."""
    box = await add_box(store)
    heard = listening(store)
    made = await store.create_folder(box.id, "a/b")
    await store.create_folder(box.id, "a/b/c")
    await store.rename_folder(made.id, "x/y")
    await store.delete_folder(made.id)
    assert heard == [
        (TreeAct.CREATED, "a", ""),
        (TreeAct.CREATED, "a/b", ""),
        (TreeAct.CREATED, "a/b/c", ""),
        (TreeAct.RENAMED, "x/y", "a/b"),
        (TreeAct.CREATED, "x", ""),
        (TreeAct.DELETED, "x/y", ""),
    ]


async def test_renaming_inbox_is_told_of_the_new_folder(store: Store) -> None:
    """INBOX stays where it is; its messages are told as of changed folders."""
    box = await add_box(store)
    await fill(store, await inbox(store, box.id), 1)
    events: list[TreeEvent] = []
    store.on_tree_change(events.append)
    await store.rename_folder(await inbox(store, box.id), "Ancien")
    target = await folder_named(store, box.id, "Ancien")
    assert events == [TreeEvent(box.id, TreeAct.RENAMED, target.id, "Ancien", "INBOX")]


async def test_what_was_rolled_back_is_not_told(store: Store) -> None:
    """A name that is taken: nothing has happened, though the parent came first."""
    box = await add_box(store)
    await store.create_folder(box.id, "a")
    heard = listening(store)
    with pytest.raises(FolderExists):
        await store.create_folder(box.id, "a")
    folder = await folder_named(store, box.id, "a")
    with pytest.raises(FolderExists):
        await store.rename_folder(folder.id, "INBOX")
    assert heard == []


async def test_subscriptions_and_members(store: Store) -> None:
    """A subscription carries whose it is; members who come, go or are set apart are a matter of rights."""
    box = await add_box(store)
    person = await store.add_person("anne", "Anne", "", "x", LINE)
    events: list[TreeEvent] = []
    store.on_tree_change(events.append)
    await store.set_subscription(box.id, person.id, "INBOX", False)
    await store.add_member(box.id, person.id, "member", LINE)
    await store.remove_member(box.id, person.id, LINE)
    assert events == [
        TreeEvent(box.id, TreeAct.SUBSCRIPTION, name="INBOX", person_id=person.id),
        TreeEvent(box.id, TreeAct.RIGHTS),
        TreeEvent(box.id, TreeAct.RIGHTS),
    ]


async def test_counters_of_many_folders_at_once(store: Store) -> None:
    """They are those of STATUS; folders that are not there are left out."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await fill(store, folder, 3)
    other = await folder_named(store, box.id, "Sent")
    found = await store.counters([folder, other.id, 999_999])
    assert found.keys() == {folder, other.id}
    assert (found[folder].messages, found[folder].uid_next) == (3, 4)
    assert found[folder].highest_modseq > found[other.id].highest_modseq
    assert found[other.id].uid_validity == other.uid_validity
