"""Persons by number, structures, delegations, last logins, censuses: what ops write is found again (BAL-2..6)."""

from __future__ import annotations

import pytest

from mss_gateway.ports.imports import BoxPlan, ImportOutcome, WantedTie
from mss_gateway.ports.people import Delegation, PersonChoices, StateChange, Structure
from mss_gateway.ports.records import BoxChoices, NewBox
from mss_gateway.ports.store import AlreadyExists, Store, StoreError
from mss_gateway.rules.facts import BoxState, BoxType
from tests.support.store import NOW, add_box, body, delivery, trace_line

RPPS, OTHER = "810000000009", "810000000017"
HOUR = 3600.0


@pytest.mark.req("BAL-2")
async def test_persons_are_found_by_their_national_id(store: Store) -> None:
    """All of them, disabled ones too; nobody for no id."""
    anne = await store.add_person("anne", "Anne", RPPS, "", trace_line())
    second = await store.add_person("anne.garde", "Anne", RPPS, "", trace_line())
    await store.add_person("paul", "Paul", "", "", trace_line())
    assert await store.persons_by_national_id(RPPS) == [anne, second]
    assert await store.persons_by_national_id(OTHER) == await store.persons_by_national_id("") == []
    await store.set_person(anne.id, PersonChoices(disabled=True), trace_line())
    assert [one.disabled for one in await store.persons_by_national_id(RPPS)] == [True, False]
    assert await store.known_people([RPPS, OTHER, ""]) == {RPPS: True}
    await store.set_person(second.id, PersonChoices(disabled=True), trace_line())
    assert await store.known_people([RPPS]) == {RPPS: False}


@pytest.mark.req("BAL-2", "BAL-5")
async def test_a_person_changes_with_their_boxes_or_not_at_all(store: Store) -> None:
    box = await add_box(store, "anne", BoxType.PER)
    anne = await store.add_person("Anne", "Anne", "", "hash", trace_line())
    await store.add_person("paul", "Paul", "", "", trace_line())
    change = StateChange(box.id, BoxState.SUSPENDED, "left", trace_line("bal-suspended"))
    with pytest.raises(AlreadyExists):
        await store.set_person(anne.id, PersonChoices(login="PAUL"), trace_line(), [change])
    with pytest.raises(StoreError):
        await store.set_person(anne.id + 9, PersonChoices(name="x"), trace_line())
    assert (await store.box_by_id(box.id)) == box
    after = await store.set_person(
        anne.id, PersonChoices("a.essai", "Anne Essai", RPPS, True), trace_line("person-set"), [change]
    )
    assert (after.login, after.name, after.national_id, after.disabled) == (
        "a.essai",
        "Anne Essai",
        RPPS,
        True,
    )
    assert await store.person("A.ESSAI") == after
    assert await store.person("anne") is None
    suspended = await store.box_by_id(box.id)
    assert suspended is not None
    assert (suspended.state, suspended.state_reason) == (BoxState.SUSPENDED, "left")
    assert [line.event for line in await store.trace()][-2:] == ["bal-suspended", "person-set"]


@pytest.mark.req("BAL-2")
async def test_professionals_are_listed_by_login_without_patients(store: Store) -> None:
    patient = await add_box(store, "patient", BoxType.PAT)
    for login in ("Zoe", "anne", "patient"):
        await store.add_person(login, login, "", "", trace_line())
    found = await store.person("patient")
    assert found is not None
    await store.add_member(patient.id, found.id, "holder", trace_line())
    assert [one.login for one in await store.all_persons()] == ["anne", "Zoe"]
    assert [one.login for one in await store.all_persons(limit=1)] == ["anne"]
    assert [one.login for one in await store.all_persons(after="ANNE")] == ["Zoe"]


