"""Bodies encrypted at rest: nothing of a message is in any file, damage is found, wrong keys are told (OPS-5)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.pipeline.spool import Spool, Spooled
from mss_gateway.ports.fetchlines import Lines
from mss_gateway.ports.mailboxes import FlagChange, Viewer, Want
from mss_gateway.ports.outbox import Lease, Share
from mss_gateway.ports.queue import Selection
from mss_gateway.ports.records import TEXT_PART, NewBody, SpoolFile
from mss_gateway.ports.sealing import CHUNK, Seal, SealBroken, sealed_size
from mss_gateway.ports.store import DamagedBody, StoreError
from mss_gateway.ports.textsearch import BODY
from mss_gateway.protocol.imap.fetchitems import Attribute, BodySection, SectionText
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import (
    ANYONE,
    EVERYTHING,
    NOW,
    add_box,
    body,
    delivery,
    inbox,
    is_whole,
    sealing,
    sqlite_options,
)
from tests.support.textindex import indexed, put

pytestmark = pytest.mark.req("OPS-5")
CANARY = b"Hydroxychloroquine"
WHOLE = BodySection(b"BODY[]", peek=True)
HEADER = BodySection(b"BODY[HEADER]", text=SectionText.HEADER, peek=True)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open, empty store that seals."""
    opened = await open_store(tmp_path)
    yield opened
    await opened.close()


async def open_store(tmp_path: Path, keys: bytes = b"k1 " + b"11" * 32, *, seals: bool = True) -> SqliteStore:
    """The store of a test."""
    folder = tmp_path / "store"
    found = SqliteStore(sqlite_options(folder, encryption=sealing(folder, keys, seals=seals)))
    await found.open()
    return found


def holding(folder: Path, word: bytes) -> list[str]:
    """Files that hold a word."""
    return [str(one) for one in folder.rglob("*") if one.is_file() and word in one.read_bytes()]


def edit(tmp_path: Path, sql: str) -> None:
    """Change a closed store behind its back."""
    db = apsw.Connection(str(tmp_path / "store" / "store.db"))
    db.execute(sql)
    db.close()


