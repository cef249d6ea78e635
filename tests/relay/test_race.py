"""Several addresses of one host: the first that connects serves, the losers are closed (TRU-5, RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mss_gateway.ports.relay import Fate
from mss_gateway.relay import race
from mss_gateway.relay.dialled import Dialled
from mss_gateway.relay.race import Unreached, reach
from tests.support.dns import DnsServer
from tests.support.playback import descriptors, given_back
from tests.support.ports import free_ports
from tests.support.relay import Neighbour, Script, by_dns, courier, letter, neighbour, scripted
from tests.support.trust import FOREIGN, World

MX = f"mx.{FOREIGN}"
DEAD, MUTE, GOOD = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


@contextmanager
def mute(port: int) -> Iterator[None]:
    """An address whose queue of connections is full: it neither accepts nor refuses."""
    held = [socket.create_server((MUTE, port), backlog=0)]
    try:
        for _ in range(4):
            held.append(socket.socket())
            held[-1].setblocking(False)
            held[-1].connect_ex((MUTE, port))
        yield
    finally:
        for one in held:
            one.close()


async def _contest(addresses: list[str]) -> None:
    """Reach the good one of these; nothing but its connection is open or running afterwards."""
    (port,) = free_ports(1)
    server = await asyncio.start_server(lambda _, writer: writer.close(), GOOD, port)
    with mute(port):
        before = descriptors()
        reached = await reach(addresses, port, 30.0)
        assert reached.address == GOOD
        assert set(reached.behind) == set(addresses[: addresses.index(GOOD)])
        reached.stream.abort()
        assert await given_back(before)
    server.close()


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(
    "addresses",
    [[GOOD], [GOOD, DEAD, MUTE], [DEAD, GOOD, MUTE], [MUTE, GOOD], [MUTE, DEAD, GOOD], ["::1", MUTE, GOOD]],
)
def test_the_first_to_connect_wins(
    loop: Callable[[], asyncio.AbstractEventLoop], addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the others do, on both loops."""
    monkeypatch.setattr(race, "STAGGER", 0.3)
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_contest(addresses))


async def test_when_none_connects_each_is_told_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """One deadline for all of them."""
    monkeypatch.setattr(race, "STAGGER", 0.01)
    (port,) = free_ports(1)
    with mute(port), pytest.raises(Unreached) as failed:
        await reach([MUTE, DEAD], port, 2.0)
    kinds = {address: type(error) for address, error in failed.value.failures.items()}
    assert kinds == {DEAD: ConnectionRefusedError, MUTE: TimeoutError}


def _dialling(monkeypatch: pytest.MonkeyPatch, dial: Callable[[str], Coroutine[Any, Any, Dialled]]) -> None:
    monkeypatch.setattr(race, "STAGGER", 0.01)
    monkeypatch.setattr(race, "dial", lambda address, _port, _deadline: dial(address))


class _Noted(Dialled):
    closed = False

    def abort(self) -> None:
        self.closed = True


async def test_who_connects_at_the_same_moment_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly one stays open."""
    made: list[_Noted] = []
    together = asyncio.Event()

    async def dial(address: str) -> Dialled:
        if address == "c":
            together.set()
        await together.wait()
        made.append(_Noted())
        return made[-1]

    _dialling(monkeypatch, dial)
    reached = await reach(["a", "b", "c"], 25, 30.0)
    assert [one.closed for one in made].count(False) == 1
    assert not isinstance(reached.stream, _Noted) or not reached.stream.closed


async def test_a_race_called_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All who run are stopped."""
    begun, stopped = asyncio.Semaphore(0), list[str]()

    async def dial(address: str) -> Dialled:
        begun.release()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(address)
        raise AssertionError

    _dialling(monkeypatch, dial)
    task = asyncio.create_task(reach(["a", "b"], 25, 60.0))
    for _ in range(2):
        await begun.acquire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(stopped) == ["a", "b"]


@pytest.mark.req("TRU-5", "QUE-2")
async def test_an_address_that_serves_badly_is_followed_by_the_next_and_shunned(world: World) -> None:
    """The host has two; the second letter goes to the good one at once."""

    async def grumpy(script: Script) -> None:
        await script.say("421 4.3.2 too busy")

    hooks = Neighbour()
    zone = {FOREIGN: {"MX": [f"10 {MX}."]}, MX: {"A": ["127.0.0.1"], "AAAA": ["::1"]}}
    async with neighbour(world, hooks) as port:
        with DnsServer(zone) as names:
            served = 0

            async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                nonlocal served
                served += 1
                await grumpy(Script(world, reader, writer))
                writer.close()

            server = await asyncio.start_server(count, "::1", port)
            async with courier(world, by_dns(names.endpoint, port), messages=1) as ours:
                for _ in range(3):
                    (outcome,) = await ours.deliver(letter())
                    assert outcome.fate is Fate.SENT
            server.close()
    assert served == 1
    assert len(hooks.mail) == 3


async def test_every_address_stands_in_the_reason(world: World) -> None:
    """An operator sees what was tried."""
    (port,) = free_ports(1)
    with DnsServer({FOREIGN: {"MX": [f"10 {MX}."]}, MX: {"A": ["127.0.0.1"], "AAAA": ["::1"]}}) as names:
        async with courier(world, by_dns(names.endpoint, port)) as ours:
            (outcome,) = await ours.deliver(letter())
    assert (outcome.fate, outcome.reason) == (Fate.TRY_LATER, "connect-refused")
    assert "[127.0.0.1] refused (ECONNREFUSED)" in outcome.text
    assert "[::1] refused" in outcome.text


async def test_an_rfc821_server_has_no_starttls(world: World) -> None:
    """HELO would be understood, but nothing is sent without TLS."""

    async def play(script: Script) -> None:
        await script.say("220 mx.test")
        await script.hear("EHLO")
        await script.say("502 5.5.1 command not implemented")
        assert await script.reader.read() == b""

    async with scripted(world, play) as served:
        chosen = replace(by_dns("127.0.0.1", served.port), overrides={FOREIGN: (("127.0.0.1", served.port),)})
        async with courier(world, chosen) as ours:
            (outcome,) = await ours.deliver(letter())
    assert (outcome.fate, outcome.reason, outcome.status) == (Fate.TRY_LATER, "no-starttls", "4.7.10")
