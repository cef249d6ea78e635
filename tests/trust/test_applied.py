"""The list by command, and what `trust status` tells (TRU-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mss_gateway.dev.listing import SIGNER, Entry, signed_list
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refusals import ListRefused
from tests.support.trust import OURS, THEIRS, World

pytestmark = pytest.mark.req("TRU-3")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
HUNDRED = [Entry(f"d{index}.mssante.fr", THEIRS.listed()) for index in range(100)]
ONE_MORE = [*HUNDRED, Entry("new.fr", OURS.listed())]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A folder whose list has a hundred domains."""
    world = World(tmp_path)
    world.put_list(HUNDRED, generated=START)
    return world


def signed(world: World, entries: list[Entry], hours: float) -> bytes:
    """A list that is not in the watched file."""
    return signed_list(entries, world.signer, generated=START + timedelta(hours=hours))


def reasons(trust: Trust) -> list[str]:
    """The slugs of all alarms."""
    return [alarm.reason for alarm in trust.alarms()]


@pytest.mark.parametrize("hours", [0, 1])
def test_an_applied_list_outlives_polls_and_restarts(world: World, hours: float) -> None:
    """The unchanged file does not undo it, and is no alarm, even when both are of the same second."""
    trust = world.trust()
    generation = trust.generation
    assert trust.apply_list(signed(world, ONE_MORE, hours)).knows("new.fr")
    assert trust.generation > generation
    trust.reload()
    for one in (trust, world.trust(), world.trust()):
        assert (one.knows("new.fr"), reasons(one)) == (True, [])
        assert one.status().list.source == "applied"
    world.put_list([*ONE_MORE, Entry("newer.fr", OURS.listed())], generated=START + timedelta(hours=2))
    assert trust.poll()
    assert (trust.knows("newer.fr"), trust.status().list.source) == (True, "file")


def test_an_older_or_bad_list_is_not_applied(world: World) -> None:
    """The refusal says why; what is in force and the alarms stay as they were."""
    trust = world.trust()
    trust.apply_list(signed(world, ONE_MORE, 1))
    cases = {
        "list-older": signed(world, HUNDRED, 0.5),
        "list-malformed": b"x",
        "list-signature": signed(world, HUNDRED, 2).replace(b"d1.mssante.fr", b"d0.mssante.fr"),
    }
    for reason, data in cases.items():
        with pytest.raises(ListRefused) as refused:
            trust.apply_list(data)
        assert refused.value.reason == reason
        with pytest.raises(ListRefused):
            trust.preview_list(data)
    assert (trust.knows("new.fr"), reasons(trust)) == (True, [])


def test_a_mass_removal_is_confirmed_by_a_second_command(world: World) -> None:
    """`trust apply FILE` holds it back, `trust apply` puts it in force, and the file does not undo that."""
    trust = world.trust()
    with pytest.raises(ListRefused) as refused:
        trust.apply_list(signed(world, HUNDRED[10:], 1))
    assert refused.value.reason == "list-mass-removal"
    assert "drops 10 of 100 domains" in refused.value.sentence
    assert (trust.knows("d0.mssante.fr"), reasons(trust)) == (True, ["list-mass-removal"])
    assert not trust.confirm_list().knows("d0.mssante.fr")
    for one in (trust, world.trust()):
        one.reload()
        assert (one.knows("d0.mssante.fr"), reasons(one)) == (False, [])


def test_a_list_left_by_rollback_may_be_applied_again(world: World) -> None:
    """A person decided twice; the second decision counts."""
    trust = world.trust()
    data = signed(world, ONE_MORE, 1)
    trust.apply_list(data)
    trust.rollback_list()
    assert (trust.knows("new.fr"), trust.status().list.source) == (False, "rollback")
    assert world.trust().status().list.source == "rollback"
    assert trust.apply_list(data).knows("new.fr")
    assert world.trust().knows("new.fr")


def test_applying_the_list_in_force_changes_nothing(world: World) -> None:
    """The list before stays the one to go back to."""
    trust = world.trust()
    data = signed(world, ONE_MORE, 1)
    trust.apply_list(data)
    trust.apply_list(data)
    assert not trust.rollback_list().knows("new.fr")


