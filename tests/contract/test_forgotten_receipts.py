"""Receipts that were answered are kept as long as their message, for which none may be written again (RCP-2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.records import Receipt
from mss_gateway.rules.facts import BoxType
from mss_gateway.storage.sqlite import SqliteStore, store_tidy
from tests.support.store import ANYONE, add_box, body, delivery, inbox, sqlite_options, uids

pytestmark = pytest.mark.req("RCP-2", "OPS-5")
DELETED, SEEN = frozenset({"\\Deleted"}), frozenset({"\\Seen"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open, empty store."""
    made = SqliteStore(sqlite_options(tmp_path / "store"))
    await made.open()
    yield made
    await made.close()


async def states(store: SqliteStore) -> list[str]:
    """Of all receipts."""
    sql = "SELECT state FROM receipts ORDER BY id"
    return await store._engine.read(lambda db: [row[0] for row in db.execute(sql)])


async def forgotten(store: SqliteStore) -> int:
    """One round; how many it forgot."""
    return sum([tidied.rows async for tidied in store.forget_receipts()])


async def test_an_answered_receipt_goes_with_its_message(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, or in a round when it was answered after the message had gone; what is still owed stays."""
    monkeypatch.setattr(store_tidy, "RECEIPTS_AT_ONCE", 2)
    box, other = await add_box(store, kind=BoxType.PAT), await add_box(store, "autre")
    folder_id = await inbox(store, box.id)
    for _ in range(5):
        plain = delivery(body(), box.id)
        owed = (Receipt(box.id, "dr@hopital.example", "patient@hopital.example"),)
        await store.accept(replace(plain, parts=(replace(plain.parts[0], receipts=owed),)))
    there = await uids(store, folder_id)
    await store.store_flags(folder_id, ANYONE, there[:4], FlagChange.ADD, SEEN)
    opened = await store.opened()
    await store.accept(replace(delivery(body(), other.id), answered=(opened[0].id, opened[1].id)))
    assert await states(store) == ["sent", "sent", "opened", "opened", "due"]
    for uid in (there[0], there[2]):
        await store.store_flags(folder_id, ANYONE, [uid], FlagChange.ADD, DELETED)
    await store.expunge(folder_id, ANYONE, None)
    assert await states(store) == ["sent", "opened", "opened", "due"]
    assert await forgotten(store) == 0
    await store.accept(replace(delivery(body(), other.id), answered=(opened[2].id, opened[3].id)))
    assert await states(store) == ["sent", "sent", "sent", "due"]
    assert await forgotten(store) == 1
    assert await states(store) == ["sent", "sent", "due"]
