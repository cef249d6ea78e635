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
