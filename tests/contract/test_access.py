"""Rights, subscriptions and quotas as the store keeps them (RFC 4314, BAL-3, BAL-9)."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from mss_gateway.ports.access import LastAdministrator, OverQuota, Room
from mss_gateway.ports.mailboxes import FlagChange, NewAppend, NoSuchFolder, Viewer
from mss_gateway.ports.records import BoxChoices, BoxRow, NewBox
from mss_gateway.ports.store import Store
from mss_gateway.rules.access import ALL, MEMBERS, OWNERS
from mss_gateway.rules.facts import BoxType
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite import migrate as migrating
from tests.support.store import (
    ANYONE,
    NOW,
    add_box,
    body,
    delivery,
    fill,
    flags_of,
    folder_named,
    inbox,
    trace_line,
)

CHIEF_ID = "810000000001"


async def people(store: Store) -> tuple[BoxRow, int, int]:
    """A shared box, its responsible professional and a member."""
    box = await store.add_box(
        NewBox("cabinet@hopital.example", BoxType.CAB, responsible=CHIEF_ID), trace_line()
    )
    ids = []
    for login, national in (("chef", CHIEF_ID), ("anne", "")):
        person = await store.add_person(login, login.title(), national, "", trace_line())
        await store.add_member(box.id, person.id, "member", trace_line())
        ids.append(person.id)
    return box, ids[0], ids[1]


@pytest.mark.req("BAL-3")
async def test_rights_follow_from_standing_and_grant(store: Store) -> None:
    """The responsible professional has all, a member the setting's, software of a box all, a stranger nothing."""
    box, chief, anne = await people(store)
    folder = await inbox(store, box.id)
    access = await store.access(box.id, chief)
    assert access is not None
    assert access.rights(folder) == ALL
    access = await store.access(box.id, anne)
    assert access is not None
    assert access.rights(folder) == MEMBERS
    await store.grant(folder, anne, frozenset("lr"), trace_line())
    access = await store.access(box.id, anne)
    assert access is not None
    assert (access.rights(folder), access.rights(folder + 1)) == (frozenset("lr"), MEMBERS)
    await store.grant(folder, chief, frozenset(), trace_line())
    access = await store.access(box.id, chief)
    assert access is not None
    assert access.rights(folder) == OWNERS
    assert await store.access(box.id, 999) is None
    software = await store.access(box.id, 0)
    assert software is not None
    assert software.rights(folder) == ALL


@pytest.mark.req("BAL-3", "AUD-1")
async def test_a_grant_is_told_and_traced_or_nothing(store: Store) -> None:
    """Sessions hear of it like of a change of the directory and of the folder; a refused one leaves no trace."""
    box, chief, anne = await people(store)
    folder = await inbox(store, box.id)
    heard: list[int] = []
    store.on_directory_change(lambda: heard.append(0))
    store.on_folder_change(lambda folder_id, _: heard.append(folder_id))
    await store.grant(folder, anne, frozenset("la"), trace_line("rights-set"))
    assert sorted(heard) == [0, folder]
    await store.remove_member(box.id, chief, trace_line())
    before = len(await store.trace(limit=1000))
    with pytest.raises(LastAdministrator):
        await store.grant(folder, anne, frozenset("l"), trace_line("rights-set"))
    assert len(await store.trace(limit=1000)) == before
    assert [one.rights for one in await store.grantees(folder)] == [frozenset("la")]
    with pytest.raises(NoSuchFolder):
        await store.grant(folder + 1000, anne, frozenset("l"), trace_line())


@pytest.mark.req("BAL-3")
async def test_flags_change_as_far_as_the_rights_go(store: Store) -> None:
    """Whatever the door asks, the commit itself keeps to the rights: STORE, APPEND, COPY."""
    box, _, anne = await people(store)
    source, target = await inbox(store, box.id), (await folder_named(store, box.id, "Archive")).id
    viewer = Viewer(anne, shared=True)
    every = frozenset({"\\Seen", "\\Deleted", "\\Flagged", "$Mot"})
    await store.append(source, viewer, [NewAppend(body(), every, NOW)])
    assert (await flags_of(store, source, viewer)) == {1: every}
    for letters, kept in (("s", {"\\Seen"}), ("t", {"\\Deleted"}), ("w", {"\\Flagged", "$Mot"}), ("", set())):
        await store.grant(target, anne, frozenset(letters + "lri"), trace_line())
        (uid,) = (await store.copy(source, viewer, [1], target)).target_uids
        assert (await flags_of(store, target, viewer))[uid] == kept
        (uid,) = await store.append(target, viewer, [NewAppend(body(), every, NOW)])
        assert (await flags_of(store, target, viewer))[uid] == kept
        stored = await store.store_flags(target, viewer, [uid], FlagChange.REPLACE, frozenset())
        assert stored.rows[0].flags == frozenset()
    await store.grant(target, anne, frozenset("lrw"), trace_line())
    (uid,) = await store.append(target, ANYONE, [NewAppend(body(), frozenset({"\\Deleted"}), NOW)])
    stored = await store.store_flags(
        target, viewer, [uid], FlagChange.REPLACE, frozenset({"\\Seen", "\\Draft"})
    )
    assert stored.rows[0].flags == {"\\Deleted", "\\Draft"}


