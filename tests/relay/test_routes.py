"""From a domain to hosts and addresses: a real name server, several hosts, both families (TRU-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.relay.options import DnsOptions, RelayOptions
from mss_gateway.relay.places import Host
from mss_gateway.relay.problems import RelayProblem
from mss_gateway.relay.resolver import Resolver
from tests.support.dns import DnsServer
from tests.support.ports import free_ports
from tests.support.relay import (
    PATIENT,
    Neighbour,
    Script,
    by_dns,
    courier,
    letter,
    neighbour,
    options,
    scripted,
)
from tests.support.trust import FOREIGN, World

MX = f"mx.{FOREIGN}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


@pytest.fixture
def names() -> Iterator[DnsServer]:
    """A name server that knows the neighbour's domain."""
    server = DnsServer({FOREIGN: {"MX": [f"10 {MX}."]}, MX: {"A": ["127.0.0.1"]}})
    server.start()
    try:
        yield server
    finally:
        server.stop()


def only(outcomes: tuple[Outcome, ...]) -> tuple[Fate, str, str]:
    """Fate, reason and status of the one outcome."""
    (one,) = outcomes
    return one.fate, one.reason, one.status


async def hosts(options: RelayOptions, domain: str = FOREIGN) -> list[str]:
    """The names of the hosts of a domain, in order."""
    return [one.host.name for one in await Resolver(options).exchangers(domain)]


@pytest.mark.req("TRU-5")
async def test_a_letter_finds_its_way_by_mx(world: World, names: DnsServer) -> None:
    """And the second one asks nothing: answers are kept for their TTL."""
    hooks = Neighbour()
    async with neighbour(world, hooks) as port, courier(world, by_dns(names.endpoint, port)) as ours:
        (outcome,) = await ours.deliver(letter())
        assert (outcome.fate, outcome.remote_mta) == (Fate.SENT, MX)
        asked = len(names.asked)
        assert only(await ours.deliver(letter()))[0] is Fate.SENT
        assert len(names.asked) == asked


@pytest.mark.req("TRU-5")
async def test_by_alias_and_by_address_alone(world: World, names: DnsServer) -> None:
    """A CNAME is followed; a domain without MX is its own host (RFC 5321 section 5.1)."""
    names.put("alias.example", CNAME=[f"{MX}."])
    names.put(FOREIGN, MX=["10 alias.example."])
    hooks = Neighbour()
    async with neighbour(world, hooks) as port:
        async with courier(world, by_dns(names.endpoint, port)) as ours:
            assert only(await ours.deliver(letter()))[0] is Fate.SENT
        names.put(FOREIGN, A=["127.0.0.1"])
        async with courier(world, by_dns(names.endpoint, port)) as ours:
            (outcome,) = await ours.deliver(letter())
            assert (outcome.fate, outcome.remote_mta) == (Fate.SENT, FOREIGN)


@pytest.mark.req("TRU-5")
async def test_over_ipv6(world: World, names: DnsServer) -> None:
    """An address of the other family serves as well, and after one that does not answer."""
    names.put(MX, AAAA=["::1"], A=["127.0.0.1"])
    hooks = Neighbour()
    async with neighbour(world, hooks, "::1") as port, courier(world, by_dns(names.endpoint, port)) as ours:
        assert only(await ours.deliver(letter()))[0] is Fate.SENT


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("null-mx", (Fate.FAILED, "null-mx", "5.1.10")),
        ("nxdomain", (Fate.TRY_LATER, "no-mx", "4.4.4")),
        ("silent", (Fate.TRY_LATER, "dns-failure", "4.4.3")),
        ("host-unknown", (Fate.TRY_LATER, "no-mx", "4.4.4")),
        ("host-empty", (Fate.TRY_LATER, "no-mx", "4.4.4")),
        ("host-silent", (Fate.TRY_LATER, "dns-failure", "4.4.3")),
    ],
)
async def test_a_domain_that_leads_nowhere(
    world: World, names: DnsServer, kind: str, expected: tuple[Fate, str, str]
) -> None:
    """Temporary, but for a null MX (RFC 7505)."""
    if kind == "null-mx":
        names.put(FOREIGN, MX=["0 ."])
    elif kind == "nxdomain":
        del names.zone[FOREIGN], names.zone[MX]
    elif kind == "silent":
        names.silent(FOREIGN)
    elif kind == "host-unknown":
        names.put(FOREIGN, MX=["10 nobody.example."])
    elif kind == "host-empty":
        names.put(MX, TXT=['"nothing"'])
    else:
        names.silent(MX)
    async with courier(world, by_dns(names.endpoint, 1)) as ours:
        assert only(await ours.deliver(letter())) == expected


