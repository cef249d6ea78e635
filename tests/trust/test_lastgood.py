"""The last good list is kept, mass removals wait, rollback goes back (TRU-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mss_gateway.dev.listing import Entry
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.lastgood import diff
from mss_gateway.trust.refusals import ListRefused, TrustProblem
from tests.support.trust import OURS, THEIRS, World

pytestmark = pytest.mark.req("TRU-3")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
HUNDRED = [Entry(f"d{index}.mssante.fr", THEIRS.listed()) for index in range(100)]


def reasons(trust: Trust) -> list[str]:
    """The slugs of all alarms."""
    return [alarm.reason for alarm in trust.alarms()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A folder whose list has a hundred domains."""
    world = World(tmp_path)
    world.put_list(HUNDRED, generated=START)
    return world


def test_a_bad_new_list_leaves_the_old_one_in_force(world: World) -> None:
    """Broken, unsigned or gone: an alarm, and mail goes on."""
    trust = world.trust()
    path = world.folder / "list.xml"
    for bad in (b"", b"<a/>", path.read_bytes().replace(b"d7.mssante.fr", b"d0.mssante.fr")):
        path.write_bytes(bad)
        assert trust.poll()
        assert trust.knows("d7.mssante.fr")
        assert any(reason.startswith("list-") for reason in reasons(trust))
    path.unlink()
    trust.reload()
    assert trust.knows("d7.mssante.fr")
    assert reasons(trust) == ["file-unreadable"]


def test_the_last_good_copy_survives_a_restart(world: World) -> None:
    """With a broken list file the gateway starts on its own copy; without a copy it says why it cannot."""
    world.trust()
    (world.folder / "list.xml").write_bytes(b"<broken")
    trust = world.trust()
    assert trust.knows("d7.mssante.fr")
    assert reasons(trust) == ["list-malformed"]
    with pytest.raises(TrustProblem) as refused:
        world.trust(state=None)
    assert refused.value.reason == "list-malformed"
    assert str(world.folder / "list.xml") in refused.value.sentence


def test_a_spoiled_copy_is_not_believed(world: World) -> None:
    """The copy in the state folder is verified like any other list."""
    world.trust()
    copy = world.folder / "state" / "list.xml"
    copy.write_bytes(copy.read_bytes().replace(b"d7.mssante.fr", b"pirate.fr"))
    trust = world.trust()
    assert trust.knows("d7.mssante.fr")
    assert not trust.knows("pirate.fr")


def test_two_percent_may_go_and_three_wait_for_a_confirmation(world: World) -> None:
    """The guard against mass removal counts domains, and a confirmation lifts it."""
    trust = world.trust()
    world.put_list(HUNDRED[2:], generated=START + timedelta(hours=1))
    trust.reload()
    assert not trust.knows("d0.mssante.fr")
    world.put_list(HUNDRED[5:], generated=START + timedelta(hours=2))
    trust.reload()
    assert trust.knows("d2.mssante.fr")
    assert reasons(trust) == ["list-mass-removal"]
    held = trust.held_list()
    assert held is not None
    assert held.removed == ("d2.mssante.fr", "d3.mssante.fr", "d4.mssante.fr")
    assert world.trust().knows("d2.mssante.fr")
    assert not trust.confirm_list().knows("d2.mssante.fr")
    assert (reasons(trust), trust.held_list()) == ([], None)
    assert not world.trust().knows("d2.mssante.fr")


def test_a_confirmation_works_after_a_restart_and_only_once(world: World) -> None:
    """The held list is on disk; nothing else can be confirmed."""
    world.trust()
    world.put_list(HUNDRED[50:], generated=START + timedelta(hours=1))
    world.trust()
    trust = world.trust()
    assert trust.confirm_list().knows("d50.mssante.fr")
    assert not trust.knows("d0.mssante.fr")
    with pytest.raises(ListRefused, match="no trusted list waits"):
        trust.confirm_list()


def test_rollback_goes_back_and_stays_until_a_newer_list(world: World) -> None:
    """The list that was left is not taken up again by the next poll or restart."""
    trust = world.trust()
    with pytest.raises(ListRefused, match="no earlier"):
        trust.rollback_list()
    world.put_list([*HUNDRED, Entry("wrong.fr", OURS.listed())], generated=START + timedelta(hours=1))
    trust.reload()
    assert trust.knows("wrong.fr")
    assert not trust.rollback_list().knows("wrong.fr")
    trust.reload()
    assert not trust.knows("wrong.fr")
    assert not world.trust().knows("wrong.fr")
    world.put_list([*HUNDRED, Entry("right.fr", OURS.listed())], generated=START + timedelta(hours=2))
    trust.reload()
    assert trust.knows("right.fr")


def test_a_list_that_ages_raises_an_alarm(world: World) -> None:
    """After 24 hours by default, by setting here."""
    assert reasons(world.trust()) == []
    assert reasons(world.trust(list_alarm_hours=4.0)) == ["list-old"]


def test_diff_names_what_changed(world: World) -> None:
    """Added, removed and changed domains, and the share that left."""
    old = world.trust(state=None).trusted_list
    world.put_list(
        [Entry("new.fr", OURS.listed()), Entry("d1.mssante.fr", OURS.listed()), *HUNDRED[2:]],
        generated=START,
    )
    new = world.trust(state=None).trusted_list
    change = diff(old, new)
    assert (change.added, change.removed, change.changed) == (
        ("new.fr",),
        ("d0.mssante.fr",),
        ("d1.mssante.fr",),
    )
    assert change.removed_share == 0.01
    assert (change.old, change.new) == (old, new)
    assert len(repr(change)) < 500
    assert not diff(old, old)
