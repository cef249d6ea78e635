"""`verify` finds what was changed, names the row, and finds nothing in a store that is in use (OPS-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
import pytest_asyncio

from mss_gateway.ports.keeping import Work
from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup import back_up
from mss_gateway.storage.sqlite.keys import EncryptionOptions
from mss_gateway.storage.sqlite.restore import restore
from mss_gateway.storage.sqlite.verify import verify_store
from tests.support.keeping import LARGE, MIDDLE, SMALL, Kept, all_octets, quiet, sql
from tests.support.store import ANYONE, uids

pytestmark = pytest.mark.req("OPS-5")


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """A store with messages of every size, a row in the queue and an index."""
    made = await Kept(tmp_path).open()
    await made.deliver(SMALL, MIDDLE, LARGE, SMALL, outbox=("dr.durand@autre.example",))
    yield made
    await made.store.close()


def found(kept: Kept, **arguments: object) -> dict[str, str]:
    """Checks that found something, with the first row of each."""
    result = verify_store(kept.task(Work.VERIFY, **arguments), quiet)
    assert result["whole"] == (not result["findings"])
    assert all(one["what"] and one["next_step"] for one in result["findings"])
    return {one["check"]: one["row"] for one in reversed(result["findings"])}


async def test_a_whole_store_has_no_findings(kept: Kept) -> None:
    """Every body is read; none with --quick."""
    result = verify_store(kept.task(Work.VERIFY), quiet)
    assert (result["findings"], result["bodies"]) == ([], 4)
    quickly = verify_store(kept.task(Work.VERIFY, quick=True), quiet)
    assert (quickly["findings"], quickly["bodies"], quickly["octets"]) == ([], 0, 0)


async def test_a_store_in_use_has_no_findings(kept: Kept) -> None:
    """Deliveries, flags and expunges go on meanwhile."""
    work = asyncio.create_task(asyncio.to_thread(verify_store, kept.task(Work.VERIFY), quiet))
    rounds = 0
    while not work.done() or rounds < 20:
        await kept.deliver(SMALL, LARGE)
        there = await uids(kept.store, kept.inbox)
        gone = there[:2]
        await kept.store.store_flags(kept.inbox, ANYONE, gone, FlagChange.ADD, frozenset({"\\Deleted"}))
        await kept.store.expunge(kept.inbox, ANYONE, gone)
        rounds += 1
    assert (await work)["findings"] == []


async def test_changed_octets_are_found(kept: Kept) -> None:
    """One octet of a text in the database, one in a segment, a segment that is gone: each with body and place."""
    segments = {path.stat().st_size: path for path in (kept.state / "store/segments").iterdir()}
    with segments[MIDDLE].open("r+b") as file:
        file.write(b"\xff")
    segments[LARGE].unlink()
    sql(kept.state / "store", "UPDATE body_bytes SET text = zeroblob(length(text)) WHERE id = 1")
    result = verify_store(kept.task(Work.VERIFY), quiet)
    rows = [one["row"].partition(",")[0] for one in result["findings"] if one["check"] == "body"]
    assert rows == ["body 1", "body 2", "body 3"]
    assert "BAL number 1 folder 1 UID 2" in next(
        one["row"] for one in result["findings"] if "body 2" in one["row"]
    )
    assert found(kept, quick=True) == {"segment-file": "segment 2"}


ROWS = {
    "folder-counters": ("UPDATE folders SET messages = 77 WHERE id = 1", "folder 1"),
    "uid-validity": ("UPDATE folders SET uid_validity = 1 WHERE id < 3", "folder 1"),
    "message-body": ("UPDATE messages SET body_id = 99 WHERE uid = 2", "folder 1 UID 2"),
    "body-octets": ("DELETE FROM body_bytes WHERE id = 1", "body 1"),
    "body-references": ("UPDATE bodies SET refs = 9 WHERE id = 4", "body 4"),
    "body-segment": ("UPDATE bodies SET segment = 9 WHERE id = 2", "body 2"),
    "queue-body": ("UPDATE outbox SET body_id = 98 WHERE id = 1", "queue row 1"),
    "queue-due": ("UPDATE destinations SET due = NULL", "domain autre.example"),
    "seen-message": ("INSERT INTO member_seen VALUES (1, 55, 0, 1, 1)", "folder 1 UID 55"),
    "seen-person": ("INSERT INTO member_seen VALUES (1, 1, 55, 1, 1)", "folder 1 UID 1"),
    "exchange-body": ("INSERT INTO exchanges VALUES ('p', 'b', 97)", "body 97"),
    "rights-folder": ("INSERT INTO folder_rights VALUES (96, 1, 'lr')", "folder 96"),
    "annotation-folder": ("INSERT INTO annotations VALUES (95, 0, '/comment', x'41')", "folder 95"),
    "activity-body": ("INSERT INTO activity VALUES (94, 1, 1, 'read', 1, 1)", "body 94"),
    "foreign-key": ("INSERT INTO alerts VALUES (93, 'told', 1, 1, 1, 1, 1, 1)", "alerts row 93"),
    "removed-body": (
        "INSERT INTO removed VALUES (1, 1, 'INBOX', 91, 0, '', 1, NULL, '[]', 1, 0, 'message', '[]')",
        "removed 1",
    ),
    "key-body": ("INSERT INTO body_keys VALUES (90, 1, x'00')", "body 90"),
    "receipt-body": (
        "INSERT INTO receipts (box_id, body_id, notify, recipient, state) VALUES (1, 92, '', '', 'due')",
        "receipt 1",
    ),
    "trace-entry": ("INSERT INTO trace_boxes VALUES (0, 1, 89)", "line 89"),
    "trace-line": (
        "DELETE FROM trace;"
        "INSERT INTO trace (id, at, event, transaction_id, actor, detail) VALUES (88, 1, '', 't', '', '{}');"
        "UPDATE trace_indexed SET line_id = 99",
        "line 88",
    ),
    "segment-live": ("UPDATE segments SET live = live + 1 WHERE id = 1", "segment 1"),
}


@pytest.mark.parametrize("check", ROWS)
async def test_rows_that_do_not_agree_are_found(
    kept: Kept, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each disagreement by the name of its check, with the row."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.verify_rows._LATER", 0.0)
    statement, row = ROWS[check]
    sql(kept.state / "store", statement)
    assert found(kept, quick=True)[check] == row


async def test_a_file_that_nobody_names_and_an_index_that_misses_a_message(kept: Kept) -> None:
    """Beside the database."""
    await kept.store.reindex(kept.box)
    assert found(kept, quick=True) == {}
    (kept.state / "store/segments/00000099.seg").write_bytes(b"?")
    index = kept.state / "store/index" / f"{kept.box}.db"
    db = apsw.Connection(str(index))
    db.execute("DELETE FROM places WHERE uid = 2")
    db.close()
    assert found(kept, quick=True) == {
        "orphan-file": "00000099.seg",
        "index": f"index of BAL number {kept.box}",
    }


def sealed(kept: Kept, folder: Path) -> None:
    """The same store, encrypted from now on."""
    ring = folder / "ring"
    ring.write_text(f"premiere {'ab' * 32}\n", encoding="ascii")
    ring.chmod(0o600)
    kept.options = replace(kept.options, encryption=EncryptionOptions(seals=True, key_file=ring))
    kept.store = SqliteStore(kept.options)


async def test_an_encrypted_store_is_verified_and_comes_back(tmp_path: Path) -> None:
    """Bodies are read as sessions read them; a changed octet is found; a backup copies what is sealed as it is."""
    kept = Kept(tmp_path)
    sealed(kept, tmp_path)
    await kept.open()
    await kept.deliver(SMALL, MIDDLE, LARGE)
    before = await all_octets(kept.store, kept.inbox)
    assert found(kept) == {}
    back_up(kept.task(), quiet)
    restore(kept.target, tmp_path / "new", "", None, quiet)
    assert not any(before[0][-50:] in path.read_bytes() for path in (tmp_path / "new").rglob("*.db"))
    store = SqliteStore(replace(kept.options, path=tmp_path / "new" / "store"))
    await store.open()
    assert await all_octets(store, kept.inbox) == before
    await store.close()
    for path in (kept.state / "store/segments").iterdir():
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff\xff\xff")
    result = verify_store(kept.task(Work.VERIFY), quiet)
    assert {one["what"].partition(":")[0] for one in result["findings"]} == {"it cannot be decrypted"}
    await kept.store.close()