@given(size=st.integers(0, 3 * CHUNK + 3), offset=st.integers(0, 4 * CHUNK), wanted=st.integers(0, 2 * CHUNK))
@settings(max_examples=60, deadline=None)
def test_any_stretch_of_a_sealed_text_is_that_stretch(size: int, offset: int, wanted: int) -> None:
    """Partial reads give what the same slice of the plain text gives, and read no more than its chunks."""
    text = (bytes(range(251)) * (size // 251 + 1))[:size]
    seal = Seal(b"k" * 32)
    sealed = seal.close(TEXT_PART, text)
    assert len(sealed) == sealed_size(size)
    assert seal.open(TEXT_PART, sealed) == text
    read = 0

    def piece(at: int, octets: int) -> bytes:
        nonlocal read
        read += octets
        return sealed[at : at + octets]

    assert seal.open_range(TEXT_PART, size, offset, wanted, piece) == text[offset : offset + wanted]
    assert read <= wanted + 2 * CHUNK + 64


@pytest.mark.parametrize("size", [5, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_that_were_moved_or_cut_do_not_open(size: int) -> None:
    """The order, the end and the part of chunks are bound."""
    seal = Seal(b"k" * 32)
    sealed = seal.close(TEXT_PART, b"x" * size)
    step = CHUNK + 16
    forged = [sealed[:-1], b"", sealed[:-1] + bytes([sealed[-1] ^ 1])]
    if size > CHUNK:
        forged += [sealed[:step], sealed[step:], sealed[step : 2 * step] + sealed[:step]]
    for octets in forged:
        with pytest.raises(SealBroken):
            seal.open(TEXT_PART, octets)
    with pytest.raises(SealBroken):
        seal.open(TEXT_PART + 1, sealed)


async def test_no_file_holds_a_word_of_a_message(tmp_path: Path) -> None:
    """Text, subject, part names and preview are in no file, small or large, while it is under way and after."""
    store = await open_store(tmp_path)
    box = await add_box(store)
    folder = tmp_path / "store"
    with ThreadPoolExecutor(1) as executor:
        spool = Spool(folder / "spooled", executor, sealed=True)
        header = b"Subject: " + CANARY + b"\r\n\r\n"
        for at in range(20):
            await spool.add((header if not at else b"") + CANARY * 5000)
        assert (folder / "spooled").stat().st_size > 200_000
        assert holding(folder, CANARY) == []
        found = await spool.finish()
        assert isinstance(found, Spooled)
        assert isinstance(found.text, SpoolFile)
        assert repr(found.text.key) not in repr(found.text)
        assert holding(folder, CANARY) == []
        with pytest.raises(StoreError):
            await store.accept(delivery(spooled_body(found.text), 9999))
        (place,) = await store.accept(delivery(spooled_body(found.text), box.id))
    assert not (folder / "spooled").exists()
    for size in (1, 200, 1000):
        await store.accept(delivery(body(CANARY * size, CANARY.decode()), box.id))
    rows = await store.rows(place.folder_id, ANYONE, [1, 2, 3, 4], EVERYTHING)
    await store.keep_previews({row.body_id: CANARY.decode() for row in rows})
    texts = [await store.read_text(row.body_id, 0, row.size) for row in rows]
    assert [len(text) // len(CANARY) for text in texts] == [100_000, 1, 200, 1000]
    rows = await store.rows(place.folder_id, ANYONE, [1, 2, 3, 4], EVERYTHING)
    assert {row.preview for row in rows} == {CANARY.decode()}
    assert holding(tmp_path, CANARY) == []
    await store.close()
    assert holding(tmp_path, CANARY) == []


def spooled_body(text: SpoolFile) -> NewBody:
    """A body over a sealed spool file of a hundred thousand canaries."""
    return replace(body(CANARY * 100_000, CANARY.decode()), text=text)


async def test_a_sealed_spool_file_becomes_the_segment_itself(store: SqliteStore, tmp_path: Path) -> None:
    """It is not copied: its own key is wrapped with the body's."""
    box = await add_box(store)
    with ThreadPoolExecutor(1) as executor:
        spool = Spool(tmp_path / "store" / "spooled", executor, sealed=True)
        await spool.add(b"A: b\r\n\r\n" + CANARY * 100_000)
        found = await spool.finish()
    assert isinstance(found, Spooled)
    assert isinstance(found.text, SpoolFile)
    inode = found.text.path.stat().st_ino
    (place,) = await store.accept(delivery(spooled_body(found.text), box.id))
    assert [one.stat().st_ino for one in (tmp_path / "store" / "segments").iterdir()] == [inode]
    (row,) = await store.rows(place.folder_id, ANYONE, [place.uid], EVERYTHING)
    assert await store.read_text(row.body_id, 1_000_000, 18) == (CANARY * 2)[1_000_000 % 18 :][:18]


@given(texts=st.lists(st.binary(max_size=3000), min_size=1, max_size=3))
@settings(max_examples=10, deadline=None)
def test_lines_are_those_of_the_clear(texts: list[bytes]) -> None:
    """FETCH lines that SQL writes are the same, octet by octet, over sealed and over clear bodies."""
    items = (Attribute.UID, Attribute.SIZE, Attribute.ENVELOPE, Attribute.BODYSTRUCTURE, WHOLE)
    header = (HEADER, Attribute.FLAGS)

    async def lines(folder: Path, bodies: list[NewBody], *, sealed: bool) -> list[Lines]:
        encryption = sealing(folder) if sealed else None
        store = SqliteStore(sqlite_options(folder, encryption=encryption))
        await store.open()
        box = await add_box(store)
        for new in bodies:
            await store.accept(delivery(new, box.id))
        folder_id = await inbox(store, box.id)
        numbers = list(range(1, len(bodies) + 1))
        found = [
            await store.lines(folder_id, Viewer(1, shared), numbers, numbers, one)
            for one in (items, header)
            for shared in (False, True)
        ]
        await store.close()
        return found

    async def check(folder: Path) -> None:
        bodies = [body(text) for text in texts]
        assert await lines(folder / "a", bodies, sealed=True) == await lines(
            folder / "b", bodies, sealed=False
        )

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


@pytest.mark.parametrize("size", [20, 5000, 20_000])
async def test_damage_concerns_one_message(tmp_path: Path, size: int) -> None:
    """Octets put into another body's place, or changed, are never served; the other message is."""
    store = await open_store(tmp_path)
    box = await add_box(store)
    new = [body(bytes([65 + number]) * size) for number in range(3)]
    for one in new:
        await store.accept(delivery(one, box.id))
    folder_id = await inbox(store, box.id)
    await store.close()
    for column in ("envelope", "segment", "segment_offset"):
        edit(
            tmp_path, f"UPDATE bodies SET {column} = (SELECT {column} FROM bodies WHERE id = 1) WHERE id = 2"
        )
    edit(
        tmp_path,
        "UPDATE body_bytes SET (header, text) = (SELECT header, text FROM body_bytes WHERE id = 1) WHERE id = 2",
    )
    for _ in range(2):
        store = await open_store(tmp_path)
        with pytest.raises(DamagedBody) as raised:
            await store.read_text(2, 0, 10)
        assert raised.value.body_id == 2
        assert set(await store.read_texts([1, 2, 3], 100_000)) == {1, 3}
        with pytest.raises(DamagedBody):
            await store.rows(folder_id, ANYONE, [1, 2], frozenset({Want.HEADER}))
        assert [row.subject for row in await store.sort_rows(folder_id, [1, 2, 3], envelopes=True)] in (
            ["essai"] * 3,
            ["essai", "", "essai"],
        )
        assert [header for _, header in await store.headers(folder_id, [2])] == [b"\r\n"]
        found = await store.lines(folder_id, ANYONE, [1, 2, 3], [1, 2, 3], (Attribute.ENVELOPE,))
        assert [piece if isinstance(piece, int) else piece[:4] for piece in found.pieces] == [
            b"* 1 ",
            2,
            b"* 3 ",
        ]
        for uid in (1, 3):
            assert await is_whole(store, folder_id, uid, new[uid - 1].digest)
        await store.close()
        # With its key it is no better: the key is bound to the body too.
        edit(
            tmp_path,
            "UPDATE body_keys SET (key_id, wrapped) ="
            " (SELECT key_id, wrapped FROM body_keys WHERE body_id = 1) WHERE body_id = 2",
        )


async def test_what_is_deleted_takes_its_key_along(store: SqliteStore, tmp_path: Path) -> None:
    """After EXPUNGE no key and no octet of the message is left, and its segment goes."""
    box = await add_box(store)
    (place,) = await store.accept(delivery(body(CANARY * 2000), box.id))
    await store.store_flags(place.folder_id, ANYONE, [1], FlagChange.ADD, frozenset({"\\Deleted"}))
    assert await store.expunge(place.folder_id, ANYONE, None) == [1]
    left = await store._engine.read(lambda db: db.execute("SELECT count(*) FROM body_keys").fetchone())
    assert left == (0,)
    assert (await store._engine.read(lambda db: db.execute("SELECT live FROM segments").fetchall())) in (
        [],
        [(0,)],
    )


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (b"k2 " + b"22" * 32, "the key 'k1' is not there, with which the store in"),
        (b"k1 " + b"22" * 32, "the key 'k1' is not the one with which the store in"),
    ],
)
async def test_a_wrong_ring_is_refused_at_the_start(tmp_path: Path, keys: bytes, sentence: str) -> None:
    """One sentence names the key that is wanted; nothing is served as garbage, and the right ring opens again."""
    store = await open_store(tmp_path)
    box = await add_box(store)
    new = body(b"x" * 3000)
    await store.accept(delivery(new, box.id))
    await store.close()
    for seals in (True, False):
        with pytest.raises(StoreError, match=sentence):
            await open_store(tmp_path, keys, seals=seals)
    with pytest.raises(StoreError, match=r"encrypted with the key 'k1': name its keys in \[encryption\]"):
        await SqliteStore(sqlite_options(tmp_path / "store")).open()
    for seals in (False, True):
        store = await open_store(tmp_path, b"k1 " + b"11" * 32 + b"\nk2 " + b"33" * 32, seals=seals)
        assert await is_whole(store, await inbox(store, box.id), 1, new.digest)
        await store.close()


async def test_a_mixed_store_reads_fine(tmp_path: Path) -> None:
    """Messages that came before encryption, under it, and after it was switched off again, are all served."""
    new = [body(text * 3000) for text in (b"a", b"b", b"c")]
    plain_store = SqliteStore(sqlite_options(tmp_path / "store"))
    await plain_store.open()
    box = await add_box(plain_store)
    await plain_store.accept(delivery(new[0], box.id))
    await plain_store.close()
    for one, seals in ((new[1], True), (new[2], False)):
        store = await open_store(tmp_path, seals=seals)
        await store.accept(delivery(one, box.id))
        await store.close()
    store = await open_store(tmp_path)
    folder_id = await inbox(store, box.id)
    for uid, one in enumerate(new, 1):
        assert await is_whole(store, folder_id, uid, one.digest)
    found = await store.lines(folder_id, ANYONE, [1, 2, 3], [1, 2, 3], (Attribute.ENVELOPE,))
    assert all(
        str(one.message_id).encode() in b"".join(p for p in found.pieces if isinstance(p, bytes))
        for one in new
    )
    status = await store.encryption_status()
    assert (status.clear, [(key.name, key.bodies, key.active) for key in status.keys]) == (
        2,
        [("k1", 1, True)],
    )
    await store.close()


async def test_a_damaged_letter_is_held_and_keeps_no_other_from_its_way(tmp_path: Path) -> None:
    """The relay does not try it again and again: the row says why it is held; it can still be ended by hand."""
    store = await open_store(tmp_path)
    for number in range(2):
        await store.accept(delivery(body(), outbox=[f"un{number}@clinique.example"]))
    await store.close()
    edit(tmp_path, "UPDATE body_bytes SET header = zeroblob(60) WHERE id = 1")
    store = await open_store(tmp_path)
    claimed = await store.claim(Lease("one", NOW, NOW + 60), Share(100, 100, {}))
    assert [str(letter.rows[0].recipient.address) for letter in claimed] == ["un1@clinique.example"]
    held = await store.queued(Selection(state="held"))
    assert [row.recipient for row in held] == ["un0@clinique.example"]
    assert "body 1 is damaged" in held[0].hold_reason
    (by_hand,) = await store.claim_rows(Lease("two", NOW, NOW + 60), Selection(ids=(held[0].id,)))
    assert by_hand.header == b"\r\n"
    await store.close()


async def test_an_index_that_is_wanted_in_the_clear_finds_sealed_words(tmp_path: Path) -> None:
    """Small and large texts alike; once it is not wanted any more, its files go."""
    folder = tmp_path / "store"
    options = replace(sqlite_options(folder, encryption=sealing(folder)), index_cap=100_000)
    store = SqliteStore(options)
    await store.open()
    folder_id = await inbox(store, (await add_box(store)).id)
    head = b"Content-Type: text/plain\r\n\r\n"
    await put(store, folder_id, *(head + b"mot " * size + CANARY for size in (1, 1000, 5000)))
    assert (await indexed(store, folder_id, BODY, CANARY.decode().lower())).uids == {1, 2, 3}
    assert list((folder / "index").glob("*.db"))
    await store.close()
    store = SqliteStore(replace(options, index=False))
    await store.open()
    assert not list((folder / "index").iterdir())
    await store.close()
