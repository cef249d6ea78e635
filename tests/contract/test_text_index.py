"""The full-text index follows the store: what comes, what goes, and nothing of other folders."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from mss_gateway.ports.mailboxes import FlagChange
from mss_gateway.ports.store import Store
from mss_gateway.ports.textsearch import BODY, TEXT, TextHits
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import (
    ANYONE,
    add_box,
    delivery,
    folder_named,
    inbox,
    sqlite_options,
    trace_line,
    uids,
)
from tests.support.textindex import indexed, put, scan, settled, whole_body


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store never counts as busy: pauses are for gateways, not for tests."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._BUSY", -1.0)


LETTER = "Subject: =?utf-8?q?R=C3=A9sultat?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}".format


def letter(text: str) -> bytes:
    """A short message."""
    return LETTER(text).encode()


async def _expunge(store: Store, folder_id: int, wanted: list[int]) -> None:
    await store.store_flags(folder_id, ANYONE, wanted, FlagChange.ADD, frozenset({"\\Deleted"}))
    await store.expunge(folder_id, ANYONE, None)


@pytest.mark.req("IMP-1")
async def test_the_first_search_has_the_index_made(store: Store) -> None:
    """Until then nothing is decided; afterwards each message is, and new mail follows."""
    folder_id = await inbox(store, (await add_box(store)).id)
    first, second = await put(store, folder_id, letter("œdème de l’épaule"), letter("genou"))
    assert await store.find_text(folder_id, TEXT, "oedeme") == TextHits()
    assert await indexed(store, folder_id, TEXT, "oedeme de l'ep") == TextHits(frozenset({first}), second)
    (third,) = await put(store, folder_id, letter("un autre oedème"))
    assert (await indexed(store, folder_id, BODY, "oedeme")).uids == {first, third}
    assert (await indexed(store, folder_id, "subject", "resultat")).uids == {first, second, third}
    assert (await indexed(store, folder_id, "subject", "genou")).uids == set()


@pytest.mark.req("IMP-1", "AUD-5")
async def test_nothing_of_another_folder_or_box_is_found(store: Store) -> None:
    """A body that lies in two boxes is found in each, and a box's own mail only there."""
    boxes = [await add_box(store, name) for name in ("un", "deux")]
    here, there = [await inbox(store, box.id) for box in boxes]
    sent = (await folder_named(store, boxes[0].id, "Sent")).id
    await store.accept(delivery(whole_body(letter("partout")), *(box.id for box in boxes)))
    await put(store, here, letter("ici"))
    await put(store, sent, letter("envoi"))
    for folder_id in (here, there, sent):
        await store.find_text(folder_id, TEXT, "partout")
    found = {
        (name, needle): (await indexed(store, folder_id, BODY, needle)).uids
        for name, folder_id in (("here", here), ("there", there), ("sent", sent))
        for needle in ("partout", "ici", "envoi")
    }
    assert {key for key, hits in found.items() if hits} == {
        ("here", "partout"), ("there", "partout"), ("here", "ici"), ("sent", "envoi"),
    }  # fmt: skip


@pytest.mark.req("IMP-1", "AUD-5")
async def test_the_words_of_an_expunged_message_leave_the_files(store: Store, tmp_path: Path) -> None:
    """Not only the answer: no page of the index has the word any more, in the file or its log."""
    folder_id = await inbox(store, (await add_box(store)).id)
    first, *_ = await put(
        store, folder_id, letter("zygomatique rare"), *[letter(f"mot{i}") for i in range(40)]
    )
    await indexed(store, folder_id)
    assert b"zygomatique" in _octets(tmp_path / "store" / "index")
    await _expunge(store, folder_id, [first])
    await settled(lambda: b"zygomatique" not in _octets(tmp_path / "store" / "index"))
    assert (await indexed(store, folder_id, TEXT, "zygomatique")).uids == set()
    assert (await indexed(store, folder_id, BODY, "mot7")).uids == {first + 8}


