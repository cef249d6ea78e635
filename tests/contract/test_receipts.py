"""Receipts in every back end: owed with the delivery, opened with \\Seen, answered once (RCP-2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.ports.mailboxes import FlagChange, NewAppend, Viewer
from mss_gateway.ports.records import Delivery, Opened, Receipt
from mss_gateway.ports.store import StaleReceipt, Store
from mss_gateway.rules.facts import BoxType
from tests.support.store import (
    ANYONE,
    NOW,
    add_box,
    body,
    delivery,
    flags_of,
    folder_named,
    inbox,
    trace_line,
    uids,
)

SEEN = frozenset({"\\Seen"})
NOTIFY = "dr.martin@hopital.example"


async def owing(store: Store, box_id: int, message_id: str = "<asked@hopital.example>") -> int:
    """A message with a receipt due; the folder id of INBOX, where it is the only message."""
    plain = delivery(body(message_id=message_id), box_id)
    part = replace(
        plain.parts[0], receipts=(Receipt(box_id, NOTIFY, "patient@hopital.example", "rfc822;x@y"),)
    )
    await store.accept(replace(plain, parts=(part,)))
    return await inbox(store, box_id)


async def see(
    store: Store, folder_id: int, change: FlagChange = FlagChange.ADD, viewer: Viewer = ANYONE
) -> None:
    """Every message of a folder is opened."""
    await store.store_flags(folder_id, viewer, await uids(store, folder_id), change, SEEN)


def answered(opened: Opened, box_id: int) -> Delivery:
    """The MDN, to a box of ours."""
    return replace(delivery(body(), box_id), answered=(opened.id,))


@pytest.mark.req("RCP-2")
@pytest.mark.parametrize("change", [FlagChange.ADD, FlagChange.REPLACE])
async def test_opening_keeps_all_that_the_receipt_needs(store: Store, change: FlagChange) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    assert await store.opened() == []
    await see(store, folder, change)
    (opened,) = await store.opened()
    assert (opened.notify, opened.recipient, opened.orcpt) == (
        NOTIFY,
        "patient@hopital.example",
        "rfc822;x@y",
    )
    assert b"<asked@hopital.example>" in opened.header
    assert opened.opened_at > NOW


@pytest.mark.req("RCP-2")
async def test_it_is_answered_once_and_the_second_answer_leaves_nothing(store: Store) -> None:
    box, sender = await add_box(store, kind=BoxType.PAT), await add_box(store, "dr.martin", BoxType.PER)
    folder = await owing(store, box.id)
    await see(store, folder)
    (opened,) = await store.opened()
    await store.accept(answered(opened, sender.id))
    assert await store.opened() == []
    ((_, flags),) = (await flags_of(store, folder)).items()
    assert flags == {"\\Seen", "$MDNSent"}
    with pytest.raises(StaleReceipt):
        await store.accept(answered(opened, sender.id))
    assert len(await uids(store, await inbox(store, sender.id))) == 1


@pytest.mark.req("RCP-2")
async def test_what_was_never_opened_cannot_be_answered(store: Store) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    await see(store, folder)
    (opened,) = await store.opened()
    with pytest.raises(StaleReceipt):
        await store.accept(replace(answered(opened, box.id), answered=(opened.id + 1,)))
    assert await store.opened() == [opened]


@pytest.mark.req("RCP-2")
async def test_opened_closed_and_opened_again_is_one_debt(store: Store) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    for change in (FlagChange.ADD, FlagChange.REMOVE, FlagChange.ADD):
        await see(store, folder, change)
    (first,) = await store.opened()
    await see(store, folder, FlagChange.REPLACE)
    assert await store.opened() == [first]


@pytest.mark.req("RCP-2")
@pytest.mark.parametrize("how", ["copy", "move"])
async def test_any_copy_in_the_box_is_the_message(store: Store, how: str) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    target = (await folder_named(store, box.id, "Trash")).id
    action = store.copy if how == "copy" else store.move
    await action(folder, ANYONE, await uids(store, folder), target)
    await see(store, target)
    assert len(await store.opened()) == 1


@pytest.mark.req("RCP-2")
async def test_the_same_body_in_another_box_opens_nothing_here(store: Store) -> None:
    """A message to two patients: each owes its own."""
    one, two = await add_box(store, "un", BoxType.PAT), await add_box(store, "deux", BoxType.PAT)
    plain = delivery(body(), one.id, two.id)
    part = replace(plain.parts[0], receipts=(Receipt(one.id, NOTIFY), Receipt(two.id, NOTIFY)))
    await store.accept(replace(plain, parts=(part,)))
    await see(store, await inbox(store, two.id))
    assert [opened.box_id for opened in await store.opened()] == [two.id]


@pytest.mark.req("RCP-2", "BAL-3")
async def test_the_first_member_opens_for_all(store: Store) -> None:
    box = await add_box(store, kind=BoxType.ORG)
    folder = await owing(store, box.id)
    for person in (1, 2):
        await see(store, folder, viewer=Viewer(person, shared=True))
    assert len(await store.opened()) == 1


@pytest.mark.req("RCP-2")
async def test_deleted_unopened_is_forgotten_and_deleted_after_opening_is_not(store: Store) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    await store.store_flags(
        folder, ANYONE, await uids(store, folder), FlagChange.ADD, frozenset({"\\Deleted"})
    )
    await store.expunge(folder, ANYONE, None)
    assert await store.opened() == []
    await owing(store, box.id, "<second@hopital.example>")
    both = frozenset({"\\Seen", "\\Deleted"})
    await store.store_flags(folder, ANYONE, await uids(store, folder), FlagChange.ADD, both)
    await store.expunge(folder, ANYONE, None)
    (opened,) = await store.opened()
    assert b"<second@hopital.example>" in opened.header
    sender = await add_box(store, "dr.martin", BoxType.PER)
    await store.accept(answered(opened, sender.id))
    assert await store.opened() == []


@pytest.mark.req("RCP-2")
async def test_a_purged_box_may_still_owe_what_was_opened(store: Store) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    await see(store, folder)
    await store.purge_box(box.id, "closed", trace_line("bal-purge"))
    assert len(await store.opened()) == 1


@pytest.mark.req("RCP-2")
async def test_what_a_client_saves_as_read_opens_nothing(store: Store) -> None:
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    await store.append(folder, ANYONE, [NewAppend(body(message_id="<asked@hopital.example>"), SEEN, NOW)])
    assert await store.opened() == []


@pytest.mark.req("RCP-2")
async def test_the_writer_is_told_of_an_opening_and_of_nothing_else(store: Store) -> None:
    told: list[None] = []
    store.on_opened(lambda: told.append(None))
    box = await add_box(store, kind=BoxType.PAT)
    folder = await owing(store, box.id)
    known = await uids(store, folder)
    await store.store_flags(folder, ANYONE, known, FlagChange.ADD, frozenset({"\\Flagged"}))
    assert told == []
    await see(store, folder)
    await see(store, folder)
    assert len(told) == 1