@pytest.mark.req("BAL-5")
async def test_a_login_is_written_once_an_hour(store: Store) -> None:
    """Whoever logs in each minute costs one write; a directory that nobody changed is not forgotten."""
    box = await add_box(store, "robot", BoxType.APP)
    told: list[int] = []
    store.on_directory_change(lambda: told.append(1))
    for minute in range(0, 130, 10):
        await store.note_login(7, NOW + minute * 60)
    assert await store.last_logins([7, 8]) == {7: NOW + 2 * HOUR}
    await store.note_login(7, NOW)  # a clock that was set back
    assert await store.last_logins([7]) == {7: NOW + 2 * HOUR}
    await store.note_login(0, NOW, box.id)
    assert told == []
    (seen,) = await store.last_seen([box.id])
    assert (seen.login_at, seen.mail_at) == (NOW, 0)


@pytest.mark.req("BAL-5")
async def test_a_box_is_last_used_by_its_people_and_by_its_mail(store: Store) -> None:
    box, other = await add_box(store), await add_box(store, "vide")
    anne = await store.add_person("anne", "Anne", "", "", trace_line())
    await store.add_member(box.id, anne.id, "member", trace_line())
    await store.note_login(anne.id, NOW - 5)
    await store.accept(delivery(body(), box.id))
    seen = await store.last_seen([box.id, other.id])
    assert [(one.box_id, one.login_at, one.mail_at) for one in seen] == [
        (box.id, NOW - 5, NOW),
        (other.id, 0, 0),
    ]


@pytest.mark.req("BAL-3")
async def test_structures_are_kept_with_the_boxes_that_name_them(store: Store) -> None:
    clinic = Structure("1750000000", "clinique", "Clinique Essai", "1 rue Essai", "75000 Paris")
    await store.put_structure(clinic, trace_line("structure-add"), new=True)
    with pytest.raises(AlreadyExists):
        await store.put_structure(clinic, trace_line(), new=True)
    other = Structure("local:b", name="Cabinet")
    await store.put_structure(other, trace_line(), new=False)
    assert await store.structure(clinic.id) == clinic
    assert await store.structure("") is None
    assert await store.structures() == [clinic, other]
    assert await store.structures(after=clinic.id) == [other]
    new = NewBox("a@hopital.example", BoxType.ORG, structure=clinic.id, responsible=RPPS)
    box = await store.add_box(new, trace_line())
    assert await store.boxes_of_structure(clinic.id) == [box] == await store.boxes_of_responsible(RPPS)
    assert await store.boxes_of_structure("") == []
    after = await store.set_box_choices(box.id, BoxChoices(structure=other.id), trace_line())
    assert await store.boxes_of_structure(other.id) == [after]


@pytest.mark.req("BAL-6")
async def test_delegations_come_change_and_go(store: Store) -> None:
    box = await add_box(store)
    anne = await store.add_person("anne", "Anne", "", "", trace_line())
    told: list[int] = []
    store.on_directory_change(lambda: told.append(1))
    first = Delegation(box.id, anne.id, NOW, NOW + 9, "congé", "ops", NOW)
    await store.delegate(first, trace_line("bal-delegate"))
    assert await store.delegations(box_id=box.id) == [first] == await store.delegations(person_id=anne.id)
    longer = Delegation(box.id, anne.id, NOW, NOW + 99, "congé", "ops", NOW)
    await store.delegate(longer, trace_line())
    assert await store.delegations(person_id=anne.id) == [longer]
    assert await store.end_delegation(box.id, anne.id, trace_line("ended"))
    assert not await store.end_delegation(box.id, anne.id, trace_line("ended"))
    assert [line.event for line in await store.trace()].count("ended") == 1
    assert await store.delegations(box_id=box.id) == []
    assert len(told) == 3
    with pytest.raises(StoreError):
        await store.delegate(Delegation(box.id + 5, anne.id, NOW, NOW + 9), trace_line())


@pytest.mark.req("BAL-5", "AUD-1")
async def test_the_history_of_a_box_is_what_changed_it(store: Store) -> None:
    """Its mail is not in it; it begins with the making."""
    box = await add_box(store)
    await store.accept(delivery(body(), box.id))
    line = trace_line("bal-suspended")
    await store.set_box_state(box.id, BoxState.SUSPENDED, "x", line)
    events = ("box-added", "bal-suspended")
    found = await store.box_history(box.id, events)
    assert [one.event for one in found] == ["box-added"]  # the line of the test names no box
    assert found[0].box_id == box.id
    assert await store.box_history(box.id, events, limit=0) == []


