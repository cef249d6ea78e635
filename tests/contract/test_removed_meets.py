"""What is removed and brought back, where other features look at it: index, receipts, activity, threads (OPS-5)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ops.operation import OperationRefused
from mss_gateway.ops.undelete import UndeleteOperations
from mss_gateway.ports.mailboxes import FlagChange, Viewer
from mss_gateway.ports.records import BoxRow, Receipt, TraceLine
from mss_gateway.ports.removed import Wanted
from mss_gateway.ports.store import StaleReceipt
from mss_gateway.ports.textsearch import TEXT
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import (
    ANYONE,
    add_box,
    body,
    delivery,
    folder_named,
    inbox,
    sealing,
    sqlite_options,
    uids,
)
from tests.support.textindex import indexed, put

pytestmark = pytest.mark.req("OPS-5")

LINE = TraceLine(1.0, "undeleted", "")
DELETED, SEEN = frozenset({"\\Deleted"}), frozenset({"\\Seen"})


@pytest.fixture(params=[False, True], ids=["clear", "sealed"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SqliteStore]:
    """A store that keeps what is removed, with its index on."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._BUSY", -1.0)
    folder = tmp_path / "store"
    options = sqlite_options(folder, encryption=sealing(folder) if request.param else None)
    made = SqliteStore(replace(options, keep_deleted=1e6))
    await made.open()
    yield made
    await made.close()


async def remove(store: SqliteStore, folder: int, viewer: Viewer = ANYONE) -> None:
    """All of a folder."""
    await store.store_flags(folder, viewer, await uids(store, folder), FlagChange.ADD, DELETED)
    await store.expunge(folder, viewer, None)


async def back(store: SqliteStore, box: BoxRow, folder: str = "") -> int:
    """All of a box that is kept."""
    ids = [one.id for one in await store.removed(box.id, Wanted())]
    return (await store.bring_back(box.id, ids, folder, LINE)).messages


async def found(store: SqliteStore, folder: int) -> set[int]:
    """What a search answers: what the index says of the messages that are there."""
    await store.find_text(folder, TEXT, "oedeme")
    return set((await indexed(store, folder, TEXT, "oedeme")).uids) & set(await uids(store, folder))


@pytest.mark.req("IMP-1")
async def test_what_is_removed_is_found_by_no_search_and_what_came_back_is(store: SqliteStore) -> None:
    """Also in another folder than before; the index says so and not only the scan."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await put(store, folder, b"Subject: a\r\n\r\nOedeme", b"Subject: b\r\n\r\nGenou")
    assert await found(store, folder) == {1}
    await remove(store, folder)
    assert await found(store, folder) == set()
    assert await back(store, box) == 2
    assert await found(store, folder) == {3}
    await remove(store, folder)
    assert await back(store, box, "Sent") == 2
    assert await found(store, (await folder_named(store, box.id, "Sent")).id) == {1}
    assert await found(store, folder) == set()


async def asked(store: SqliteStore, box: BoxRow) -> int:
    """A message whose sender wants to hear when it is opened; the folder."""
    new = delivery(body(message_id="<asked@hopital.example>"), box.id)
    receipt = Receipt(box.id, "dr.martin@hopital.example", box.address, "rfc822;x@y")
    await store.accept(replace(new, parts=(replace(new.parts[0], receipts=(receipt,)),)))
    return await inbox(store, box.id)


@pytest.mark.req("RCP-2")
async def test_a_receipt_is_owed_once_whatever_is_removed_and_brought_back(store: SqliteStore) -> None:
    """Not for what was removed unread; when it came back and was opened, once."""
    box = await add_box(store)
    folder = await asked(store, box)
    await remove(store, folder)
    assert await store.opened() == []
    await back(store, box)
    await store.store_flags(folder, ANYONE, [2], FlagChange.ADD, SEEN)
    (opened,) = await store.opened()
    answer = replace(delivery(body(), box.id), answered=(opened.id,))
    await store.accept(answer)
    await remove(store, folder)
    await back(store, box)
    await store.store_flags(folder, ANYONE, await uids(store, folder), FlagChange.REMOVE, SEEN)
    await store.store_flags(folder, ANYONE, await uids(store, folder), FlagChange.ADD, SEEN)
    assert await store.opened() == []
    with pytest.raises(StaleReceipt):
        await store.accept(answer)


@pytest.mark.req("RCP-2")
async def test_no_receipt_is_owed_for_what_was_forgotten_unread(store: SqliteStore) -> None:
    """It ends with the message."""
    box = await add_box(store)
    folder = await asked(store, box)
    await remove(store, folder)
    assert await store.forget_removed(math.inf) == 1
    assert await store._engine.read(lambda db: list(db.execute("SELECT * FROM receipts"))) == []


@pytest.mark.req("BAL-3")
async def test_who_did_what_outlives_the_removal_and_ends_with_the_message(store: SqliteStore) -> None:
    """The acts of members of a shared mailbox; no message of another mailbox is touched by one that ends."""
    box, other = await add_box(store), await add_box(store, "autre")
    people = [await store.add_person(name, name, "", "", LINE) for name in ("alix", "bo")]
    for person in people:
        await store.add_member(box.id, person.id, "member", LINE)
    alix = Viewer(people[0].id, shared=True)
    folder, there = await inbox(store, box.id), await inbox(store, other.id)
    both = body(message_id="<both@hopital.example>")
    await store.accept(delivery(both, box.id, other.id))
    await store.store_flags(folder, alix, [1], FlagChange.ADD, SEEN)
    await remove(store, folder, alix)
    acts = {one.act.value for one in await store.box_activity(box.id)}
    assert len(acts) >= 2
    await back(store, box)
    assert {one.act.value for one in await store.box_activity(box.id)} == acts
    await remove(store, folder, alix)
    await store.forget_removed(math.inf)
    assert await uids(store, there) == [1]
    (row,) = await store.rows(there, ANYONE, [1], frozenset())
    assert await store.read_text(row.body_id, 0, 100) == both.text
    assert await store.removed(other.id, Wanted()) == []


async def test_it_comes_back_into_the_conversation_it_was_in(store: SqliteStore) -> None:
    """THREADID and EMAILID are those of before: it is the same message (RFC 8474)."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await store.accept(delivery(replace(body(), references=(77,)), box.id))
    (before,) = await store.rows(folder, ANYONE, [1], frozenset())
    await remove(store, folder)
    await back(store, box)
    (after,) = await store.rows(folder, ANYONE, [2], frozenset())
    assert (after.thread, after.body_id) == (before.thread, before.body_id)


