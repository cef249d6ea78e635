"""Many tasks at once on the same folders: UIDs, mod-sequences and flags stay right."""

from __future__ import annotations

import asyncio

import pytest

from mss_gateway.ports.mailboxes import FlagChange, Viewer
from mss_gateway.ports.store import Store
from tests.support.store import (
    ANYONE,
    add_box,
    body,
    delivery,
    fill,
    flags_of,
    folder_named,
    inbox,
    snapshot,
    uids,
)

DELETED = frozenset({"\\Deleted"})


@pytest.mark.req("IMP-1", "RTE-4")
async def test_uids_of_many_deliverers_have_neither_gaps_nor_doubles(store: Store) -> None:
    """Twenty tasks deliver at once: UIDs are 1 to n, and mod-sequences grow with them."""
    box = await add_box(store)

    async def deliver() -> list[tuple[int, int]]:
        placed = [(await store.accept(delivery(body(b"k" * 3000), box.id)))[0] for _ in range(10)]
        return [(place.uid, place.modseq) for place in placed]

    outcomes = await asyncio.gather(*(deliver() for _ in range(20)))
    pairs = sorted(pair for outcome in outcomes for pair in outcome)
    assert [uid for uid, _ in pairs] == list(range(1, 201))
    modseqs = [modseq for _, modseq in pairs]
    assert modseqs == sorted(set(modseqs))
    assert all(outcome == sorted(outcome) for outcome in outcomes)


@pytest.mark.req("IMP-1")
async def test_no_flag_is_lost_when_many_sessions_store(store: Store) -> None:
    """Each of thirty sessions adds its own keyword to the same messages; all are there at the end."""
    folder_id = await inbox(store, (await add_box(store)).id)
    await fill(store, folder_id, 5)
    words = [f"mot{number}" for number in range(30)]
    await asyncio.gather(
        *(
            store.store_flags(folder_id, ANYONE, [1, 2, 3, 4, 5], FlagChange.ADD, frozenset({word}))
            for word in words
        )
    )
    assert await flags_of(store, folder_id) == dict.fromkeys(range(1, 6), frozenset(words))


@pytest.mark.req("BAL-3")
async def test_members_read_at_the_same_time_without_disturbing_each_other(store: Store) -> None:
    """Ten members mark different messages as seen at once; each sees exactly their own marks."""
    folder_id = await inbox(store, (await add_box(store)).id)
    await fill(store, folder_id, 10)
    members = [Viewer(number, shared=True) for number in range(1, 11)]
    seen = frozenset({"\\Seen"})
    await asyncio.gather(
        *(
            store.store_flags(folder_id, member, list(range(1, member.person_id + 1)), FlagChange.ADD, seen)
            for member in members
        )
    )
    for member in members:
        marks = await flags_of(store, folder_id, member)
        assert [uid for uid, flags in marks.items() if flags == seen] == list(range(1, member.person_id + 1))


@pytest.mark.req("IMP-1")
async def test_deliver_copy_move_and_expunge_at_once(store: Store) -> None:
    """Whatever the order, no UID comes twice, CHANGES explains every difference, and counters agree with rows."""
    box = await add_box(store)
    folder_id, archive = await inbox(store, box.id), await folder_named(store, box.id, "Archive")
    start = await snapshot(store, folder_id)
    given: list[int] = []

    async def deliver() -> None:
        for _ in range(25):
            (place,) = await store.accept(delivery(body(b"k" * 2500), box.id))
            given.append(place.uid)

    async def remove() -> None:
        for _ in range(15):
            here = await uids(store, folder_id)
            await store.store_flags(folder_id, ANYONE, here[:2], FlagChange.ADD, DELETED)
            await store.expunge(folder_id, ANYONE, here[:2])

    async def spread() -> None:
        for _ in range(15):
            here = await uids(store, folder_id)
            await store.copy(folder_id, ANYONE, here[-3:], archive.id)
            await store.move(folder_id, ANYONE, here[2:3], archive.id)

    await asyncio.gather(deliver(), deliver(), remove(), remove(), spread(), spread())
    assert sorted(given) == list(range(1, 51))
    for place in (folder_id, archive.id):
        status, known = await store.status(place, ANYONE), await uids(store, place)
        assert status.messages == len(known) == len(set(known))
        assert status.uid_next > max(known, default=0)
        rows = await store.rows(place, ANYONE, known, frozenset())
        assert status.size == sum(row.size for row in rows)
        texts = await store.read_texts([row.body_id for row in rows], 10_000)
        assert {row.body_id for row in rows} == set(texts)
        assert all(text == b"k" * 2500 for text in texts.values())
    changes = await store.changes(folder_id, ANYONE, start.highest_modseq)
    assert sorted([*changes.added, *changes.vanished]) == list(range(1, 51))
    assert list(changes.added) == await uids(store, folder_id)


@pytest.mark.req("IMP-1")
async def test_conditional_store_lets_one_of_two_win(store: Store) -> None:
    """Of two sessions with the same UNCHANGEDSINCE, the second is held back."""
    folder_id = await inbox(store, (await add_box(store)).id)
    await fill(store, folder_id, 1)
    for turn in range(10):
        known = (await snapshot(store, folder_id)).highest_modseq
        outcomes = await asyncio.gather(
            *(
                store.store_flags(folder_id, ANYONE, [1], FlagChange.ADD, frozenset({f"{name}{turn}"}), known)
                for name in "ab"
            )
        )
        assert sorted(outcome.held_back for outcome in outcomes) == [(), (1,)]
