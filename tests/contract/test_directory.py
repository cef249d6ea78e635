"""Boxes, persons, members and certificates: what ops write is found again, and each write is traced."""

from __future__ import annotations

import asyncio

import pytest

from mss_gateway.ports.records import Membership, NewBox
from mss_gateway.ports.store import AlreadyExists, Store, StoreError
from mss_gateway.rules.facts import BoxState, BoxType
from tests.support.store import add_box, trace_line


@pytest.mark.req("BAL-1", "BAL-10")
async def test_a_box_is_found_whatever_the_case_and_keeps_its_spelling(store: Store) -> None:
    """The address stays as published; the same address in another case is refused as a double."""
    wanted = NewBox(
        "Accueil.Urgences@hopital.example", BoxType.CAB, "Accueil", structure="750000001", fin="leave"
    )
    made = await store.add_box(wanted, trace_line("box-added"))
    found = await store.box("accueil.urgences@hopital.example")
    assert found == made == await store.box_by_id(made.id)
    assert (made.address, made.type, made.state) == (wanted.address, BoxType.CAB, BoxState.ACTIVE)
    assert (made.display, made.structure, made.fin, made.patient_initiated) == (
        "Accueil",
        "750000001",
        "leave",
        False,
    )
    with pytest.raises(AlreadyExists):
        await store.add_box(NewBox("ACCUEIL.urgences@hopital.example", BoxType.PER), trace_line())
    assert [line.event for line in await store.trace()] == ["box-added"]
    assert await store.box("personne@hopital.example") is None


@pytest.mark.req("BAL-5")
async def test_a_state_has_its_reason_and_its_trace(store: Store) -> None:
    """Suspending keeps the reason; a box that is not there is an error that leaves no trace."""
    box = await add_box(store)
    after = await store.set_box_state(box.id, BoxState.SUSPENDED, "départ", trace_line("box-suspended"))
    assert (after.state, after.state_reason) == (BoxState.SUSPENDED, "départ")
    with pytest.raises(StoreError):
        await store.set_box_state(999, BoxState.CLOSED, "", trace_line("box-closed"))
    assert [line.event for line in await store.trace()] == ["box-added", "box-suspended"]


@pytest.mark.req("BAL-3")
async def test_members_come_and_go(store: Store) -> None:
    """A person of two boxes is listed from both sides, the role can change, and the tie be cut."""
    first, second = await add_box(store, "un"), await add_box(store, "deux")
    anne = await store.add_person("Anne.Essai", "Anne Essai", "899700000000", "hash", trace_line())
    assert await store.person("anne.ESSAI") == anne
    with pytest.raises(AlreadyExists):
        await store.add_person("ANNE.essai", "", "", "", trace_line())
    await store.add_member(first.id, anne.id, "member", trace_line())
    await store.add_member(second.id, anne.id, "member", trace_line())
    await store.add_member(first.id, anne.id, "responsible", trace_line())
    ties = [Membership(first.id, anne.id, "responsible"), Membership(second.id, anne.id, "member")]
    assert await store.memberships(person_id=anne.id) == ties
    await store.remove_member(second.id, anne.id, trace_line())
    assert await store.memberships(box_id=second.id) == []
    await store.set_password(anne.id, "other", trace_line())
    assert [person.password_hash for person in await store.persons([anne.id, 99])] == ["other"]


@pytest.mark.req("BAL-4")
async def test_a_certificate_opens_the_boxes_that_list_it(store: Store) -> None:
    """By the key of the whole DN; another DN opens nothing."""
    box = await add_box(store, "robot", BoxType.APP)
    await store.add_certificate(box.id, "cn=robot,o=hopital", "CN=robot, O=Hopital", trace_line())
    assert await store.boxes_of_certificate("cn=robot,o=hopital") == [box]
    assert await store.boxes_of_certificate("cn=robot") == []


@pytest.mark.req("BAL-1")
async def test_of_two_that_provision_the_same_address_one_wins(store: Store) -> None:
    """Two operators at the same moment make one box, with one set of folders."""
    outcomes = await asyncio.gather(add_box(store), add_box(store), return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 1
    (box,) = await store.boxes()
    assert len(await store.folders(box.id)) == 6
    assert await store.boxes(["PAT"]) == []


@pytest.mark.req("BAL-3", "BAL-4", "AUD-2")
async def test_nothing_is_tied_to_what_is_not_there(store: Store) -> None:
    """A member, a certificate, a password or a folder for nobody is an error, and leaves no trace of success."""
    box = await add_box(store)
    anne = await store.add_person("anne.essai", "Anne Essai", "", "hash", trace_line("person-added"))
    before = await store.trace()
    calls = [
        store.add_member(box.id, anne.id + 1, "member", trace_line()),
        store.add_member(box.id + 1, anne.id, "member", trace_line()),
        store.add_certificate(box.id + 1, "cn=robot", "CN=robot", trace_line()),
        store.set_password(anne.id + 1, "other", trace_line()),
        store.create_folder(box.id + 1, "Perdu"),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, StoreError) for outcome in outcomes)
    assert await store.trace() == before
    assert await store.memberships(person_id=anne.id) == []
    assert await store.folders(box.id + 1) == []