def _octets(folder: Path) -> bytes:
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(
            FileNotFoundError
        ):  # the log goes when the index has been brought up to date
            found.append(path.read_bytes())
    return b"".join(found)


async def test_messages_that_move_or_are_copied_stay_findable(store: Store) -> None:
    """The body is indexed once; its places follow, and the last one takes the words along."""
    box = await add_box(store)
    source = await inbox(store, box.id)
    target = (await folder_named(store, box.id, "Archive")).id
    first, second = await put(store, source, letter("genou"), letter("hanche"))
    await indexed(store, source)
    await store.move(source, ANYONE, [first], target)
    copied = await store.copy(source, ANYONE, [second], target)
    await _expunge(store, source, [second])
    assert (await indexed(store, target, BODY, "hanche")).uids == set(copied.target_uids)
    assert (await indexed(store, target, BODY, "genou")).uids == {1}
    await store.delete_folder(target)
    await settled(lambda: True)
    assert await store.find_text(target, BODY, "genou") in (TextHits(), TextHits(frozenset({1}), 2))


async def test_a_purged_box_leaves_no_index(store: Store, tmp_path: Path) -> None:
    """The file goes with the box (BAL-5)."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await put(store, folder_id, letter("genou"))
    await indexed(store, folder_id)
    await store.purge_box(box.id, "retention", trace_line("bal-purge"))
    await settled(lambda: not any((tmp_path / "store" / "index").iterdir()))


async def test_many_expunges_at_once_make_the_index_anew(store: Store) -> None:
    """Where little is left, it is indexed again; the answers are right all the time."""
    folder_id = await inbox(store, (await add_box(store)).id)
    known = await put(store, folder_id, *[letter(f"mot{i} commun") for i in range(300)])
    await indexed(store, folder_id)
    await _expunge(store, folder_id, known[:290])
    await asyncio.sleep(0)
    hits = await indexed(store, folder_id, BODY, "commun")
    assert hits.uids & set(await uids(store, folder_id)) == set(known[290:])


async def test_large_texts_are_read_in_pieces_and_cut(store: Store, tmp_path: Path) -> None:
    """Text beyond the cap is left to the scan; a text in a segment file and an attachment's name are found."""
    folder_id = await inbox(store, (await add_box(store)).id)
    pdf = (
        b'--x\r\nContent-Type: application/pdf; name="bilan.pdf"\r\n\r\n' + b"%PDF" * 5000 + b"\r\n--x--\r\n"
    )
    mixed = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntexte\r\n" + pdf
    long = letter("debut " + "mot " * 100_000 + "fin")
    first, second = await put(store, folder_id, mixed, long)
    await indexed(store, folder_id)
    assert (await store.find_text(folder_id, BODY, "bilan.pdf")).uids == {first}
    assert await store.find_text(folder_id, BODY, "fin") == TextHits(frozenset(), second, frozenset({second}))
    assert (await store.find_text(folder_id, BODY, "debut")).uids == {second}
    assert await store.find_text(folder_id, "subject", "fin") == TextHits(frozenset(), second)
    assert await scan(store, folder_id, BODY, "fin") == {second}


