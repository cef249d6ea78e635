"""The state folder after a kill at every step of a change: the old or the new is there, never a part (TRU-2, TRU-3)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mss_gateway.dev.listing import Entry, signed_list
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.options import TrustOptions
from mss_gateway.trust.refusals import ListRefused
from tests.support.publisher import Publisher, body, publishing, unused_port
from tests.support.trust import OURS, THEIRS, World, reason_of

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
HUNDRED = [Entry(f"d{index}.mssante.fr", THEIRS.listed()) for index in range(100)]
STEPS = ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "hardlink_to"))
LIST, CRL = "/list.xml", "/ca.crl"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Files and a signer."""
    return World(tmp_path)


@pytest.fixture
def publisher(tmp_path: Path, world: World) -> Iterator[Publisher]:
    """An HTTPS server with a list of a hundred domains and a CRL of the issuing authority."""
    with publishing(world.pki.organisations.issue(OURS), tmp_path) as found:
        found.put(LIST, body(signed_list(HUNDRED, world.signer, generated=START)))
        found.put(CRL, body(world.pki.organisations.crl()))
        yield found


def options(world: World, base: str) -> TrustOptions:
    """Everything from the publisher but the root's CRL."""
    world.put_crl_files(world.pki.root.crl())
    return replace(
        world.options, list_file=None, list_url=base + LIST, crl_urls=(base + CRL,), fetch_timeout=20.0
    )


def killed(act: Callable[[], object], step: int) -> bool:
    """Do something in a child that dies before the given step; False when it came to its end first."""
    child = os.fork()
    if child == 0:
        _die(act, step)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _die(act: Callable[[], object], step: int) -> NoReturn:
    left = [step]

    def deadly(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return original(*given, **named)

        return call

    try:
        for owner, name in STEPS:
            setattr(owner, name, deadly(getattr(owner, name)))
        act()
        os._exit(0)
    except BaseException:
        os._exit(1)


def each_step(state: Path, act: Callable[[], object], check: Callable[[], None]) -> int:
    """Kill before every step in turn, each time from the same state; return how many there were."""
    saved = state.with_name("saved")
    shutil.copytree(state, saved)
    for step in range(100):
        if not killed(act, step):
            return step
        check()
        shutil.rmtree(state)
        shutil.copytree(saved, state)
    raise AssertionError("it never comes to its end")


def refused_rollback(trust: Trust) -> bool:
    """True when there is nothing to go back to, and the sentence says so."""
    with pytest.raises(ListRefused) as refused:
        trust.rollback_list()
    return refused.value.reason == "list-no-previous"


@pytest.mark.req("TRU-3")
def test_a_kill_at_any_step_of_a_fetch_leaves_a_good_list(world: World, publisher: Publisher) -> None:
    """Old or new is in force at the next start with the network down, and going back works or says that it cannot."""
    chosen = options(world, publisher.base)
    Trust(chosen)
    down = replace(chosen, list_url=f"https://localhost:{unused_port()}{LIST}")
    new = signed_list([*HUNDRED, Entry("new.fr", OURS.listed())], world.signer, generated=START)
    publisher.put(LIST, body(new))
    seen = set()

    def fetch() -> None:
        trust = Trust(chosen)
        assert trust.fetch(trust.sources[0]).changed

    def check() -> None:
        trust = Trust(down)
        assert trust.knows("d7.mssante.fr")
        assert [alarm.reason for alarm in trust.alarms()] == []
        seen.add(trust.knows("new.fr"))
        with contextlib.suppress(ListRefused):
            trust.rollback_list()
        assert not trust.knows("new.fr") or refused_rollback(trust)

    assert chosen.state is not None
    assert each_step(chosen.state, fetch, check) >= 8
    assert seen == {False, True}


@pytest.mark.req("TRU-3")
def test_a_kill_at_any_step_of_a_rollback_leaves_a_good_list(world: World, publisher: Publisher) -> None:
    """And the list that is being left does not come back once the older one is in force."""
    chosen = options(world, publisher.base)
    trust = Trust(chosen)
    publisher.put(
        LIST,
        body(signed_list([*HUNDRED, Entry("new.fr", OURS.listed())], world.signer, generated=START)),
    )
    assert trust.fetch(trust.sources[0]).changed
    seen = set()

    def check() -> None:
        again = Trust(chosen)
        known = again.knows("new.fr")
        seen.add(known)
        assert again.fetch(again.sources[0]).reason == ""
        assert again.knows("new.fr") == known
        assert again.knows("d7.mssante.fr")

    assert chosen.state is not None
    assert each_step(chosen.state, lambda: Trust(chosen).rollback_list(), check) >= 4
    assert seen == {False, True}


@pytest.mark.req("TRU-2")
def test_a_kill_at_any_step_of_a_crl_leaves_a_good_one(world: World, publisher: Publisher) -> None:
    """The peer that was revoked before stays out at every start with the network down."""
    first, second = (world.pki.organisations.issue(THEIRS) for _ in range(2))
    publisher.put(CRL, body(world.pki.organisations.crl([first])))
    chosen = options(world, publisher.base)
    Trust(chosen)
    publisher.put(CRL, body(world.pki.organisations.crl([first, second])))
    seen = set()

    def fetch() -> None:
        trust = Trust(chosen)
        assert trust.fetch(trust.sources[1]).changed

    def check() -> None:
        trust = Trust(chosen)
        assert len(publisher.asked) == asked[0] + 1
        asked[0] += 1
        assert reason_of(trust.identify(first.der)) == "certificate-revoked"
        seen.add(reason_of(trust.identify(second.der)))

    asked = [len(publisher.asked)]
    assert chosen.state is not None
    assert each_step(chosen.state, fetch, check) >= 4
    assert seen == {"", "certificate-revoked"}


@pytest.mark.req("TRU-3")
def test_a_folder_that_cannot_be_written_is_an_alarm(world: World, publisher: Publisher) -> None:
    """The list that cannot be kept is not taken, so that a restart would not undo it; mail goes on."""
    chosen = options(world, publisher.base)
    trust = Trust(chosen)
    state = chosen.state
    assert state is not None
    shutil.rmtree(state)
    state.write_text("in the way")
    publisher.put(
        LIST,
        body(signed_list([*HUNDRED, Entry("new.fr", OURS.listed())], world.signer, generated=START)),
    )
    assert trust.fetch(trust.sources[0]).reason == "state-not-kept"
    assert (trust.knows("d7.mssante.fr"), trust.knows("new.fr")) == (True, False)
    assert {alarm.reason for alarm in trust.alarms()} == {"state-not-kept"}
    issued = world.pki.organisations.issue(THEIRS)
    publisher.put(CRL, body(world.pki.organisations.crl([issued])))
    assert trust.fetch(trust.sources[1]).reason == "state-not-kept"
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
