"""A box that is purged: its mail is gone for good, its address stays taken (BAL-5)."""

from __future__ import annotations

import pytest

from mss_gateway.ports.mailboxes import NoSuchFolder, Viewer
from mss_gateway.ports.records import Delivery, NewBox, Part, Placement, TraceLine
from mss_gateway.ports.store import AlreadyExists, Store
from mss_gateway.rules.facts import BoxState, BoxType
from tests.support.store import body

LINE = TraceLine(1000.0, "test", "t")


@pytest.mark.req("BAL-5")
async def test_a_purged_box_keeps_nothing_but_its_address(store: Store) -> None:
    """Folders, members and certificates go; the row tells since when and why, and the address is not given again."""
    box = await store.add_box(NewBox("ferme@exemple.fr", BoxType.APP), LINE)
    person = await store.add_person("membre", "Membre", "", "", LINE)
    await store.add_member(box.id, person.id, "responsible", LINE)
    await store.add_certificate(box.id, "cn=a", "CN=a", LINE)
    placed = await store.accept(Delivery((Part(body(), 1.0, (Placement(box.id),)),)))
    purged = await store.purge_box(box.id, "retention", TraceLine(2000.0, "bal-purge", "t", box_id=box.id))
    assert (purged.state, purged.state_reason, purged.state_at) == (BoxState.PURGED, "retention", 2000.0)
    assert await store.folders(box.id) == []
    assert await store.memberships(box_id=box.id) == []
    assert await store.boxes_of_certificate("cn=a") == []
    with pytest.raises(NoSuchFolder):
        await store.snapshot(placed[0].folder_id, Viewer(person.id))
    with pytest.raises(AlreadyExists):
        await store.add_box(NewBox("ferme@exemple.fr", BoxType.PER), LINE)
    assert (await store.trace())[-1].event == "bal-purge"


@pytest.mark.req("BAL-5")
async def test_a_state_is_dated(store: Store) -> None:
    """The retention counts from the closure, not from the creation."""
    box = await store.add_box(NewBox("date@exemple.fr", BoxType.PER), LINE)
    assert box.state_at == box.created_at
    closed = await store.set_box_state(box.id, BoxState.CLOSED, "parti", TraceLine(5000.0, "bal-closed", "t"))
    assert closed.state_at == 5000.0