async def test_preference_counts_and_equals_are_mixed(names: DnsServer) -> None:
    """RFC 5321 section 5.1; a null MX among others says nothing."""
    names.put(FOREIGN, MX=["20 c.example.", "10 a.example.", "10 b.example.", "0 .", "30 d.example."])
    seen = set()
    for _ in range(40):
        found = await hosts(by_dns(names.endpoint, 25))
        assert found[2:] == ["c.example", "d.example"]
        seen.add(tuple(found[:2]))
    assert seen == {("a.example", "b.example"), ("b.example", "a.example")}


async def test_a_silent_name_server_is_followed_by_the_next(names: DnsServer) -> None:
    """The order of `nameservers` is that of preference."""
    mute = DnsServer()
    mute.silent(FOREIGN)
    with mute:
        assert await hosts(by_dns(mute.endpoint, 25, names.endpoint)) == [MX]
    assert mute.asked
    assert names.asked


async def test_a_short_ttl_is_kept_shortly(names: DnsServer) -> None:
    """`longest` of DnsOptions limits what the zone says."""
    dns = DnsOptions((names.endpoint,), longest=0.05)
    resolver = Resolver(RelayOptions("mx.test", dns=dns))
    await resolver.exchangers(FOREIGN)
    await asyncio.sleep(0.1)
    await resolver.exchangers(FOREIGN)
    assert len(names.asked) == 2


@pytest.mark.parametrize("server", ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353", "[::1]"])
def test_name_servers_are_written_with_or_without_port(server: str) -> None:
    """Both families."""
    Resolver(RelayOptions("mx.test", dns=DnsOptions((server,))))


async def test_a_host_written_by_hand_is_known_to_the_system_or_not(names: DnsServer) -> None:
    """Overrides need no DNS: `localhost` stands in the hosts file."""
    chosen = RelayOptions(
        "mx.test", overrides={FOREIGN: (("localhost", 25), ("no-such-host.invalid", 25))}, dns=DnsOptions()
    )
    resolver = Resolver(chosen)
    assert set(await resolver.addresses(Host("localhost", 25))) <= {"127.0.0.1", "::1"}
    with pytest.raises(RelayProblem) as failed:
        await resolver.addresses(Host("no-such-host.invalid", 25))
    assert failed.value.reason == "dns-failure"


@pytest.mark.req("TRU-5", "QUE-2")
async def test_the_next_host_is_tried_and_the_dead_one_comes_last(world: World) -> None:
    """A refused connection, then a host that answers; afterwards the dead one is not asked first."""

    async def grumpy(script: Script) -> None:
        await script.say("421 4.3.2 too busy")

    hooks = Neighbour()
    (dead,) = free_ports(1)
    async with neighbour(world, hooks) as port, scripted(world, grumpy) as busy:
        async with courier(world, options(dead, busy.port, port), messages=1) as ours:
            assert only(await ours.deliver(letter()))[0] is Fate.SENT
            assert only(await ours.deliver(letter()))[0] is Fate.SENT
        assert busy.connections == 2
    assert len(hooks.mail) == 2


@pytest.mark.req("TRU-5")
async def test_when_no_host_answers_the_outcome_says_so(world: World) -> None:
    """Refused and silent; what a reached host said counts more."""
    (dead,) = free_ports(1)
    async with courier(world, options(dead)) as ours:
        assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, "connect-refused", "4.4.1")

    async def grumpy(script: Script) -> None:
        await script.say("554 5.7.1 not you")

    async with scripted(world, grumpy) as served, courier(world, options(dead, served.port)) as ours:
        (outcome,) = await ours.deliver(letter())
        assert (outcome.fate, outcome.reason) == (Fate.TRY_LATER, "peer-refused")
        assert "no connection to 127.0.0.1" in outcome.text


async def test_a_host_that_does_not_answer_is_a_timeout(world: World) -> None:
    """A listening socket whose queue is full does not accept."""
    import socket

    held = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = held.getsockname()[1]
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        fillers.append(filler)
    chosen = options(port, deadlines=replace(PATIENT, connect=0.2))
    async with courier(world, chosen) as ours:
        assert only(await ours.deliver(letter()))[1] in ("connect-timeout", "timeout")
    for one in (held, *fillers):
        one.close()
