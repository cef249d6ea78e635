"""A list of 10,000 entries is verified in a process of its own, with the same outcome as a small one (TRU-3)."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mss_gateway.dev.listing import Entry, new_signer, signed_list
from mss_gateway.trust import verifier
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refusals import ListRefused
from tests.support.pki import Subject, new_pki
from tests.support.trust import FOREIGN, HOSTED, OURS, THEIRS, World

pytestmark = pytest.mark.req("TRU-3")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
SMALL = [Entry(HOSTED, OURS.listed()), Entry(FOREIGN, THEIRS.listed()), Entry(FOREIGN, OURS.listed())]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Files and a signer."""
    world = World(tmp_path)
    world.put_list(SMALL, generated=START)
    return world


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have every list verified by a child; the ids of those that were started."""
    started: list[int] = []
    original = subprocess.Popen

    def noted(*given: object, **named: object) -> subprocess.Popen[bytes]:
        child = original(*given, **named)  # type: ignore[call-overload]
        started.append(child.pid)
        return child  # type: ignore[no-any-return]

    monkeypatch.setattr(verifier, "SMALL", 0)
    monkeypatch.setattr(subprocess, "Popen", noted)
    return started


def operators(count: int) -> list[Entry]:
    """Domains of 400 operators, every tenth with two DNs."""
    found = []
    for number in range(count * 10 // 11):
        names = [
            Subject(f"mx{(number + turn) % 400}.exemple.fr").listed()
            for turn in range(1 + (number % 10 == 0))
        ]
        found += [Entry(f"etab-{number}.exemple.fr", name) for name in names]
    return found[:count]


def test_ten_thousand_entries_load(world: World) -> None:
    """Every domain is known, with all its DNs."""
    entries = operators(10_000)
    data = world.put_list(entries, generated=START)
    assert len(data) > verifier.SMALL
    trust = world.trust()
    found = trust.trusted_list
    assert (found.entries, found.unreadable) == (len(entries), 0)
    assert found.domains.keys() == {entry.domain for entry in entries}
    two = next(domain for domain, keys in found.domains.items() if len(keys) == 2)
    assert all(trust.lists(two, key) and two in trust.domains_of(key) for key in found.domains[two])
    assert len(found.by_dn) == len(found.names) == 400
    assert sum(map(len, found.by_dn.values())) == sum(map(len, found.domains.values()))


def test_the_child_finds_what_the_process_itself_finds(
    world: World, apart: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field by field."""
    theirs = world.trust(state=None).trusted_list
    assert len(apart) == 1
    monkeypatch.setattr(verifier, "SMALL", 1 << 30)
    ours = world.trust(state=None).trusted_list
    assert theirs == ours
    assert theirs.signer == world.signer.der
    assert len(apart) == 1


def test_the_child_refuses_what_the_process_itself_refuses(world: World, apart: list[int]) -> None:
    """Signature, signer, authority, age, revocation, structure: the same slugs, and the last good one stays."""
    trust = world.trust()
    pki = world.pki
    later = START + timedelta(hours=1)
    good = signed_list(SMALL, world.signer, generated=later)
    cases = {
        "list-signature": good.replace(b"hopital", b"pirates", 1),
        "list-signer": signed_list(SMALL, new_signer(pki.organisations, Subject("a.fr")), generated=later),
        "list-signer-ca": signed_list(SMALL, new_signer(new_pki().organisations), generated=later),
        "list-older": signed_list(SMALL, world.signer, generated=START - timedelta(hours=1)),
        "list-malformed": good[:-20],
        "list-structure": b"<a>" + b"x" * 200 + b"</a>",
    }
    for reason, data in cases.items():
        with pytest.raises(ListRefused) as refused:
            trust.apply_list(data)
        assert refused.value.reason == reason
    world.put_crls([world.signer])
    trust.reload()
    with pytest.raises(ListRefused) as refused:
        trust.apply_list(good)
    assert refused.value.reason == "list-signer-revoked"
    assert trust.knows(HOSTED)
    assert len(apart) == len(cases) + 2


def applied(trust: Trust, world: World) -> None:
    """Offer a newer, good list."""
    trust.apply_list(signed_list(SMALL, world.signer, generated=START + timedelta(hours=1)))


@pytest.mark.parametrize("program", ["/bin/false", "/bin/true", "/bin/cat", "/bin/echo"])
def test_a_child_that_fails_is_a_list_that_is_refused(
    world: World, apart: list[int], monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Gone at once, silent, or talking nonsense: the last good list stays, and no process is left behind."""
    trust = world.trust()
    monkeypatch.setattr("mss_gateway.trust.verifier.sys.executable", program)
    with pytest.raises(ListRefused) as refused:
        applied(trust, world)
    assert refused.value.reason == "list-not-verified"
    assert trust.knows(HOSTED)
    assert not Path(f"/proc/{apart[-1]}").exists()


def test_a_child_that_hangs_is_ended(
    world: World, apart: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its patience is bounded."""
    trust = world.trust()
    program = tmp_path / "hang"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr("mss_gateway.trust.verifier.sys.executable", str(program))
    monkeypatch.setattr(verifier, "PATIENCE", 0.2)
    with pytest.raises(ListRefused) as refused:
        applied(trust, world)
    assert refused.value.reason == "list-not-verified"
    assert not Path(f"/proc/{apart[-1]}").exists()


def test_where_no_process_can_be_had_the_list_is_verified_all_the_same(
    world: World, apart: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slower, and no less strict."""
    trust = world.trust()
    monkeypatch.setattr("mss_gateway.trust.verifier.sys.executable", str(world.folder / "absent"))
    with pytest.raises(ListRefused):
        trust.apply_list(signed_list(SMALL, world.signer, generated=START - timedelta(hours=1)))
    applied(trust, world)
    assert trust.trusted_list.generated_at == START + timedelta(hours=1)
    assert len(apart) == 1