@pytest.mark.req("BAL-9")
async def test_room(store: Store) -> None:
    """Sums over the folders; limits of the box; a full one refuses COPY and APPEND whole, and takes deliveries."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    archive = (await folder_named(store, box.id, "Archive")).id
    await fill(store, folder, 2)
    room = await store.room(box.id)
    assert (room.messages, room.octets_limit, room.messages_limit, room.full) == (2, 0, 0, False)
    await store.set_box_choices(box.id, BoxChoices(quota_messages=3), trace_line())
    with pytest.raises(OverQuota):
        await store.copy(folder, ANYONE, [1, 2], archive)
    with pytest.raises(OverQuota):
        await fill(store, folder, 2)
    assert (await store.room(box.id)).messages == 2
    await store.move(folder, ANYONE, [1, 2], archive)
    await fill(store, folder, 1)
    assert (await store.room(box.id)).full
    await store.accept(delivery(body(), box.id))
    assert (await store.room(box.id)).messages == 4
    await store.set_box_choices(box.id, BoxChoices(quota_messages=0, quota_bytes=room.octets), trace_line())
    assert (await store.room(box.id)).full
    with pytest.raises(NoSuchFolder):
        await store.room(box.id + 1000)
    assert Room(5, 1, 5).full
    assert not Room(4, 9, 5).full


@pytest.mark.req("BAL-9")
async def test_octets_that_expunge_would_free(store: Store) -> None:
    """The sizes of what is marked, each message by itself."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await fill(store, folder, 3)
    size = (await store.room(box.id)).octets
    assert await store.deleted_octets(folder) == 0
    await store.store_flags(folder, ANYONE, [1, 2, 3], FlagChange.ADD, frozenset({"\\Deleted"}))
    assert await store.deleted_octets(folder) == size


@pytest.mark.req("IMP-1", "BAL-3")
async def test_subscriptions_through_delete_and_rename(store: Store) -> None:
    """Wished names stay when the folder goes; unwished ones go with it, and follow a new name."""
    box, chief, anne = await people(store)
    for name, wanted in (("a", False), ("a/b", True), ("c", False)):
        folder = await store.create_folder(box.id, name)
        await store.set_subscription(box.id, anne, name, wanted)
    await store.delete_folder(folder.id)
    assert await store.subscriptions(box.id, anne) == {"a": False, "a/b": True}
    await store.rename_folder((await folder_named(store, box.id, "a")).id, "z")
    assert await store.subscriptions(box.id, anne) == {"z": False, "a/b": True}
    assert await store.subscriptions(box.id, chief) == {}
    await store.set_subscription(box.id, anne, "a/b", False)
    assert await store.subscriptions(box.id, anne) == {"z": False}
    await store.remove_member(box.id, anne, trace_line())
    assert await store.subscriptions(box.id, anne) == {}


@pytest.mark.req("IMP-1")
async def test_subscriptions_of_before_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was unsubscribed for all is so for each member, and for software, after the migration."""
    known = migrating.migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: [one for one in known if one[0] < 12])
    tmp_path.joinpath("store").mkdir()
    db = apsw.Connection(str(tmp_path / "store" / "store.db"))
    migrating.migrate(db)
    db.execute(
        "INSERT INTO boxes (id, address, address_key, type, state, display, structure, responsible,"
        " patient_initiated, fin, password_login, created_at, state_at, state_reason)"
        " VALUES (1, 'a@b.fr', 'a@b.fr', 'ORG', 'active', '', '', '', 0, 'fin', 0, 0, 0, '');"
        "INSERT INTO persons VALUES (7, 'anne', 'anne', '', '', '', 0);"
        "INSERT INTO members VALUES (1, 7, 'member');"
        "INSERT INTO folders (box_id, name, special_use, subscribed, uid_validity) VALUES (1, 'INBOX', '', 1, 1),"
        " (1, 'Junk', '', 0, 2)"
    )
    db.close()
    monkeypatch.setattr(migrating, "migrations", lambda: known)
    store = SqliteStore(SqliteOptions(tmp_path / "store"))
    await store.open()
    for person in (7, 0):
        assert await store.subscriptions(1, person) == {"Junk": False}
    assert [folder.name for folder in await store.folders(1)] == ["INBOX", "Junk"]
    await store.close()