async def test_two_at_once_bring_it_back_once(store: SqliteStore) -> None:
    """And one who brings back while another ends: it is in the mailbox whole, or gone."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await store.accept(delivery(body(b"x" * 5000), box.id))
    await remove(store, folder)
    (one,) = await store.removed(box.id, Wanted())
    first, second = [store.bring_back(box.id, [one.id, one.id], "", LINE) for _ in range(2)]
    assert ((await first).messages, (await second).messages) == (1, 0)
    await remove(store, folder)
    (one,) = await store.removed(box.id, Wanted())
    ending, coming = store.forget_removed(math.inf), store.bring_back(box.id, [one.id], "", LINE)
    assert (await ending, (await coming).messages) == (1, 0)
    assert await uids(store, folder) == []


@pytest.mark.req("BAL-3")
async def test_a_folder_made_anew_is_open_to_nobody_whom_it_was_closed_to(store: SqliteStore) -> None:
    """Rights that were set in a folder of a shared mailbox come back with it; who has left gets none."""
    box = await add_box(store)
    alix, bo, gone = [await store.add_person(name, name, "", "", LINE) for name in ("alix", "bo", "gone")]
    for person in (alix, bo, gone):
        await store.add_member(box.id, person.id, "member", LINE)
    await store.add_member(box.id, alix.id, "responsible", LINE)
    folder = await store.create_folder(box.id, "Confidentiel")
    await store.grant(folder.id, bo.id, frozenset(), LINE)
    await store.grant(folder.id, gone.id, frozenset("lr"), LINE)
    await store.accept(delivery(body(), box.id, folder="Confidentiel"))
    await store.accept(delivery(body(), box.id, folder="Confidentiel"))
    await store.store_flags(folder.id, ANYONE, [1], FlagChange.ADD, DELETED)
    await store.expunge(folder.id, ANYONE, None)
    await store.delete_folder(folder.id)
    await store.remove_member(box.id, gone.id, LINE)
    await back(store, box)
    again = await folder_named(store, box.id, "Confidentiel")
    closed = await store.access(box.id, bo.id)
    assert closed is not None
    assert closed.rights(again.id) == frozenset()
    rows = await store._engine.read(lambda db: list(db.execute("SELECT person_id FROM folder_rights")))
    assert rows == [(bo.id,)]


@pytest.mark.parametrize("to", ["a//b", "/a", "a/", "a\r\nb", "Patients*", "%"])
async def test_nothing_is_brought_back_to_a_folder_that_no_client_could_name(
    store: SqliteStore, to: str
) -> None:
    """And INBOX is one folder, however it is written."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await put(store, folder, b"Subject: a\r\n\r\nx")
    await remove(store, folder)
    (one,) = await store.removed(box.id, Wanted())
    table = UndeleteOperations(store, 1e6).table()
    arguments = {"address": box.address, "ids": [one.id], "reason": "essai", "actor": "ops"}
    with pytest.raises(OperationRefused) as refused:
        await table["undelete.message"]({**arguments, "to": to})
    assert refused.value.reason == "folder-name"
    done = await table["undelete.message"]({**arguments, "to": "inbox"})
    assert done["folders"] == {"INBOX": 1}


async def test_a_folder_larger_than_one_call_says_that_more_is_kept(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes a part for the whole, and waits until the rest has ended."""
    monkeypatch.setattr("mss_gateway.ops.undelete.MOST", 2)
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await put(store, folder, *[b"Subject: a\r\n\r\n%d" % number for number in range(3)])
    await remove(store, folder)
    table = UndeleteOperations(store, 1e6).table()
    arguments = {"address": box.address, "folder": "INBOX", "reason": "essai", "actor": "ops"}
    told = [await table["undelete.folder"](arguments) for _ in range(2)]
    assert [(one["folders"], one["more"]) for one in told] == [({"INBOX": 2}, True), ({"INBOX": 1}, False)]