async def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Opened again, the index takes in what came while it was closed; a damaged file is made anew."""
    store = SqliteStore(sqlite_options(tmp_path))
    await store.open()
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await put(store, folder_id, letter("genou"))
    await indexed(store, folder_id)
    await store.close()
    off = SqliteStore(sqlite_options(tmp_path / "other", index=False))
    await off.open()
    assert await off.reindex(1) == 0
    await off.close()
    path = tmp_path / "index" / f"{box.id}.db"
    for damage in (b"", b"no database at all" * 300):
        if damage:
            path.write_bytes(damage)
        store = SqliteStore(sqlite_options(tmp_path))
        await store.open()
        (new,) = await put(store, folder_id, letter("hanche"))
        assert new in (await indexed(store, folder_id, BODY, "hanche")).uids
        await store.close()


async def test_switched_off_it_is_removed(tmp_path: Path) -> None:
    """Nothing is decided, nothing is kept."""
    for index in (True, False):
        store = SqliteStore(sqlite_options(tmp_path, index=index))
        await store.open()
        box = await add_box(store, f"boite{index}")
        folder_id = await inbox(store, box.id)
        await put(store, folder_id, letter("genou"))
        if index:
            await indexed(store, folder_id)
        assert (await store.find_text(folder_id, TEXT, "genou")).decided == int(index)
        await store.close()
    assert not any((tmp_path / "index").iterdir())


async def test_an_index_of_another_past_is_thrown_away(tmp_path: Path) -> None:
    """A store restored from a backup may give the same UIDs again: its index is not believed."""
    for text, count in (("ancien", 3), ("nouveau", 2)):
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        store = SqliteStore(sqlite_options(tmp_path))
        await store.open()
        folder_id = await inbox(store, (await add_box(store)).id)
        await put(store, folder_id, *[letter(text)] * count)
        hits = await indexed(store, folder_id, BODY, "ancien")
        assert hits.uids == (set(range(1, 4)) if text == "ancien" else set())
        await store.close()


@pytest.mark.req("IMP-1")
async def test_fuzzy_knows_plural_feminine_and_beginnings(store: Store) -> None:
    """The nearer the word and the more prominent its place, the higher the relevancy (RFC 6203)."""
    folder_id = await inbox(store, (await add_box(store)).id)
    exact, near, longer, other, half = await put(
        store, folder_id, letter("patient opéré"), letter("les patientes opérées"), letter("patientèle opéré"),
        letter("rien"), letter("le patient"),
    )  # fmt: skip
    await indexed(store, folder_id)
    found = await store.find_fuzzy(folder_id, ["patient", "opere"])
    assert set(found.scores) == {exact, near, longer, half}
    assert other <= found.decided
    assert found.scores[exact] > found.scores[near] > found.scores[longer] > found.scores[half]
    assert all(1 <= score <= 100 for score in found.scores.values())
    assert (await store.find_fuzzy(folder_id, ["resultats"])).scores[exact] > found.scores[exact]
    assert (await store.find_fuzzy(folder_id, [])).scores == {}


async def test_reindex_tells_how_many_messages_there_are(store: Store) -> None:
    """Made anew as a whole, before anybody searches."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    await put(store, folder_id, letter("genou"), letter("hanche"))
    assert await store.reindex(box.id) == 2
    assert (await store.find_text(folder_id, BODY, "genou")).uids == {1}


async def test_large_texts_are_taken_in_a_few_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round ends when it holds enough; another box has its turn in between, and nothing is left out."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._MOST_HELD", 100)
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._TURN", 0.0)
    folders = [await inbox(store, (await add_box(store, name)).id) for name in ("un", "deux")]
    for folder_id in folders:
        await put(store, folder_id, *[letter(f"mot{i} commun") for i in range(9)])
    for folder_id in folders:
        assert (await indexed(store, folder_id, BODY, "commun")).uids == set(range(1, 10))
        assert (await indexed(store, folder_id, BODY, "mot4")).uids == {5}


async def test_searches_that_read_messages_go_before_the_making_of_an_index(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first search has the index made, and is not slowed down by it; two of them are waited for."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._PATIENCE", 3600.0)
    folder_id = await inbox(store, (await add_box(store)).id)
    (first,) = await put(store, folder_id, letter("genou"))
    with store.reading_texts():
        with store.reading_texts():
            assert await store.find_text(folder_id, TEXT, "genou") == TextHits()
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        assert (await store.find_text(folder_id, TEXT, "genou")).decided == 0
    assert (await indexed(store, folder_id, TEXT, "genou")).uids == {first}


async def test_an_index_is_made_though_searches_never_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round waits for so long and no longer."""
    monkeypatch.setattr("mss_gateway.storage.sqlite.index._PATIENCE", 0.01)
    folder_id = await inbox(store, (await add_box(store)).id)
    (first,) = await put(store, folder_id, letter("genou"))
    with store.reading_texts():
        assert (await indexed(store, folder_id, TEXT, "genou")).uids == {first}
