"""No space left: a clear refusal, everything before kept, and work goes on by itself afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.store import StoreFull
from tests.support.store import ANYONE, BackEnd, add_box, body, delivery, inbox, is_whole, uids


@pytest.mark.req("RTE-4", "BAL-9")
async def test_a_full_store_refuses_keeps_and_recovers(back_end: BackEnd, tmp_path: Path) -> None:
    """Messages are accepted until `StoreFull`; each is whole; after an expunge there is room again."""
    store = back_end.build_small(tmp_path / "store")
    await store.open()
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    accepted: dict[int, bytes] = {}
    refused = 0
    while refused < 10:
        news = [body(b"d" * 1900) for _ in range(8)]
        outcomes = await asyncio.gather(
            *(store.accept(delivery(new, box.id)) for new in news), return_exceptions=True
        )
        for new, outcome in zip(news, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                assert isinstance(outcome, StoreFull)
                refused += 1
            else:
                accepted[outcome[0].uid] = new.digest
    assert accepted
    assert await uids(store, folder_id) == sorted(accepted)
    assert all([await is_whole(store, folder_id, uid, found) for uid, found in accepted.items()])
    gone = sorted(accepted)[:20]
    for uid in gone:
        # One by one: each expunge needs a little room itself.
        await store.store_flags(folder_id, ANYONE, [uid], FlagChange.ADD, frozenset({"\\Deleted"}))
    assert await store.expunge(folder_id, ANYONE, None) == gone
    (place,) = await store.accept(delivery(body(b"e" * 1900), box.id))
    assert place.uid == max(accepted) + 1
    await store.close()


@pytest.mark.req("RTE-4", "RTE-7")
async def test_a_full_disk_refuses_keeps_and_recovers(
    back_end: BackEnd, small_disk: Path | None, tmp_path: Path
) -> None:
    """Without room: `StoreFull`, nothing half stored; on a real disk, it goes on once there is room."""
    folder = (small_disk or tmp_path) / "store"
    ballast = (small_disk or tmp_path) / "ballast"
    ballast.write_bytes(b"\0" * 5_000_000)
    store = back_end.build(folder) if small_disk else back_end.build_small(folder)
    await store.open()
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    accepted: dict[int, bytes] = {}

    async def deliver(count: int) -> list[BaseException]:
        """Inline texts and texts of segments, by turns; return the refusals."""
        news = [body(b"d" * (1900, 9000)[number % 2]) for number in range(count)]
        calls = (store.accept(delivery(new, box.id)) for new in news)
        refused = []
        for new, outcome in zip(news, await asyncio.gather(*calls, return_exceptions=True), strict=True):
            if isinstance(outcome, BaseException):
                refused.append(outcome)
            else:
                accepted[outcome[0].uid] = new.digest
        return refused

    refused: list[BaseException] = []
    while len(refused) < 12:
        refused += await deliver(6)
    assert {type(error) for error in refused} == {StoreFull}
    assert await uids(store, folder_id) == sorted(accepted)
    ballast.unlink()
    if small_disk:
        assert await deliver(6) == []
    await store.close()
    store = back_end.build(folder)
    await store.open()
    assert await deliver(6) == []
    assert await uids(store, folder_id) == list(range(1, len(accepted) + 1))
    assert all([await is_whole(store, folder_id, uid, found) for uid, found in accepted.items()])
    await store.close()
