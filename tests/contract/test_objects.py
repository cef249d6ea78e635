"""What the store knows of single messages: when they were saved, their conversation, their content, their preview."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from mss_gateway.ports.mailboxes import MessageRow, NewAppend
from mss_gateway.ports.records import NewBody
from mss_gateway.ports.store import Store
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.migrate import migrate, migrations
from tests.support.store import (
    ANYONE,
    EVERYTHING,
    NOW,
    add_box,
    body,
    delivery,
    folder_named,
    inbox,
    sqlite_options,
)


def answering(own: int, *others: int) -> NewBody:
    """A body that names itself and what it answers."""
    return replace(body(), references=(own, *others))


async def rows(store: Store, folder_id: int) -> list[MessageRow]:
    """All messages of a folder."""
    uids = list((await store.snapshot(folder_id, ANYONE)).uids)
    return await store.rows(folder_id, ANYONE, uids, EVERYTHING)


async def threads(store: Store, folder_id: int) -> list[int | None]:
    """The conversations of a folder's messages."""
    return [row.thread for row in await rows(store, folder_id)]


async def deliver(store: Store, box_id: int, *bodies: NewBody) -> None:
    """One after the other."""
    for one in bodies:
        await store.accept(delivery(one, box_id))


async def test_a_delivery_and_an_append_have_a_save_date(store: Store) -> None:
    """The time of acceptance, and the time of filing whatever the internal date."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await deliver(store, box.id, body())
    before = time.time()
    await store.append(folder, ANYONE, [NewAppend(body(), frozenset(), 5.0)])
    first, second = await rows(store, folder)
    assert first.save_date == NOW
    assert second.internal_date == 5.0
    assert second.save_date is not None
    assert before - 1 <= second.save_date <= time.time() + 1


async def test_copies_have_a_save_date_of_their_own_and_the_rest_of_the_original(store: Store) -> None:
    """COPY and MOVE: another save date, the same digest, thread and internal date."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    target = (await folder_named(store, box.id, "Archive")).id
    await deliver(store, box.id, answering(7), answering(8, 7))
    before = await rows(store, folder)
    await store.copy(folder, ANYONE, [1], target)
    await store.move(folder, ANYONE, [2], target)
    after = await rows(store, target)
    for old, new in zip(before, after, strict=True):
        assert (old.digest, old.thread, old.internal_date) == (new.digest, new.thread, new.internal_date)
        assert new.save_date is not None
        assert new.save_date != old.save_date
        assert abs(new.save_date - time.time()) < 60


async def test_answers_join_the_nearest_message_that_is_known(store: Store) -> None:
    """By the parent, by any ancestor, or by the root alone; what answers nothing begins a conversation."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await deliver(
        store, box.id, answering(10), answering(11, 10), answering(12, 11), answering(13, 99, 12, 98)
    )
    await deliver(store, box.id, answering(20), answering(30, 29))
    assert await threads(store, folder) == [10, 10, 10, 10, 20, 29]
    await deliver(store, box.id, answering(29))
    assert (await threads(store, folder))[-1] == 29


async def test_a_conversation_keeps_its_number(store: Store) -> None:
    """What comes later, or again, changes no thread that was told."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await deliver(store, box.id, answering(12, 11), answering(11, 10), answering(12, 11))
    assert await threads(store, folder) == [11, 10, 11]


async def test_boxes_know_nothing_of_each_other(store: Store) -> None:
    """One body in two boxes is of the thread that each box knows."""
    one, two = await add_box(store, "un"), await add_box(store, "deux")
    await deliver(store, one.id, answering(5, 4))
    await store.accept(delivery(answering(6, 5), one.id, two.id))
    assert (await threads(store, await inbox(store, one.id)))[-1] == 4
    assert (await threads(store, await inbox(store, two.id)))[-1] == 5


async def test_a_body_without_references_stands_alone(store: Store) -> None:
    """By its digest."""
    box = await add_box(store)
    await deliver(store, box.id, body(), body())
    first, second = await threads(store, await inbox(store, box.id))
    assert first != second
    assert first is not None


async def test_previews_are_kept(store: Store) -> None:
    """None before, the text afterwards, with every copy; what has gone is passed over."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await deliver(store, box.id, body(), body())
    first, second = await rows(store, folder)
    assert first.preview is None
    await store.keep_previews({first.body_id: "Bonjour é", second.body_id: "", 999: "x"})
    await store.copy(folder, ANYONE, [1], (await folder_named(store, box.id, "Archive")).id)
    assert [row.preview for row in await rows(store, folder)] == ["Bonjour é", ""]
    assert [row.preview for row in await rows(store, (await folder_named(store, box.id, "Archive")).id)] == [
        "Bonjour é"
    ]


async def test_messages_of_before_have_no_save_date_and_a_thread_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migration 11 leaves what nobody knows unknown."""
    before = [one for one in migrations() if one[0] < 11]
    db = apsw.Connection(str(tmp_path / "store.db"))
    with monkeypatch.context() as patch:
        patch.setattr("mss_gateway.storage.sqlite.migrate.migrations", lambda: before)
        assert migrate(db) == 10
    db.execute(
        "INSERT INTO boxes (id, address, address_key, type, state, display, structure, responsible,"
        " patient_initiated, fin, password_login, created_at, state_at, state_reason)"
        " VALUES (7, 'a@hopital.example', 'a@hopital.example', 'ORG', 'active', '', '', '', 0, 'fin', 0, 1, 1, '');"
        "INSERT INTO folders (id, box_id, name, special_use, uid_validity, uid_next, messages)"
        " VALUES (3, 7, 'INBOX', '', 1, 3, 2);"
        "INSERT INTO bodies VALUES (5, 1, 4, 4, x'01', x'', x'', x'', NULL, '', NULL, NULL, NULL),"
        " (6, 1, 4, 4, x'02', x'', x'', x'', NULL, '', NULL, NULL, NULL);"
        "INSERT INTO body_bytes VALUES (5, x'0d0a0d0a', x''), (6, x'0d0a0d0a', x'');"
        "INSERT INTO messages VALUES (3, 1, 5, 0, '', 1, 1, 1.0), (3, 2, 6, 0, '', 1, 1, 1.0);"
    )
    db.close()
    store = SqliteStore(sqlite_options(tmp_path))
    await store.open()
    try:
        found = await rows(store, 3)
        assert [row.save_date for row in found] == [None, None]
        assert len({row.thread for row in found}) == 2
        await store.copy(3, ANYONE, [1], 3)
        copied = (await rows(store, 3))[-1]
        assert copied.thread == found[0].thread
        assert copied.save_date is not None
    finally:
        await store.close()
