"""The chain where something ended in the middle: upgrades, seals, a disk that is full, a purge beside (AUD-1)."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
import pytest_asyncio

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore, audit_chain, store_audit
from mss_gateway.storage.sqlite.audit_chain import read_keys
from mss_gateway.storage.sqlite.migrate import migrations

pytestmark = pytest.mark.req("AUD-1")


def line(number: int) -> TraceLine:
    """A line of its own second."""
    return TraceLine(1e9 + number, "login", "", f"<{number}@x.example>", actor="somebody")


def built(folder: Path) -> SqliteStore:
    """A store whose key and seals lie beside its folder."""
    return SqliteStore(SqliteOptions(folder / "store", index=False, audit_key=folder / "audit.key"))


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store with some lines."""
    store = built(tmp_path)
    await store.open()
    await store.write_trace([line(number) for number in range(2000)])
    yield store
    await store.close()


async def kinds(store: SqliteStore) -> list[tuple[str, int, int]]:
    """What `verify` finds."""
    return [(one.kind, one.first, one.last) for one in (await store.verify_trace()).damage]


def older(folder: Path, lines: int) -> None:
    """A store of before the chain."""
    (folder / "store").mkdir()
    with closing(apsw.Connection(str(folder / "store" / "store.db"))) as db:
        db.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT, digest TEXT)")
        for number, name, sql in migrations():
            if number < 17:
                db.execute(sql)
                digest = sha256(sql.encode()).hexdigest()
                db.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, name, digest))
        db.executemany(
            "INSERT INTO trace (at, event, transaction_id, actor, detail) VALUES (?, 'login', '', 'x', '{}')",
            [(float(number),) for number in range(lines)],
        )


async def test_an_upgrade_that_is_killed_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was made, the lines of before were not taken in yet: the next start does it, and nothing is damaged."""
    older(tmp_path, 50)

    def killed(chain: audit_chain.Chain, first: int) -> None:
        raise OSError(errno.EIO, "killed")

    with monkeypatch.context() as patch:
        patch.setattr(audit_chain.Chain, "link_rows", killed)
        with pytest.raises(StoreError):
            await built(tmp_path).open()
    store = built(tmp_path)
    await store.open()
    await store.write_trace([line(1)])
    assert await kinds(store) == []
    assert (await store.verify_trace()).lines == 51
    await store.close()
    assert read_keys(tmp_path / "audit.key").all
    assert not (tmp_path / "audit.key.new").exists()


@pytest.mark.parametrize("torn", [b"", b"12ab"])
async def test_a_key_that_was_being_made_when_the_machine_stopped_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bytes
) -> None:
    """A disk that is full, a machine that stops: no torn key keeps the gateway from starting."""

    def full(fd: int) -> None:
        os.ftruncate(fd, 0)
        os.pwrite(fd, torn, 0)
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError):
            await built(tmp_path).open()
    store = built(tmp_path)
    await store.open()
    await store.write_trace([line(1)])
    assert await kinds(store) == []
    await store.close()
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600


async def test_a_seal_that_did_not_reach_its_file_gets_there(
    kept: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the seals was full, or the gateway was killed: the next seal is no false alarm."""
    await kept.seal_trace(1e9)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(store_audit, "append_seal", full)
        await kept.write_trace([line(1)])
        with pytest.raises(OSError, match="full"):
            await kept.seal_trace(1e9 + 1)
    assert await kinds(kept) == []
    await kept.write_trace([line(2)])
    await kept.seal_trace(1e9 + 2)
    assert await kinds(kept) == []
    assert (await kept.verify_trace()).seals == 3


async def test_a_purge_behind_the_walk_is_no_damage(
    kept: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purge overtakes the walk: what was read already and what comes next are one run of purged lines then."""
    plan = await kept.plan_purge(1e9 + 1500)
    loop = asyncio.get_running_loop()
    purged: list[int] = []

    def overtaken(_: float) -> None:
        if not purged:
            task = asyncio.run_coroutine_threadsafe(kept.purge_trace(plan, "gateway", 1e9), loop)
            purged.append(task.result(90))

    monkeypatch.setattr(time, "sleep", overtaken)
    assert await kinds(kept) == []
    assert purged == [1500]
    assert await kinds(kept) == []


async def test_a_database_that_cannot_be_read_is_an_error_of_the_store(
    kept: SqliteStore, tmp_path: Path
) -> None:
    """Background work goes on after it: no other error leaves the store."""
    path = tmp_path / "store" / "store.db"
    path.rename(tmp_path / "away")
    with pytest.raises(StoreError):
        await kept.verify_trace()
    (tmp_path / "away").rename(path)


async def test_an_older_store_with_newer_seals_says_so_and_goes_on(kept: SqliteStore, tmp_path: Path) -> None:
    """Restored with the seals of the live system: the lost lines are told; with its own seals nothing is."""
    await kept.seal_trace(1e9)
    await kept.close()
    database, seals = tmp_path / "store" / "store.db", tmp_path / "audit.seals"
    older_store, older_seals = database.read_bytes(), seals.read_bytes()
    await kept.open()
    await kept.write_trace([line(1), line(2)])
    await kept.seal_trace(1e9 + 1)
    await kept.close()
    for path in database.parent.glob("store.db-*"):
        path.unlink()
    database.write_bytes(older_store)
    await kept.open()
    assert await kinds(kept) == [("deleted", 2002, 2004)]
    seals.write_bytes(older_seals)
    assert await kinds(kept) == []
    await kept.write_trace([line(3)])
    await kept.seal_trace(1e9 + 2)
    assert await kinds(kept) == []
    assert (await kept.verify_trace()).seals == 2


async def test_a_clock_that_was_behind_for_a_while_hides_no_line_from_an_export(tmp_path: Path) -> None:
    """Lines of that while lie between younger ones: where a period begins is found nevertheless."""
    store = built(tmp_path)
    await store.open()
    hours = [1e9 + number * 3600.0 for number in range(1400)]
    times = [*hours[:800], *(1e8 + number for number in range(400)), *hours[800:]]
    await store.write_trace([TraceLine(at, "login", "") for at in times])
    for wanted in (1, 500, 700, 799, 800, 1399):
        missed = [at for at in times[: await store.first_since(hours[wanted])] if at >= hours[wanted]]
        assert missed == []
    assert await store.first_since(hours[1399]) > 1000
    assert await store.first_since(2e9) == await store.last_line() == 1800
    await store.close()
