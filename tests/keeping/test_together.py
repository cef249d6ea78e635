"""Where features meet that were built apart: encryption, backup and restore, undelete, receipts, verify (OPS-5)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline.forgetting import Forgetting
from mss_gateway.ports.encryption import Goal
from mss_gateway.ports.keeping import Work
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.records import Receipt, TraceLine
from mss_gateway.ports.removed import Wanted
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup import back_up
from mss_gateway.storage.sqlite.restore import restore
from mss_gateway.storage.sqlite.verify import verify_store
from tests.support.keeping import LARGE, MIDDLE, SMALL, Kept, all_octets, quiet, sql
from tests.support.store import ANYONE, body, delivery, sealing, trace_line, uids

pytestmark = pytest.mark.req("OPS-5")

ONE = b"k1 " + b"11" * 32 + b"\n"
TWO = ONE + b"k2 " + b"22" * 32 + b"\n"
ONLY_TWO = b"k2 " + b"22" * 32 + b"\n"
LINE = TraceLine(1.0, "undeleted", "")


def with_keys(kept: Kept, keys: bytes | None, *, seals: bool = True, keep: float = 1e6) -> SqliteStore:
    """The store of a test, closed, with that ring of keys; what is removed is kept."""
    encryption = None if keys is None else sealing(kept.folder / "ring", keys, seals=seals)
    kept.options = replace(kept.options, encryption=encryption, keep_deleted=keep)
    kept.store = SqliteStore(kept.options)
    return kept.store


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """An encrypted store with messages of every size, which keeps what is removed."""
    made = Kept(tmp_path)
    with_keys(made, ONE)
    await made.open()
    await made.deliver(SMALL, MIDDLE, LARGE)
    yield made
    await made.store.close()


def whole(kept: Kept) -> bool:
    """`verify` finds nothing; what it finds is shown."""
    result = verify_store(kept.task(Work.VERIFY), quiet)
    assert result["findings"] == []
    return bool(result["whole"])


async def remove(store: SqliteStore, folder: int, gone: list[int]) -> None:
    """Marked and expunged."""
    await store.store_flags(folder, ANYONE, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
    assert await store.expunge(folder, ANYONE, gone) == gone


async def back(store: SqliteStore, box: int) -> int:
    """Bring all back that is kept; how many."""
    ids = [one.id for one in await store.removed(box, Wanted())]
    return (await store.bring_back(box, ids, "", LINE)).messages


async def worked(store: SqliteStore, goal: Goal) -> None:
    """All of that work, and what is to be done after it."""
    await store.begin_work(goal, trace_line("encryption"))
    while (done := await store.work_step()) is not None and not done.done:
        continue
    await asyncio.wait_for(store.end_work(), 90)


async def restored(kept: Kept, tmp_path: Path) -> SqliteStore:
    """A backup of the store, restored and opened; the old one is closed."""
    back_up(kept.task(), quiet)
    await kept.store.close()
    restore(kept.target, tmp_path / "new", "", None, quiet)
    kept.options = replace(kept.options, path=tmp_path / "new" / "store")
    kept.state = tmp_path / "new"
    kept.store = SqliteStore(kept.options)
    await kept.store.open()
    return kept.store


async def test_what_is_removed_follows_the_keys(kept: Kept) -> None:
    """Set aside under the first key, wrapped anew, the old key thrown away: it comes back octet by octet."""
    before = await all_octets(kept.store, kept.inbox)
    await remove(kept.store, kept.inbox, [1, 2, 3])
    await kept.store.close()
    store = with_keys(kept, TWO)
    await store.open()
    await worked(store, Goal.ROTATE)
    await store.close()
    store = with_keys(kept, ONLY_TWO)
    await store.open()
    assert whole(kept)
    assert await back(store, kept.box) == 3
    assert await all_octets(store, kept.inbox) == before
    assert whole(kept)


async def test_what_is_removed_is_laid_open_and_sealed_with_the_rest(kept: Kept) -> None:
    """Encryption off again and the keys thrown away: it still comes back; and it goes with its octets in the end."""
    before = await all_octets(kept.store, kept.inbox)
    await remove(kept.store, kept.inbox, [1, 2, 3])
    await kept.store.close()
    store = with_keys(kept, ONE, seals=False)
    await store.open()
    await worked(store, Goal.DECRYPT)
    await store.close()
    store = with_keys(kept, None)
    await store.open()
    assert await back(store, kept.box) == 3
    assert await all_octets(store, kept.inbox) == before
    await remove(store, kept.inbox, await uids(store, kept.inbox))
    assert await store.forget_removed(math.inf) == 3
    assert whole(kept)
    assert sql(kept.options.path, "SELECT count(*) FROM bodies") == [(0,)]


async def test_a_restored_store_counts_what_is_encrypted(kept: Kept, tmp_path: Path) -> None:
    """New bodies go on at a number that none has reached: counting does not go through the numbers in between."""
    store = await restored(kept, tmp_path)
    await store.accept(delivery(body(b"apres"), kept.box))
    status = await asyncio.wait_for(store.encryption_status(), 90)
    assert [(key.name, key.bodies) for key in status.keys] == [("k1", 4)]
    assert status.clear == 0


async def test_what_was_removed_comes_back_after_a_restore(kept: Kept, tmp_path: Path) -> None:
    """With the mail that lay beside it; under a UIDVALIDITY that no client knows, and found nowhere before."""
    before = await all_octets(kept.store, kept.inbox)
    (old,) = [one for one in await kept.store.folders(kept.box) if one.name == "INBOX"]
    await remove(kept.store, kept.inbox, [2])
    store = await restored(kept, tmp_path)
    (new,) = [one for one in await store.folders(kept.box) if one.name == "INBOX"]
    assert new.uid_validity > old.uid_validity
    assert await uids(store, kept.inbox) == [1, 3]
    assert await back(store, kept.box) == 1
    assert sorted(await all_octets(store, kept.inbox)) == sorted(before)
    assert whole(kept)
    assert (await store.verify_trace()).damage == ()


@pytest.mark.req("RCP-2")
@pytest.mark.parametrize("keys", [ONLY_TWO, None], ids=["rotated", "laid open"])
async def test_a_receipt_that_a_restore_keeps_back_quotes_its_message_in_the_end(
    kept: Kept, tmp_path: Path, keys: bytes | None
) -> None:
    """Though the keys were changed, or thrown away, while it waited."""
    asked = delivery(body(message_id="<asked@hopital.example>"), kept.box)
    receipt = Receipt(kept.box, "dr.martin@hopital.example", "patient@hopital.example", "rfc822;x@y")
    await kept.store.accept(replace(asked, parts=(replace(asked.parts[0], receipts=(receipt,)),)))
    seen = frozenset({"\\Seen"})
    await kept.store.store_flags(kept.inbox, ANYONE, [4], FlagChange.ADD, seen)
    (before,) = await kept.store.opened()
    store = await restored(kept, tmp_path)
    assert await store.opened() == []
    await store.close()
    store = with_keys(kept, ONE if keys is None else TWO, seals=keys is not None)
    await store.open()
    await worked(store, Goal.DECRYPT if keys is None else Goal.ROTATE)
    await store.close()
    store = with_keys(kept, keys)
    await store.open()
    await store.release_receipts("ops")
    (after,) = await store.opened()
    assert after.header == before.header
    assert whole(kept)


async def test_verify_knows_a_key_that_the_gateway_does_not_know_yet(kept: Kept) -> None:
    """The ring has a new key, the gateway was not started again: nothing is wrong with the store."""
    sealing(kept.folder / "ring", TWO)
    assert whole(kept)


async def test_a_rotation_meanwhile_is_no_damage(kept: Kept, tmp_path: Path) -> None:
    """Examined and backed up while keys and octets change: no finding, and the backup is whole."""
    await kept.deliver(*([SMALL, MIDDLE] * 20))
    before = await all_octets(kept.store, kept.inbox)
    await kept.store.close()
    store = with_keys(kept, TWO)
    await store.open()

    async def turn() -> None:
        await worked(store, Goal.ROTATE)

    async def remove_some() -> None:
        for uid in range(10, 20):
            await remove(store, kept.inbox, [uid])
            await back(store, kept.box)

    work = asyncio.gather(turn(), remove_some())
    await asyncio.to_thread(lambda: back_up(kept.task(), quiet))
    while not work.done():
        result = await asyncio.to_thread(lambda: verify_store(kept.task(Work.VERIFY), quiet))
        assert result["findings"] == []
        await asyncio.sleep(0)
    await work
    assert sorted(await all_octets(store, kept.inbox)) == sorted(before)
    again = await restored(kept, tmp_path)
    there = await all_octets(again, kept.inbox)
    assert await back(again, kept.box) + len(there) == len(before)
    assert sorted(await all_octets(again, kept.inbox)) == sorted(before)


async def test_a_clock_that_was_set_back_costs_no_backup(kept: Kept) -> None:
    """Those of the time that never was seem to be newer: the one that was just made stays nevertheless."""
    back_up(kept.task(), quiet)
    (first,) = (kept.target / "backups").iterdir()
    first.rename(first.with_name("20991231T000000Z.json"))
    made = back_up(kept.task(keep=1), quiet)
    assert [path.stem for path in (kept.target / "backups").iterdir()] == [made["backup"]]


@pytest.mark.req("AUD-1")
@pytest.mark.parametrize("below", [True, False])
async def test_the_key_of_the_trace_comes_back_where_it_is_looked_for(tmp_path: Path, below: bool) -> None:
    """In a folder of its own below the state folder, or beside it; the chain goes on and holds."""
    kept = Kept(tmp_path)
    key = (kept.state if below else tmp_path) / "keys" / "trace.key"
    kept.options = replace(kept.options, audit_key=key)
    kept.store = SqliteStore(kept.options)
    await kept.open()
    await kept.store.seal_trace(1.0)
    back_up(kept.task(), quiet)
    await kept.store.close()
    new = tmp_path / "new"
    restore(kept.target, new, "", None, quiet)
    found = new / "keys" / "trace.key" if below else new / "audit.key"
    assert found.read_bytes() == key.read_bytes()
    assert found.with_suffix(".seals").read_bytes() == key.with_suffix(".seals").read_bytes()
    store = SqliteStore(replace(kept.options, path=new / "store", audit_key=found))
    await store.open()
    await kept_lines(store)
    verdict = await store.verify_trace()
    assert (verdict.damage, verdict.seals) == ((), 2)
    await store.close()


async def kept_lines(store: SqliteStore) -> None:
    """The trace goes on, sealed."""
    await store.write_trace([trace_line("login")])
    await store.seal_trace(2.0)


async def test_nothing_kept_any_more_ends_what_was_kept(kept: Kept) -> None:
    """The setting turned to 0: what it had kept goes like the rest, and new mail is not kept."""
    await remove(kept.store, kept.inbox, [1, 2])
    await kept.store.close()
    store = with_keys(kept, ONE, keep=0.0)
    await store.open()
    forgetting = Forgetting(store, 0.0, Log(LogOptions("console", "error"), Figures()))
    assert await forgetting.forget(time.time()) == 2
    await remove(store, kept.inbox, [3])
    assert sql(
        kept.options.path, "SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM bodies)"
    ) == [(0,)]
    assert whole(kept)


async def owing(kept: Kept, count: int) -> None:
    """Messages whose senders want to hear when they are opened."""
    for number in range(count):
        new = delivery(body(message_id=f"<asked{number}@hopital.example>"), kept.box)
        receipt = Receipt(kept.box, "dr.martin@hopital.example", f"p{number}@hopital.example", "rfc822;x@y")
        await kept.store.accept(replace(new, parts=(replace(new.parts[0], receipts=(receipt,)),)))


@pytest.mark.req("RCP-2")
async def test_what_is_opened_or_ended_while_receipts_are_kept_back(kept: Kept, tmp_path: Path) -> None:
    """Opened meanwhile: owed once they are let go, with the moment it was opened. Ended unread: owed no more."""
    await owing(kept, 3)
    store = await restored(kept, tmp_path)
    await store.store_flags(kept.inbox, ANYONE, [4], FlagChange.ADD, frozenset({"\\Seen"}))
    await remove(store, kept.inbox, [5])
    await store.forget_removed(math.inf)
    assert await store.opened() == []
    assert whole(kept)
    await store.release_receipts("ops")
    (opened,) = await store.opened()
    assert opened.recipient == "p0@hopital.example"
    assert b"<asked0@hopital.example>" in opened.header
    await store.store_flags(kept.inbox, ANYONE, [6], FlagChange.ADD, frozenset({"\\Seen"}))
    assert [one.recipient for one in await store.opened()] == ["p0@hopital.example", "p2@hopital.example"]
