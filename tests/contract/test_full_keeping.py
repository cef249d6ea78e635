"""No space left while mail is forgotten, brought back, sealed anew, or its trace purged: nothing is lost (RTE-4)."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.encryption import Goal
from mss_gateway.ports.keeping import Work
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.removed import Wanted
from mss_gateway.ports.store import StoreFull
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup_options import KeepOptions, KeptPlace, Task
from mss_gateway.storage.sqlite.verify import verify_store
from tests.support.keeping import quiet
from tests.support.store import (
    ANYONE,
    NOW,
    add_box,
    body,
    delivery,
    inbox,
    is_whole,
    sealing,
    sqlite_options,
    trace_line,
    uids,
)

pytestmark = pytest.mark.req("RTE-4", "OPS-5")

ONE = b"k1 " + b"11" * 32 + b"\n"
TWO = ONE + b"k2 " + b"22" * 32 + b"\n"
ROOM = 1_000_000
"""Octets of an old log that is removed."""


class Crowded:
    """A store on a disk that is filled on demand; `whole` are the digests of what it must hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"
        self.whole: list[bytes] = []
        self.open_with(ONE)

    def open_with(self, keys: bytes) -> None:
        """Another ring; the store is closed then."""
        path = self.folder / "store"
        self.options = replace(sqlite_options(path, encryption=sealing(path, keys)), keep_deleted=1e6)
        self.store = SqliteStore(self.options)

    async def begin(self) -> None:
        """Forty messages, half of them removed."""
        await self.store.open()
        self.box = (await add_box(self.store)).id
        self.inbox = await inbox(self.store, self.box)
        for number in range(40):
            new = body(b"d" * (1900, 9000)[number % 2])
            await self.store.accept(delivery(new, self.box))
            self.whole.append(new.digest)
        gone = list(range(1, 41, 2))
        await self.store.store_flags(self.inbox, ANYONE, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
        await self.store.expunge(self.inbox, ANYONE, gone)

    async def fill(self) -> None:
        """Until not even one more octet is taken."""
        with self.ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        with contextlib.suppress(StoreFull):
            while True:
                new = body(b"f" * 1900)
                await self.store.accept(delivery(new, self.box))
                self.whole.append(new.digest)

    async def kept(self) -> list[int]:
        """What can be brought back."""
        return [one.id for one in await self.store.removed(self.box, Wanted())]

    async def judge(self) -> None:
        """Every message is there and whole; rows, files and trace hold."""
        await self.store.bring_back(self.box, await self.kept(), "", trace_line("undeleted"))
        there = await uids(self.store, self.inbox)
        assert len(there) == len(self.whole)
        for digest in self.whole:
            assert any([await is_whole(self.store, self.inbox, uid, digest) for uid in there])
        place = KeptPlace(self.folder, self.folder / "gateway.toml", self.options)
        result = verify_store(Task(Work.VERIFY, place, KeepOptions(rate=10**9)), quiet)
        assert result["findings"] == []
        assert (await self.store.verify_trace()).damage == ()
        await self.store.close()


@pytest.fixture
async def crowded(small_disk: Path | None) -> Crowded | None:
    """None where no disk can be mounted."""
    if small_disk is None:
        return None
    made = Crowded(small_disk)
    await made.begin()
    return made


async def test_bringing_back_on_a_full_disk_is_all_or_nothing(crowded: Crowded | None) -> None:
    """It is refused as a whole, and works once there is room."""
    if crowded is None:
        return
    await crowded.fill()
    ids, there = await crowded.kept(), await uids(crowded.store, crowded.inbox)
    with contextlib.suppress(StoreFull):
        await crowded.store.bring_back(crowded.box, ids, "", trace_line("undeleted"))
    came = len(await uids(crowded.store, crowded.inbox)) - len(there)
    assert (came, len(await crowded.kept())) in ((0, len(ids)), (len(ids), 0))
    crowded.ballast.unlink()
    await crowded.judge()


async def test_keys_changed_on_a_full_disk(crowded: Crowded | None) -> None:
    """What could not be wrapped anew keeps its key, and the work goes on once there is room."""
    if crowded is None:
        return
    await crowded.store.close()
    crowded.open_with(TWO)
    await crowded.store.open()
    await crowded.store.begin_work(Goal.ROTATE, trace_line("encryption"))
    await crowded.fill()
    with contextlib.suppress(StoreFull):
        await crowded.store.work_step()
    with contextlib.suppress(StoreFull):
        await crowded.store.end_work()
    crowded.ballast.unlink()
    while (done := await crowded.store.work_step()) is not None and not done.done:
        continue
    await crowded.store.end_work()
    status = await crowded.store.encryption_status()
    assert [key.name for key in status.keys] == ["k2"]
    await crowded.judge()


async def test_a_purge_of_the_trace_on_a_full_disk(crowded: Crowded | None) -> None:
    """Whatever of it was done, the chain holds; the seal gets into its file later."""
    if crowded is None:
        return
    plan = await crowded.store.plan_purge(NOW + 1)
    assert plan.count > 40
    await crowded.fill()
    with contextlib.suppress(StoreFull):
        await crowded.store.purge_trace(plan, "gateway", NOW)
    with contextlib.suppress(StoreFull, OSError):
        await crowded.store.seal_trace(NOW)
    assert (await crowded.store.verify_trace()).damage == ()
    crowded.ballast.unlink()
    await crowded.store.write_trace([trace_line("login")])
    await crowded.store.seal_trace(NOW + 1)
    await crowded.judge()


async def test_a_full_disk_is_made_room_on_by_ending_what_is_kept(crowded: Crowded | None) -> None:
    """What operators do then: an old log goes, then `undelete empty`; mail is taken again."""
    if crowded is None:
        return
    await crowded.fill()
    with crowded.ballast.open("r+b") as file:
        file.truncate(crowded.ballast.stat().st_size - ROOM)
    ended = 0
    while done := await crowded.store.forget_removed(9e9, limit=5):
        ended += done
    assert ended == 20
    crowded.whole = [digest for number, digest in enumerate(crowded.whole) if number >= 40 or number % 2]
    for size in (1900, 9000):
        new = body(b"g" * size)
        await crowded.store.accept(delivery(new, crowded.box))
        crowded.whole.append(new.digest)
    crowded.ballast.unlink()
    await crowded.judge()
