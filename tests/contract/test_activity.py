"""Who did what in a shared mailbox: kept once, with the act itself, under the member's name (BAL-3, AUD-1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.annotations import Done
from mss_gateway.ports.mailboxes import FlagChange, NewAppend, Viewer
from mss_gateway.ports.records import Answers, Delivery, Part, Placement
from mss_gateway.ports.store import Store
from mss_gateway.rules.activity import ACTS_OF_FLAGS, Act
from mss_gateway.rules.facts import BoxType
from tests.support.properties import FOR_EACH_EXAMPLE
from tests.support.store import NOW, add_box, body, fill, folder_named, inbox, trace_line

pytestmark = pytest.mark.req("BAL-3")

ADD, SEEN = FlagChange.ADD, frozenset({"\\Seen"})
DELETED = frozenset({"\\Deleted"})


class House:
    """A shared box with two members."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def open(self) -> House:
        """Provision it."""
        self.box = (await add_box(self.store, "secretariat")).id
        self.inbox = await inbox(self.store, self.box)
        people = [
            await self.store.add_person(login, name, "", "", trace_line())
            for login, name in (("alix", "Alix Martin"), ("bo", "Bo Durand"))
        ]
        self.alix, self.bo = (Viewer(person.id, shared=True) for person in people)
        return self

    async def acts(self, message_id: str | None = None) -> set[tuple[str, str]]:
        """Names and acts in the box, or on one message."""
        done = await self.store.box_activity(self.box, message_id=message_id)
        return {(one.name, one.act.value) for one in done}

    async def told(self) -> list[tuple[str, str, str | None]]:
        """What the timeline has of members."""
        lines = await self.store.trace(box_id=self.box)
        return [
            (line.event, line.actor, line.message_id) for line in lines if line.event.startswith("member-")
        ]


@pytest.fixture
async def house(store: Store) -> House:
    """An ORG box."""
    return await House(store).open()


async def test_each_member_is_named(house: House) -> None:
    """Reading is each member's own; answering and flagging belong to whoever did it first."""
    store = house.store
    await fill(store, house.inbox, 2)
    await store.store_flags(house.inbox, house.alix, [1], ADD, SEEN)
    await store.store_flags(house.inbox, house.bo, [1, 2], ADD, SEEN | {"\\Answered"})
    await store.store_flags(
        house.inbox, house.alix, [1, 2], FlagChange.REPLACE, SEEN | {"\\Answered", "\\Flagged"}
    )
    found = await store.folder_activity(house.inbox)
    assert {(one.uid, one.name, one.act) for one in found} == {
        (1, "Alix Martin", Act.READ),
        (1, "Bo Durand", Act.READ),
        (1, "Bo Durand", Act.ANSWERED),
        (1, "Alix Martin", Act.FLAGGED),
        (2, "Bo Durand", Act.READ),
        (2, "Bo Durand", Act.ANSWERED),
        (2, "Alix Martin", Act.READ),
        (2, "Alix Martin", Act.FLAGGED),
    }
    assert [one.uid for one in await store.folder_activity(house.inbox, 10, [2])] == [2] * 4
    assert len(await store.folder_activity(house.inbox, 3)) == 3


async def test_again_costs_no_row(house: House) -> None:
    """Read, unread, read: one row with its first and its last time, and one line on the timeline."""
    store = house.store
    await fill(store, house.inbox, 1)
    rows: list[Done] = []
    for _ in range(3):
        await store.store_flags(house.inbox, house.alix, [1], ADD, SEEN)
        (row,) = await store.folder_activity(house.inbox)
        rows.append(row)
        await store.store_flags(house.inbox, house.alix, [1], FlagChange.REMOVE, SEEN)
    assert rows[0].first_at == rows[0].last_at == rows[2].first_at
    assert rows[0].last_at < rows[1].last_at < rows[2].last_at
    assert len(await house.told()) == 1


