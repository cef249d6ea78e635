"""The doctor: each examination with its verdict, evidence and next step (OPS-2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mss_gateway.observe.events import Event
from mss_gateway.observe.figures import Figures, Gauge
from mss_gateway.ops.doctor import Check, DoctorOperations, Verdict
from mss_gateway.ops.figures import FigureOperations
from mss_gateway.ops.health_dns import DnsHealth
from mss_gateway.ops.health_queue import QueueHealth
from mss_gateway.ops.health_store import OUT, StoreHealth
from mss_gateway.ports.queue import DomainQueue, Queue
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreFull, Trace

LATE = 4 * 3600.0


def waiting(domain: str, *, age: float = 60.0, rows: int = 1, held: int = 0, why: str = "") -> DomainQueue:
    """What waits for one domain."""
    at = time.time() - age
    return DomainQueue(domain, rows, 0, 0, held, 4096 * (rows + held), at, at, 1, why)


def queue_health(silent: dict[str, str], *domains: DomainQueue) -> QueueHealth:
    """The examination of a queue that holds this."""

    async def by_domain() -> list[DomainQueue]:
        return list(domains)

    return QueueHealth(cast(Queue, SimpleNamespace(queue_by_domain=by_domain)), lambda: silent, LATE)


@pytest.mark.req("OPS-2")
async def test_a_check_that_fails_by_itself_hides_no_other() -> None:
    """A fault of an examination is told without its text, and makes the gateway unhealthy."""

    async def broken() -> Sequence[Check]:
        raise RuntimeError("285037728417346")

    async def fine() -> Sequence[Check]:
        return [Check("dns", Verdict.GOOD, "answers")]

    result = await DoctorOperations([("queue", broken), ("dns", fine)]).doctor({})
    assert not result["healthy"]
    assert [(one["name"], one["verdict"]) for one in result["checks"]] == [("queue", "bad"), ("dns", "good")]
    assert "RuntimeError" in result["checks"][0]["evidence"]
    assert "2850377" not in str(result)
    assert all(one["next_step"] for one in result["checks"] if one["verdict"] != "good")


@pytest.mark.req("OPS-2", "QUE-2")
async def test_an_empty_queue_is_good_and_silent_domains_are_doubtful() -> None:
    """What only waits a little while is no alarm for a night; what waits for hours is."""
    (empty,) = await queue_health({}).examine()
    assert (empty.verdict, empty.evidence) == (Verdict.GOOD, "empty")
    checks = await queue_health(
        {"muet.example": "connect-timeout"},
        waiting("bon.example"),
        waiting("muet.example"),
        waiting("vieux.example", age=LATE + 60, why="certificate-expired: mx"),
    ).examine()
    assert [one.verdict for one in checks] == [Verdict.GOOD, Verdict.BAD, Verdict.DOUBT]
    assert [one.evidence.partition(":")[0] for one in checks[1:]] == ["to vieux.example", "to muet.example"]
    assert "certificate-expired" in checks[1].evidence
    assert "connect-timeout" in checks[2].evidence


@pytest.mark.req("OPS-2", "QUE-3")
async def test_held_rows_are_a_doubt_and_never_late() -> None:
    """Somebody has decided so; that it was forgotten must be seen."""
    checks = await queue_health({}, waiting("tenu.example", age=LATE * 3, rows=0, held=7)).examine()
    assert [(one.name, one.verdict) for one in checks] == [("queue", Verdict.DOUBT)]
    assert "7 of them held" in checks[0].evidence


@pytest.mark.req("OPS-2")
async def test_many_troubled_domains_are_summed_up() -> None:
    """A page that scrolls away at 3 a.m. helps nobody."""
    domains = [waiting(f"d{number}.example", age=LATE + number) for number in range(12)]
    checks = await queue_health({}, *domains).examine()
    assert len(checks) == 7
    assert checks[-1].evidence.startswith("7 more domains")
    assert checks[1].evidence.startswith("to d11.example: 1 recipient,")


@pytest.mark.req("OPS-2")
async def test_the_store_is_written_for_real_and_says_when_it_cannot(tmp_path: Path) -> None:
    """A full disk is told as what it is."""
    written: list[TraceLine] = []

    async def write(lines: Sequence[TraceLine]) -> None:
        written.extend(lines)

    async def full(lines: Sequence[TraceLine]) -> None:
        raise StoreFull("no space left")

    good = await StoreHealth(cast(Trace, SimpleNamespace(write_trace=write)), tmp_path).examine()
    assert good[0].verdict is Verdict.GOOD
    assert [line.event for line in written] == ["examined"]
    bad = await StoreHealth(cast(Trace, SimpleNamespace(write_trace=full)), tmp_path / "absent").examine()
    assert [one.verdict for one in bad] == [Verdict.BAD, Verdict.BAD]
    assert "no space left" in bad[0].evidence
    assert OUT > 0


@pytest.mark.req("OPS-2")
async def test_the_dns_is_asked_for_the_patients_domain() -> None:
    """The evidence is the hosts, or what the look-up said."""

    async def places(domain: str) -> Sequence[str]:
        assert domain == "patient.example"
        return ["mx1.example", "mx2.example"]

    async def none(domain: str) -> Sequence[str]:
        raise TimeoutError

    (good,) = await DnsHealth(places, "patient.example").examine()
    assert "mx1.example, mx2.example" in good.evidence
    (bad,) = await DnsHealth(none, "patient.example").examine()
    assert (bad.verdict, bool(bad.next_step)) == (Verdict.BAD, True)


@pytest.mark.req("OPS-4", "QUE-3")
def test_gauges_and_counters_of_relaying_stand_in_the_figures() -> None:
    """One family for each name, whatever its labels; counters by result and reason."""
    figures = Figures()
    figures.event(Event.RELAYED, {"domain": "x"})
    figures.event(Event.RELAY_DEFERRED, {"reason": "no-mx"})
    figures.event(Event.TRUST_FETCH_FAILED, {"reason": "fetch-timeout"})
    figures.event(Event.PEER_REFUSED, {"reason": "crl-stale"})
    health = queue_health({"muet.example": "x"}, waiting("muet.example", rows=3, held=2))

    async def alarms() -> Sequence[Gauge]:
        return [Gauge("mss_trust_alarms", "Alarms", 1, {"reason": "list-old"})]

    text = asyncio.run(FigureOperations(figures, [health.gauges, alarms]).figures({}))["text"]
    lines = set(text.splitlines())
    assert {
        'mss_relay_attempts_total{result="relayed"} 1.0',
        'mss_relay_troubles_total{reason="no-mx"} 1.0',
        'mss_trust_fetches_total{result="failed"} 1.0',
        'mss_peers_refused_total{reason="crl-stale"} 1.0',
        'mss_queue_rows{state="waiting"} 3.0',
        'mss_queue_rows{state="held"} 2.0',
        "mss_queue_domains_silent 1.0",
        'mss_trust_alarms{reason="list-old"} 1.0',
    } <= lines
    assert text.count("# TYPE mss_queue_rows gauge") == 1
    families: Any = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
