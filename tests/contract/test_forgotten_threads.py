"""Message-IDs of conversations that have ended are forgotten; a conversation that goes on, or can, keeps its number."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.records import NewBody, TraceLine
from mss_gateway.ports.removed import Wanted
from mss_gateway.storage.sqlite import SqliteStore, threads
from tests.support.store import ANYONE, EVERYTHING, add_box, body, delivery, inbox, sqlite_options, trace_line

pytestmark = pytest.mark.req("IMP-1", "OPS-5")
DELETED = frozenset({"\\Deleted"})
LINE = TraceLine(1.0, "undeleted", "")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store that keeps what is removed for a while."""
    made = SqliteStore(replace(sqlite_options(tmp_path / "store"), keep_deleted=1e6))
    await made.open()
    yield made
    await made.close()


def answering(own: int, *others: int) -> NewBody:
    """A body that names itself and what it answers."""
    return replace(body(), references=(own, *others))


async def deliver(store: SqliteStore, box_id: int, new: NewBody) -> int:
    """Into INBOX; its UID."""
    (place,) = await store.accept(delivery(new, box_id))
    return place.uid


async def thread_of(store: SqliteStore, folder_id: int, uid: int) -> int | None:
    """The conversation of a message."""
    (row,) = await store.rows(folder_id, ANYONE, [uid], EVERYTHING)
    return row.thread


async def take_away(store: SqliteStore, folder_id: int, *gone: int) -> None:
    """Marked and expunged."""
    await store.store_flags(folder_id, ANYONE, list(gone), FlagChange.ADD, DELETED)
    await store.expunge(folder_id, ANYONE, list(gone))


async def forgotten(store: SqliteStore) -> int:
    """One round; how many Message-IDs it forgot."""
    return sum([tidied.rows async for tidied in store.forget_threads()])


async def known(store: SqliteStore, box_id: int) -> set[int]:
    """The Message-IDs that a box knows."""
    sql = "SELECT reference FROM threads WHERE box_id = ?"
    return await store._engine.read(lambda db: {row[0] for row in db.execute(sql, (box_id,))})


async def test_only_ended_conversations_are_forgotten(store: SqliteStore) -> None:
    """One message anywhere in the box, or among the removed, keeps all of its conversation."""
    box, other = await add_box(store), await add_box(store, "autre")
    folder_id = await inbox(store, box.id)
    for own, *others in ((2, 1), (3, 2, 1), (-12, 11), (13, -12), (22, 21)):
        await deliver(store, box.id, answering(own, *others))
        await deliver(store, other.id, answering(own, *others))
    archive = await store.create_folder(box.id, "Archive 2026")
    await store.move(folder_id, ANYONE, [3], archive.id)
    await take_away(store, folder_id, 1, 2, 4, 5)
    assert await forgotten(store) == 0
    await store.forget_removed(math.inf)
    assert await forgotten(store) == 3
    assert await known(store, box.id) == {-12, 13}
    assert await known(store, other.id) == {2, 3, -12, 13, 22}
    late = await deliver(store, box.id, answering(14, 13, 99))
    assert await thread_of(store, folder_id, late) == 11
    assert await forgotten(store) == 0