def test_a_preview_changes_nothing(world: World) -> None:
    """`trust diff FILE`: also of a mass removal, without holding it."""
    trust = world.trust()
    change = trust.preview_list(signed(world, ONE_MORE[50:], 1))
    assert (change.added, len(change.removed)) == (("new.fr",), 50)
    assert (trust.held_list(), reasons(trust), trust.knows("new.fr")) == (None, [], False)


def test_the_difference_to_the_list_before(world: World) -> None:
    """`trust diff`: none at first, then what came, also after a restart, none after a rollback."""
    trust = world.trust()
    assert trust.previous_diff() is None
    trust.apply_list(signed(world, ONE_MORE, 1))
    for one in (trust, world.trust()):
        change = one.previous_diff()
        assert change is not None
        assert (change.added, change.removed, change.changed) == (("new.fr",), (), ())
    trust.rollback_list()
    assert trust.previous_diff() is None


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"last": 3}', b"\xff"])
def test_a_spoiled_record_of_sources_does_not_hinder_the_start(world: World, junk: bytes) -> None:
    """The list in force is what counts."""
    world.trust().apply_list(signed(world, ONE_MORE, 1))
    (world.folder / "state" / "sources.json").write_bytes(junk)
    trust = world.trust()
    assert trust.knows("new.fr")
    world.put_list([*ONE_MORE, Entry("newer.fr", OURS.listed())], generated=START + timedelta(hours=2))
    trust.reload()
    assert (trust.knows("newer.fr"), reasons(trust)) == (True, [])


def test_a_rollback_is_judged_by_the_time_of_its_taking(world: World) -> None:
    """A signer whose certificate has ended meanwhile does not spoil the copies, at once and after a restart."""
    short = world.pki.organisations.issue(
        SIGNER, key="rsa", usages=(), hosts=(), not_after=datetime.now(UTC) + timedelta(hours=1)
    )
    (world.folder / "list.xml").write_bytes(signed_list(HUNDRED, short, generated=START))
    clock = [datetime.now(UTC).timestamp()]
    trust = Trust(world.options, lambda: clock[0])
    trust.apply_list(signed(world, ONE_MORE, 1))
    clock[0] += 86400
    assert not trust.rollback_list().knows("new.fr")
    assert not Trust(world.options, lambda: clock[0]).knows("new.fr")


def test_a_signer_revoked_afterwards_is_an_alarm(world: World) -> None:
    """The list stays in force, also through a restart; nothing new of that signer is taken."""
    trust = world.trust()
    world.put_crls([world.signer])
    trust.reload()
    for one in (trust, world.trust()):
        assert (one.knows("d7.mssante.fr"), reasons(one)) == (True, ["list-signer-revoked"])
        with pytest.raises(ListRefused) as refused:
            one.apply_list(signed(world, ONE_MORE, 1))
        assert refused.value.reason == "list-signer-revoked"
    world.put_crls()
    trust.reload()
    assert reasons(trust) == []


def test_the_status_tells_everything(world: World) -> None:
    """List, CRLs, authorities, our certificates, generation and alarms."""
    trust = world.trust(list_alarm_hours=4.0)
    status = trust.status()
    one = status.list
    assert (one.generated_at, one.digest) == (START, trust.trusted_list.digest)
    assert (one.entries, one.domains, one.unreadable, one.source, one.held) == (100, 100, 0, "file", None)
    assert 5.0 <= one.age_hours <= (datetime.now(UTC) - START) / timedelta(hours=1)
    assert [(crl.serials, crl.source) for crl in status.crls] == [(0, str(world.folder / "crls.pem"))] * 2
    assert all(crl.this_update < datetime.now(UTC) < crl.next_update for crl in status.crls)
    assert "CN=TEST AC ESSAI ELEMENTAIRE ORGANISATIONS" in status.authorities[0].subject
    assert len(status.authorities) == 2
    assert [own.subject for own in status.own] == [OURS.listed()]
    assert status.own[0].valid_until == world.ours.certificate.not_valid_after_utc
    assert (status.fetches, status.generation) == ((), trust.generation)
    assert [alarm.reason for alarm in status.alarms] == ["list-old"]
    (world.folder / "ours.pem").write_text("x")
    broken = trust.status()
    assert [(own.subject, own.valid_until) for own in broken.own] == [("", None)]
    assert "own-certificate" in [alarm.reason for alarm in broken.alarms]
