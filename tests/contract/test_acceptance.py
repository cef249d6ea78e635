"""Acceptance: one delivery is one durable transaction, whole or not at all."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.ports.queue import Selection
from mss_gateway.ports.records import (
    ChannelChange,
    ChannelGuard,
    Delivery,
    Part,
    Placement,
    SpoolFile,
)
from mss_gateway.ports.store import StaleChannel, Store, StoreError
from mss_gateway.rules.facts import ChannelFacts, ChannelState
from tests.support.store import (
    EVERYTHING,
    NOW,
    BackEnd,
    add_box,
    body,
    delivery,
    folder_named,
    inbox,
    is_whole,
    trace_line,
    uids,
)

PATIENT = "patient@patient.example"
BAL = "accueil@hopital.example"
OPEN = ChannelChange(PATIENT, BAL, ChannelState.OPEN, "message")
CLOSE = ChannelChange(PATIENT, BAL, ChannelState.CLOSED, "fin-subject")


@pytest.mark.req("RTE-4")
async def test_everything_of_a_delivery_is_there_after_one_accept(store: Store) -> None:
    """Rows in two boxes, an outbox row, a channel and a trace line come from one commit."""
    first, second = await add_box(store, "un"), await add_box(store, "deux")
    new = body(b"texte\r\n")
    wanted = replace(
        delivery(new, first.id, second.id, outbox=["dr.durand@clinique.example"]), channels=(OPEN,)
    )
    placed = await store.accept(wanted)
    assert [place.box_id for place in placed] == [first.id, second.id]
    for place in placed:
        assert place.folder_id == await inbox(store, place.box_id)
        assert await is_whole(store, place.folder_id, place.uid, new.digest)
    (queued,) = await store.queued(Selection())
    assert (queued.recipient, queued.domain, queued.state) == (
        "dr.durand@clinique.example",
        "clinique.example",
        "waiting",
    )
    assert await store.queued(Selection(domain="autre.example")) == []
    assert await store.channel(PATIENT, BAL) == ChannelFacts(ChannelState.OPEN, 1)
    assert [line.event for line in await store.trace(new.message_id)] == ["accepted"]


@pytest.mark.req("RTE-7")
@pytest.mark.parametrize("size", [0, 1, 2000, 2001, 39_999, 40_001, 100_000])
async def test_every_size_of_text_comes_back_octet_by_octet(store: Store, size: int) -> None:
    """Inline texts, shared segments and a text larger than a segment are read back whole and in pieces."""
    box = await add_box(store)
    text = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    for _ in range(2):
        (place,) = await store.accept(delivery(body(text), box.id))
    (row,) = await store.rows(place.folder_id, Viewer(1), [place.uid], EVERYTHING)
    assert row.header is not None
    assert (row.size, row.header_size) == (len(row.header) + size, len(row.header))
    assert await store.read_text(row.body_id, 0, size + 10) == text
    pieces = [await store.read_text(row.body_id, at, 7000) for at in range(0, size, 7000)]
    assert b"".join(pieces) == text
    assert await store.read_text(row.body_id, size + 5, 10) == b""
    assert await store.read_texts([row.body_id], 50_000) == ({row.body_id: text} if size <= 50_000 else {})


@pytest.mark.req("RTE-7")
@pytest.mark.parametrize(("offset", "size"), [(0, 500), (0, 5000), (0, 20_000), (30, 20_000)])
async def test_a_spool_file_is_taken_over(store: Store, tmp_path: Path, offset: int, size: int) -> None:
    """Small, middle and large spool files, with and without a head to be left out, end up in the store."""
    box = await add_box(store)
    path = tmp_path / "spooled"
    text = bytes(i % 251 for i in range(size))
    path.write_bytes(b"h" * offset + text)
    new = body(SpoolFile(path, offset, size))
    (place,) = await store.accept(delivery(new, box.id))
    path.unlink(missing_ok=True)
    assert await is_whole(store, place.folder_id, place.uid, new.digest)


@pytest.mark.req("RTE-7", "RTE-4")
@pytest.mark.parametrize("size", [500, 5000, 20_000])
async def test_a_spool_file_that_is_too_short_is_refused(store: Store, tmp_path: Path, size: int) -> None:
    """A truncated body is never acknowledged as whole, however it would have been kept."""
    box = await add_box(store)
    path = tmp_path / "spooled"
    path.write_bytes(b"t" * size)
    new = body(SpoolFile(path, 0, size))
    path.write_bytes(b"t" * (size - 1))
    with pytest.raises(StoreError):
        await store.accept(delivery(new, box.id))
    assert await uids(store, await inbox(store, box.id)) == []


@pytest.mark.req("RTE-7")
@pytest.mark.parametrize("size", [500, 5000, 20_000])
async def test_only_the_octets_named_of_a_spool_file_are_kept(
    store: Store, tmp_path: Path, size: int
) -> None:
    """A file that goes on after the body is copied up to its end, not taken over."""
    box = await add_box(store)
    path = tmp_path / "spooled"
    path.write_bytes(b"t" * size + b"beyond")
    new = body(SpoolFile(path, 0, size))
    (place,) = await store.accept(delivery(new, box.id))
    assert await is_whole(store, place.folder_id, place.uid, new.digest)


@given(
    size=st.sampled_from([0, 1999, 2001, 9000]),
    slices=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=8),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.req("RTE-7")
def test_any_slice_of_a_text_is_that_slice(
    back_end: BackEnd, size: int, slices: list[tuple[int, int]]
) -> None:
    """Reading at any place and length gives what the same slice of the octets gives."""
    text = bytes(i * 7 % 256 for i in range(size))

    async def check(folder: Path) -> None:
        store = back_end.build(folder)
        await store.open()
        (place,) = await store.accept(delivery(body(text), (await add_box(store)).id))
        (row,) = await store.rows(place.folder_id, Viewer(1), [place.uid], EVERYTHING)
        for start, length in slices:
            assert await store.read_text(row.body_id, start, length) == text[start : start + length]
        await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


@pytest.mark.req("CHN-9", "RTE-4")
async def test_a_refused_commit_leaves_the_spool_file_for_the_next_attempt(
    store: Store, tmp_path: Path
) -> None:
    """After `StaleChannel` the same spool file is decided on again, so the store must not have eaten it."""
    box = await add_box(store)
    path = tmp_path / "spooled"
    path.write_bytes(b"y" * 20_000)
    new = body(SpoolFile(path, 0, 20_000))
    with pytest.raises(StaleChannel):
        await store.accept(replace(delivery(new, box.id), guards=(ChannelGuard(PATIENT, BAL, 4),)))
    gone = replace(delivery(new, box.id).parts[0], placements=(Placement(box.id), Placement(box.id + 99)))
    with pytest.raises(StoreError):
        await store.accept(Delivery((delivery(new, box.id).parts[0], gone)))
    (place,) = await store.accept(delivery(new, box.id))
    assert await is_whole(store, place.folder_id, place.uid, new.digest)


@pytest.mark.req("CHN-9")
async def test_a_stale_guard_refuses_the_whole_delivery(store: Store) -> None:
    """A channel that moved since the decision leaves no message, no channel change and no trace."""
    box = await add_box(store)
    new = body()
    await store.accept(Delivery((), channels=(OPEN,)))
    stale = replace(delivery(new, box.id), channels=(CLOSE,), guards=(ChannelGuard(PATIENT, BAL, 0),))
    with pytest.raises(StaleChannel):
        await store.accept(stale)
    assert await uids(store, await inbox(store, box.id)) == []
    assert await store.channel(PATIENT, BAL) == ChannelFacts(ChannelState.OPEN, 1)
    assert await store.trace(new.message_id) == []


@pytest.mark.req("CHN-9")
async def test_of_two_racing_decisions_one_wins(store: Store) -> None:
    """Two deliveries decided on the same version and committed together: exactly one is accepted."""
    box = await add_box(store)
    for version in range(20):
        change = OPEN if version % 2 == 0 else CLOSE
        race = [
            replace(
                delivery(body(), box.id), channels=(change,), guards=(ChannelGuard(PATIENT, BAL, version),)
            )
            for _ in range(2)
        ]
        outcomes = await asyncio.gather(*(store.accept(one) for one in race), return_exceptions=True)
        assert sum(isinstance(outcome, StaleChannel) for outcome in outcomes) == 1
        assert (await store.channel(PATIENT, BAL)).version == version + 1
    assert await uids(store, await inbox(store, box.id)) == list(range(1, 21))


@pytest.mark.req("RTE-4")
async def test_a_failing_job_leaves_the_others_of_its_batch(store: Store, tmp_path: Path) -> None:
    """Deliveries to a box that does not exist fail alone among fifty committed together."""
    box = await add_box(store)
    folder_id = await inbox(store, box.id)
    good = [body(b"z" * (i * 200)) for i in range(40)]
    nowhere = [delivery(body(b"q" * 3000), box.id, 9999) for _ in range(10)]
    missing = Part(body(b"s"), NOW, (Placement(box.id),))
    lost = replace(missing, body=replace(missing.body, text=SpoolFile(tmp_path / "gone", 0, 5000)))
    jobs = [delivery(new, box.id) for new in good]
    mixed = [jobs[i // 5 * 4 + i % 5 - 1] if i % 5 else nowhere[i // 5] for i in range(50)]
    outcomes = await asyncio.gather(*map(store.accept, [*mixed, Delivery((lost,))]), return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(failed) == 11
    assert all(isinstance(outcome, StoreError) for outcome in failed)
    assert await uids(store, folder_id) == list(range(1, 41))
    assert {new.digest: True for new in good} == {
        new.digest: await is_whole(store, folder_id, uid, new.digest) for uid, new in enumerate(good, 1)
    }
    assert len(await store.trace()) == 41


@pytest.mark.req("RTE-4")
async def test_a_client_that_leaves_does_not_cancel_the_commit(store: Store) -> None:
    """The message is there although its caller was cancelled right after it had asked."""
    box = await add_box(store)
    tasks = [asyncio.ensure_future(store.accept(delivery(body(), box.id))) for _ in range(5)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    await store.write_trace([trace_line("after")])
    assert await uids(store, await inbox(store, box.id)) == [1, 2, 3, 4, 5]


@pytest.mark.req("RTE-4")
async def test_close_commits_what_was_asked_before(back_end: BackEnd, tmp_path: Path) -> None:
    """Deliveries under way when the store is closed are all there when it opens again."""
    store = back_end.build(tmp_path / "store")
    await store.open()
    box = await add_box(store)
    tasks = [asyncio.ensure_future(store.accept(delivery(body(), box.id))) for _ in range(30)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*tasks)
    with pytest.raises(StoreError):
        await store.accept(delivery(body(), box.id))
    again = back_end.build(tmp_path / "store")
    await again.open()
    assert len(await uids(again, await inbox(again, box.id))) == 30
    await again.close()


@pytest.mark.req("IMP-2")
async def test_a_named_folder_is_made_when_absent(store: Store) -> None:
    """Filing into `Echanges patient` creates the folder once, even for many deliveries at the same time."""
    box = await add_box(store)
    await asyncio.gather(
        *(store.accept(delivery(body(), box.id, folder="Echanges patient")) for _ in range(10))
    )
    folder = await folder_named(store, box.id, "Echanges patient")
    assert await uids(store, folder.id) == list(range(1, 11))


@pytest.mark.req("CHN-10")
async def test_the_version_of_a_channel_grows_only_when_its_state_changes(store: Store) -> None:
    """Writing again on an open channel does not make other decisions stale; changes by hand are traced."""
    for change in (OPEN, OPEN, CLOSE, CLOSE, OPEN):
        await store.accept(Delivery((), channels=(change,)))
    assert await store.channel(PATIENT, BAL) == ChannelFacts(ChannelState.OPEN, 3)
    closed = await store.set_channel(PATIENT, BAL, ChannelState.CLOSED, "ops", trace_line("channel-closed"))
    assert (closed.state, closed.version, closed.cause) == (ChannelState.CLOSED, 4, "ops")
    assert [line.event for line in await store.trace()] == ["channel-closed"]
    assert await store.channels(patient=PATIENT) == await store.channels(bal=BAL) == [closed]
    assert await store.channels(patient="nobody@patient.example") == []