async def test_it_stays_with_the_message_when_that_is_filed(house: House) -> None:
    """Moved within the box, the message keeps its acts, and whoever moved it is named; the trash is deletion."""
    store = house.store
    await fill(store, house.inbox, 2)
    await store.store_flags(house.inbox, house.alix, [1, 2], ADD, SEEN)
    archive, trash = [await folder_named(store, house.box, name) for name in ("Archive", "Trash")]
    await store.move(house.inbox, house.bo, [1], archive.id)
    await store.copy(house.inbox, house.bo, [2], archive.id)
    await store.move(house.inbox, house.alix, [2], trash.id)
    acts = {(one.uid, one.name, one.act) for one in await store.folder_activity(archive.id)}
    assert acts >= {(1, "Alix Martin", Act.READ), (1, "Bo Durand", Act.FILED), (2, "Bo Durand", Act.FILED)}
    assert (1, "Alix Martin", Act.DELETED) in {
        (one.uid, one.name, one.act) for one in await store.folder_activity(trash.id)
    }
    assert await store.folder_activity(house.inbox) == []


async def test_the_timeline_outlives_the_message(house: House) -> None:
    """Expunged, the message's rows are gone; who removed it, and what was done before, is still told."""
    store = house.store
    new = body()
    await store.append(house.inbox, Viewer(0), [NewAppend(new, frozenset(), NOW)])
    await store.store_flags(house.inbox, house.alix, [1], ADD, SEEN | DELETED)
    assert await store.expunge(house.inbox, house.bo, [1]) == [1]
    assert await store.folder_activity(house.inbox) == []
    expected = {("Alix Martin", "read"), ("Alix Martin", "deleted"), ("Bo Durand", "removed")}
    assert await house.acts() == expected
    assert new.message_id is not None
    assert await house.acts(message_id=new.message_id) == expected
    assert await house.acts(message_id="<autre@hopital.example>") == set()
    assert {line[2] for line in await house.told()} == {new.message_id}


async def test_expunge_names_only_what_it_removed(house: House) -> None:
    """UID EXPUNGE of a message that is not marked removes nothing, and says nothing."""
    store = house.store
    await fill(store, house.inbox, 3)
    await store.store_flags(house.inbox, house.alix, [2, 3], ADD, DELETED)
    assert await store.expunge(house.inbox, house.bo, [1, 2]) == [2]
    assert [line[0] for line in await house.told()].count("member-removed") == 1


async def test_a_folder_that_is_deleted_takes_its_messages_under_a_name(house: House) -> None:
    """DELETE removes what lies there; the gateway's own work, such as a purge, is no member's act."""
    store = house.store
    for name, viewer in (("A", house.bo), ("B", None)):
        folder = await store.create_folder(house.box, name)
        await fill(store, folder.id, 2)
        await store.delete_folder(folder.id, viewer)
    assert [line[:2] for line in await house.told()] == [("member-removed", "bo")] * 2


async def test_since_and_limit(house: House) -> None:
    """Only what was done from a moment on, the latest first."""
    store = house.store
    await fill(store, house.inbox, 3)
    for uid in (1, 2, 3):
        await store.store_flags(house.inbox, house.alix, [uid], ADD, SEEN)
    done = await store.box_activity(house.box)
    assert [one.last_at for one in done] == sorted((one.last_at for one in done), reverse=True)
    assert await store.box_activity(house.box, since=done[1].last_at) == done[:2]
    assert await store.box_activity(house.box, limit=1) == done[:1]


async def test_between_boxes(house: House) -> None:
    """Into a shared box: filed there. Out of it: removed. A box with one owner keeps nothing."""
    store = house.store
    box = await add_box(store, "dr.martin", BoxType.PER)
    own, alix = await inbox(store, box.id), Viewer(house.alix.person_id)
    await fill(store, own, 1)
    await store.copy(own, alix, [1], house.inbox)
    assert await house.acts() == {("Alix Martin", "filed")}
    await store.move(house.inbox, house.bo, [1], own)
    assert await house.acts() == {("Alix Martin", "filed"), ("Bo Durand", "removed")}
    await store.store_flags(own, alix, [1, 2], ADD, SEEN | DELETED)
    await store.expunge(own, alix, None)
    assert await store.box_activity(box.id) == []


