"""The doctor's clock, doors and round trip: what is seen, and what it says when something is wrong (OPS-2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mss_gateway.cli.bal import certificate_arguments
from mss_gateway.dev.handout import Credential
from mss_gateway.ops.doctor import Check, Verdict
from mss_gateway.ops.health_clock import SKEW, ClockHealth, Steering, kernel_clock
from mss_gateway.ops.health_ports import OpenDoor, PortHealth
from mss_gateway.ops.round_trip import Probe, RoundTripHealth
from tests.support.doors import Served, gateway_in_thread
from tests.support.letters import HOSTED
from tests.support.ports import free_ports

PROBE = f"supervision@{HOSTED}"


async def clock(ahead: float, steering: Steering | None) -> Check:
    """The examination when somebody has signed something `ahead` seconds from now."""

    async def newest() -> float:
        return time.time() + ahead

    (check,) = await ClockHealth(newest, lambda: steering).examine()
    return check


@pytest.mark.req("OPS-2")
async def test_a_clock_is_believed_when_it_is_steered_and_nobody_signs_in_its_future() -> None:
    """Steered: good. Steered by nobody: a doubt. Behind what others have signed: bad, whatever the kernel thinks."""
    good = await clock(-3600, Steering(True, 0.004))
    assert (good.verdict, good.next_step) == (Verdict.GOOD, "")
    assert "0.004 s" in good.evidence
    assert time.strftime("%z") in good.evidence
    free = await clock(-3600, Steering(False, 16.0))
    assert (free.verdict, "chrony" in free.next_step) == (Verdict.DOUBT, True)
    behind = await clock(SKEW + 900, Steering(True, 0.0))
    assert behind.verdict is Verdict.BAD
    assert "behind by at least 1" in behind.evidence
    assert (await clock(0, None)).verdict is Verdict.GOOD


def test_the_kernel_is_asked() -> None:
    """On Linux it always has an opinion."""
    steering = kernel_clock()
    assert steering is not None
    assert 0 <= steering.error < 86400


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The sample has a mailbox for the round trip; its DN is that of the gateway's own certificate."""
    with gateway_in_thread(tmp_path_factory.mktemp("doctor")) as gateway:
        yield gateway


def doors(served: Served) -> list[OpenDoor]:
    """All five, as they are open."""
    ports = served.handout.ports
    return [
        OpenDoor("mta", "0.0.0.0", ports.mta, "smtp", False),
        OpenDoor("submission", "127.0.0.1", ports.submission, "smtp", False),
        OpenDoor("submissions", "127.0.0.1", ports.submissions, "smtp", True),
        OpenDoor("imap", "127.0.0.1", ports.imap, "imap", False),
        OpenDoor("imaps", "127.0.0.1", ports.imaps, "imap", True),
    ]


@pytest.mark.req("OPS-2")
def test_doors_are_asked_as_clients_would(served: Served) -> None:
    """All are told in one line; a port where nobody is, or another program, is told by name."""
    (good,) = asyncio.run(PortHealth(doors(served)).examine())
    assert good.verdict is Verdict.GOOD
    assert good.evidence.startswith("5 doors answer: mta 0.0.0.0:")
    (port,) = free_ports(1)
    swapped = OpenDoor("imap", "127.0.0.1", served.handout.ports.submission, "imap", False)
    checks = asyncio.run(PortHealth([OpenDoor("mta", "", port, "smtp", False), swapped]).examine())
    assert [one.verdict for one in checks] == [Verdict.BAD, Verdict.BAD]
    assert "refused" in checks[0].evidence.lower()
    assert "another program" in checks[1].evidence


def probe(served: Served, credential: Credential | None = None) -> Probe:
    """The mailbox of the trip with our own certificate, or another one."""
    if credential is not None:
        return Probe(PROBE, Path(credential.cert), Path(credential.key))
    return Probe(PROBE, served.settings.trust.certificate, served.settings.trust.key)


@pytest.mark.req("OPS-2")
@pytest.mark.parametrize("chosen", [("submissions", "imaps"), ("submission", "imap")])
def test_a_message_makes_the_round_trip_and_leaves_nothing(served: Served, chosen: tuple[str, str]) -> None:
    """Over TLS from the first octet, and over STARTTLS; the mailbox is empty afterwards."""
    used = [door for door in doors(served) if door.name in chosen]
    (check,) = asyncio.run(RoundTripHealth(probe(served), used).examine())
    assert check.verdict is Verdict.GOOD, check.evidence
    assert f"sent by {chosen[0]}, read by {chosen[1]}, octet for octet" in check.evidence
    box = served.call(served.parts.store.box(PROBE))
    folders = served.call(served.parts.store.folders(box.id))
    counted = served.call(served.parts.store.counters([folder.id for folder in folders]))
    assert {one.messages for one in counted.values()} == {0}


@pytest.mark.req("OPS-2", "BAL-4")
def test_a_certificate_that_serves_two_mailboxes_is_no_doubt(served: Served) -> None:
    """The one that is meant is named at the login."""
    own = served.settings.trust.certificate
    arguments = {
        "actor": "test",
        "address": f"autre.automate@{HOSTED}",
        "type": "APP",
        "structure": "1690000019",
    }
    arguments |= {"responsible": "899700366240", **certificate_arguments(own, False)}
    served.call(served.parts.operations["bal.add"](arguments))
    (check,) = asyncio.run(RoundTripHealth(probe(served), doors(served)).examine())
    assert check.verdict is Verdict.GOOD, check.evidence


@pytest.mark.req("OPS-2")
def test_a_trip_that_fails_says_where(served: Served) -> None:
    """A certificate that is not registered; a mailbox that is suspended; nobody there."""
    stranger = probe(served, served.handout.operator)
    (check,) = asyncio.run(RoundTripHealth(stranger, doors(served)).examine())
    assert check.verdict is Verdict.BAD
    assert check.evidence.startswith("submissions refuses the login")
    assert "gateway.probe" in check.next_step
    change = served.parts.operations
    served.call(change["bal.suspend"]({"actor": "test", "address": PROBE, "reason": "essai"}))
    (suspended,) = asyncio.run(RoundTripHealth(probe(served), doors(served)).examine())
    served.call(change["bal.activate"]({"actor": "test", "address": PROBE, "reason": "essai"}))
    assert suspended.verdict is Verdict.BAD
    (port,) = free_ports(1)
    gone = [OpenDoor("submissions", "", port, "smtp", True), OpenDoor("imaps", "", port, "imap", True)]
    (nobody,) = asyncio.run(RoundTripHealth(probe(served), gone).examine())
    assert nobody.evidence == "submissions: ConnectionRefusedError"


@pytest.mark.req("OPS-2")
@pytest.mark.parametrize("missing", ["mailbox", "doors"])
def test_a_trip_that_cannot_be_made_is_a_doubt(served: Served, missing: str) -> None:
    """It is no fault of the gateway, but nobody should believe that it was made."""
    make: Callable[[], RoundTripHealth] = {
        "mailbox": lambda: RoundTripHealth(None, doors(served)),
        "doors": lambda: RoundTripHealth(probe(served), doors(served)[:1]),
    }[missing]
    (check,) = asyncio.run(make().examine())
    assert check.verdict is Verdict.DOUBT
    assert check.evidence.startswith("not made")
    assert check.next_step