@pytest.mark.req("BAL-1", "BAL-2", "BAL-3", "BAL-5")
async def test_plans_are_carried_out_together(store: Store) -> None:
    """A plan that cannot be carried out undoes those before it."""
    made = BoxPlan(
        new=NewBox("a@hopital.example", BoxType.PER),
        choices=BoxChoices(quota_bytes=5),
        state=BoxState.SUSPENDED,
        reason="essai",
        ties=(WantedTie("anne", "Anne", RPPS, "holder"),),
        changes=("new",),
    )
    await store.carry_out([made], trace_line("bal-import"))
    census = await store.census(["a@hopital.example", "x@hopital.example"], ["anne", "paul"], [RPPS])
    box = census.boxes["a@hopital.example"]
    assert (box.state, box.state_reason, box.quota_bytes) == (BoxState.SUSPENDED, "essai", 5)
    assert census.people["anne"].national_id == RPPS
    assert [person.login for person, role in census.ties[box.id] if role == "holder"] == ["anne"]
    assert list(census.by_number) == [RPPS]
    assert (len(census.boxes), len(census.people), census.patients) == (1, 1, frozenset())
    history = await store.box_history(box.id, ("bal-import", "bal-suspended", "person-add"))
    assert {line.event for line in history} == {"bal-import", "bal-suspended", "person-add"}
    with pytest.raises(AlreadyExists):
        await store.carry_out(
            [BoxPlan(new=NewBox("b@hopital.example", BoxType.PER)), made], trace_line("bal-import")
        )
    assert [one.address for one in await store.boxes_after("", 10)] == ["a@hopital.example"]
    assert await store.boxes_after("a@hopital.example", 10) == []
    await store.carry_out([BoxPlan(box=box, untie=(census.people["anne"].id,))], trace_line())
    assert await store.memberships(box_id=box.id) == []


@pytest.mark.req("BAL-5")
async def test_the_last_import_of_each_file_is_kept(store: Store) -> None:
    await store.note_import(ImportOutcome("a.csv", NOW, "d1", {"created": 1}))
    await store.note_import(ImportOutcome("b.csv", NOW + 1, "", {"problem": "gone"}))
    later = ImportOutcome("a.csv", NOW + 2, "d2", {"created": 0})
    await store.note_import(later)
    assert [one.source for one in await store.import_outcomes()] == ["a.csv", "b.csv"]
    assert (await store.import_outcomes())[0] == later


@pytest.mark.req("BAL-9")
async def test_what_boxes_were_told_of_their_quota(store: Store) -> None:
    """Told once, with the mail in the same commit; nothing is known of boxes without a limit."""
    box, free = await add_box(store), await add_box(store, "libre")
    assert not await store.any_quota()
    await store.accept(delivery(body(), box.id, free.id))
    await store.set_box_choices(box.id, BoxChoices(quota_messages=4), trace_line())
    assert await store.any_quota()
    folders = [folder.id for folder in (*await store.folders(box.id), *await store.folders(free.id))]
    (usage,) = await store.usage(folders)
    assert (usage.box_id, usage.messages, usage.messages_limit, usage.told, usage.percent) == (
        box.id,
        1,
        4,
        0,
        25,
    )
    assert await store.usage_of_all(0, 10) == [usage]
    assert await store.usage_of_all(box.id, 10) == []
    assert await store.tell_usage(box.id, 0, 80, delivery(body(), box.id))
    assert not await store.tell_usage(box.id, 0, 95, delivery(body(), box.id))
    (usage,) = await store.usage(folders)
    assert (usage.messages, usage.told) == (2, 80)
    await store.note_told(box.id, 0)
    assert (await store.usage(folders))[0].told == 0
    await store.set_box_state(box.id, BoxState.CLOSED, "", trace_line())
    assert await store.usage(folders) == []