async def test_what_a_member_puts_there(house: House) -> None:
    """In the folder of sent messages it was sent, elsewhere filed; a copy filed by the gateway names its author."""
    store = house.store
    sent = await folder_named(store, house.box, "Sent")
    await store.append(sent.id, house.alix, [NewAppend(body(), SEEN, NOW)])
    await store.append(house.inbox, house.bo, [NewAppend(body(), frozenset(), NOW)])
    copy = Placement(house.box, "Echanges patient", seen_by=house.bo.person_id)
    await store.accept(Delivery((Part(body(), NOW, (copy,)),)))
    assert await house.acts() == {("Alix Martin", "sent"), ("Bo Durand", "filed"), ("Bo Durand", "sent")}


async def test_a_message_replaced_is_removed_and_filed_anew(house: House) -> None:
    """REPLACE (RFC 8508) is one act on the old message and one on the new, by the same member."""
    store = house.store
    drafts = await folder_named(store, house.box, "Drafts")
    await store.append(drafts.id, house.alix, [NewAppend(body(), frozenset(), NOW)])
    await store.replace(drafts.id, 1, drafts.id, house.bo, NewAppend(body(), frozenset(), NOW))
    assert await house.acts() == {("Alix Martin", "filed"), ("Bo Durand", "removed"), ("Bo Durand", "filed")}


async def test_an_answer_that_is_sent_counts(house: House) -> None:
    """What a member's message answers is answered, without a flag; a message of that id in another box is not."""
    store = house.store
    other = await add_box(store, "cabinet", BoxType.CAB)
    question, unknown = body(), "<jamais@hopital.example>"
    assert question.message_id is not None
    await store.accept(Delivery((Part(question, NOW, (Placement(house.box), Placement(other.id))),)))
    answers = Answers(house.box, house.bo.person_id, (question.message_id, unknown))
    await store.accept(Delivery((Part(body(), NOW + 1, (Placement(other.id),)),), answers=answers))
    assert await house.acts() == {("Bo Durand", "answered")}
    assert await store.box_activity(other.id) == []
    (line,) = await house.told()
    assert line == ("member-answered", "bo", question.message_id)


@pytest.mark.req("INS-7")
async def test_no_ins_on_the_timeline(house: House) -> None:
    """A Message-ID that holds an INS is kept masked, as everywhere."""
    store = house.store
    message_id = "<285037728417346@logiciel.example>"
    await store.append(house.inbox, Viewer(0), [NewAppend(body(message_id=message_id), frozenset(), NOW)])
    await store.store_flags(house.inbox, house.alix, [1], ADD, SEEN)
    ((_, _, told),) = await house.told()
    assert told is not None
    assert "285037728417346" not in told
    assert await house.acts(message_id=message_id) == {("Alix Martin", "read")}
    assert len(await store.box_activity(house.box)) == 1


_FLAGS = st.frozensets(
    st.sampled_from(["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "$Label1"]), max_size=3
)
_STORES = st.lists(st.tuples(st.booleans(), st.sampled_from(list(FlagChange)), _FLAGS), max_size=8)


@settings(max_examples=30, suppress_health_check=FOR_EACH_EXAMPLE, deadline=None)
@given(_STORES)
async def test_against_a_model(house: House, stores: list[tuple[bool, FlagChange, frozenset[str]]]) -> None:
    """After any STOREs of two members, the acts are the flags that each of them has really set."""
    store = house.store
    (uid,) = await fill(store, house.inbox, 1)
    common: frozenset[str] = frozenset()
    seen: dict[bool, frozenset[str]] = {False: frozenset(), True: frozenset()}
    expected: set[tuple[str, Act]] = set()
    for second, change, flags in stores:
        viewer, name = (house.bo, "Bo Durand") if second else (house.alix, "Alix Martin")
        before = common | seen[second]
        after = {
            FlagChange.ADD: before | flags,
            FlagChange.REMOVE: before - flags,
            FlagChange.REPLACE: flags,
        }[change]
        expected |= {(name, ACTS_OF_FLAGS[flag]) for flag in after - before if flag in ACTS_OF_FLAGS}
        common, seen[second] = after - SEEN, after & SEEN
        await store.store_flags(house.inbox, viewer, [uid], change, flags)
    found = await store.folder_activity(house.inbox, 50, [uid])
    assert {(one.name, one.act) for one in found} == expected
    assert len(found) == len(expected)
    for viewer, second in ((house.alix, False), (house.bo, True)):
        (row,) = await store.rows(house.inbox, viewer, [uid], frozenset())
        assert row.flags == common | seen[second]