async def test_what_comes_back_is_in_its_conversation_still(store: SqliteStore) -> None:
    """With those that answer it, before and after a round (RFC 8474 section 5.2)."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await deliver(store, box.id, answering(2, 1))
    before = await thread_of(store, folder_id, 1)
    await take_away(store, folder_id, 1)
    assert await forgotten(store) == 0
    (one,) = await store.removed(box.id, Wanted())
    await store.bring_back(box.id, [one.id], "", LINE)
    assert await thread_of(store, folder_id, 2) == before == 1
    answer = await deliver(store, box.id, answering(3, 2, 77))
    assert await thread_of(store, folder_id, answer) == before


async def test_a_purged_mailbox_knows_no_message_id(store: SqliteStore) -> None:
    """At once, without a round."""
    box = await add_box(store)
    await deliver(store, box.id, answering(2, 1))
    await store.purge_box(box.id, "test", trace_line())
    assert await known(store, box.id) == set()


async def act(store: SqliteStore, box_id: int, folders: list[int], kind: str) -> None:
    """What people do meanwhile."""
    there = [list((await store.snapshot(one, ANYONE)).uids) for one in folders]
    if kind == "deliver":
        await deliver(store, box_id, answering(106 + sum(map(len, there)), 101, 500))
    elif kind == "expunge":
        await take_away(store, folders[0], *there[0][:1])
        await take_away(store, folders[1], *there[1][:1])
    elif kind == "move":
        source = 0 if there[0] else 1
        await store.move(folders[source], ANYONE, there[source][-1:], folders[1 - source])
    elif kind == "return":
        found = await store.removed(box_id, Wanted())
        await store.bring_back(box_id, [one.id for one in found[:1]], "", LINE)
    else:
        await store.forget_removed(math.inf, box_id=box_id, limit=1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["deliver", "expunge", "move", "return", "end"])),
        max_size=12,
    )
)
async def test_a_conversation_that_goes_on_meanwhile_is_kept(
    store: SqliteStore, acts: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps of a round messages come, move, go and come back: none loses its conversation."""
    for name in ("MESSAGES_AT_ONCE", "KNOWN_AT_ONCE", "FORGOTTEN_AT_ONCE"):
        monkeypatch.setattr(threads, name, 2)
    box = await add_box(store, f"b{len(await store.boxes())}")
    folders = [await inbox(store, box.id), (await store.create_folder(box.id, "Zweit")).id]
    for number in range(1, 7):
        await deliver(store, box.id, answering(100 + number, number % 3))
    await take_away(store, folders[0], 2, 3, 5)
    await store.forget_removed(math.inf)

    async def alive() -> set[int | None]:
        sql = (
            "SELECT m.thread FROM messages AS m JOIN folders AS f ON f.id = m.folder_id WHERE f.box_id = ?1"
            " UNION SELECT thread FROM removed WHERE box_id = ?1"
        )
        return await store._engine.read(lambda db: {row[0] for row in db.execute(sql, (box.id,))})

    at, always, ever = 0, await alive(), await alive()
    async for _ in store.forget_threads():
        for when, kind in acts:
            if when == at:
                await act(store, box.id, folders, kind)
                always &= await alive()
                ever |= await alive()
        at += 1
    left = await known(store, box.id)
    for own in range(101, 107):
        if (own - 100) % 3 in always:
            assert own in left
        elif (own - 100) % 3 not in ever:
            assert own not in left


@pytest.mark.parametrize("kind", ["there", "back", "expunge", "return"])
async def test_a_message_that_wanders_during_a_round_is_seen(
    store: SqliteStore, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever step it goes from a place that was not read yet to one that was."""
    monkeypatch.setattr(threads, "MESSAGES_AT_ONCE", 1)
    box = await add_box(store)
    inbox_id, other = await inbox(store, box.id), (await store.create_folder(box.id, "Zweit")).id
    source, target = (inbox_id, other) if kind in ("there", "expunge") else (other, inbox_id)
    at, steps = -1, 1
    while at < steps:
        own = 1000 + 2 * at
        uid = await deliver(store, box.id, answering(own, own + 1))
        if source == other:
            (uid,) = (await store.move(inbox_id, ANYONE, [uid], other)).target_uids
        if kind == "return":
            await take_away(store, source, uid)
        step = 0
        async for _ in store.forget_threads():
            if step == at and kind == "return":
                (one,) = await store.removed(box.id, Wanted())
                await store.bring_back(box.id, [one.id], "INBOX", LINE)
            elif step == at and kind == "expunge":
                await take_away(store, source, uid)
            elif step == at:
                (uid,) = (await store.move(source, ANYONE, [uid], target)).target_uids
            step += 1
        assert own in await known(store, box.id)
        at, steps = at + 1, step
        for folder_id in (inbox_id, other):
            await take_away(store, folder_id, *(await store.snapshot(folder_id, ANYONE)).uids)
        await store.forget_removed(math.inf)


async def test_a_message_that_was_removed_at_last_is_seen(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came into a folder that was read before, and went among the removed when these had been read."""
    read: set[object] = set()
    in_folder, among_removed = threads.in_folder, threads.among_removed

    def folder_read(db: Any, folder_id: int, after: int) -> Any:
        read.add(folder_id)
        return in_folder(db, folder_id, after)

    def removed_read(db: Any, box_id: int, after: tuple[float, int]) -> Any:
        read.add("removed")
        return among_removed(db, box_id, after)

    monkeypatch.setattr(threads, "in_folder", folder_read)
    monkeypatch.setattr(threads, "among_removed", removed_read)
    box = await add_box(store)
    inbox_id, other = await inbox(store, box.id), (await store.create_folder(box.id, "Zweit")).id
    await deliver(store, box.id, answering(2, 1))
    await store.move(inbox_id, ANYONE, [1], other)
    moved = gone = 0
    async for _ in store.forget_threads():
        if inbox_id in read and not moved:
            assert other not in read
            (moved,) = (await store.move(other, ANYONE, [1], inbox_id)).target_uids
        if "removed" in read and not gone:
            await take_away(store, inbox_id, moved)
            gone = moved
    assert gone
    assert await known(store, box.id) == {2}
