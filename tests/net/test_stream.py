"""The stream below both doors: deadlines, back-pressure, draining, and what a lost connection leaves."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from mss_gateway.net.gate import Gate, GateOptions
from mss_gateway.net.listener import Listener, ListenerOptions
from mss_gateway.net.stream import READ_LIMIT, DeadlinePassed, Draining, Stream, StreamClosed

LOOPS = pytest.mark.parametrize(
    "loops", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
Loops = Callable[[], asyncio.AbstractEventLoop]
Talk = Callable[[Stream, asyncio.StreamReader, asyncio.StreamWriter, Listener], Awaitable[None]]


def talked(loops: Loops, talk: Talk, **options: object) -> None:
    """Run `talk` with one accepted stream, its client and the listener."""

    async def run() -> None:
        accepted: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        done = asyncio.Event()

        async def serve(stream: Stream) -> None:
            if not accepted.done():
                accepted.set_result(stream)
            await done.wait()

        async with asyncio.TaskGroup() as group:
            listener = Listener(ListenerOptions("test", "127.0.0.1", 0, **options), serve, group)  # type: ignore[arg-type]
            port = await listener.open()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await talk(await accepted, reader, writer, listener)
            finally:
                done.set()
                writer.close()
                await listener.drain(5.0)

    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(run())


@LOOPS
def test_reads_end_at_their_deadline_and_go_on_later(loops: Loops) -> None:
    """A deadline that passed does not spoil the next read, nor does a later one come early."""

    async def talk(stream: Stream, _: object, writer: asyncio.StreamWriter, __: Listener) -> None:
        with pytest.raises(DeadlinePassed):
            await stream.read(0.05)
        writer.write(b"late")
        assert await stream.read(60.0) == b"late"
        with pytest.raises(DeadlinePassed):
            await stream.read(0.0)
        writer.write_eof()
        assert await stream.read(60.0) == b""

    talked(loops, talk)


@LOOPS
def test_a_busy_owner_stops_the_socket(loops: Loops) -> None:
    """What is held for a reader stays near the limit; everything arrives once it reads."""

    async def talk(stream: Stream, _: object, writer: asyncio.StreamWriter, __: Listener) -> None:
        total = 40 * READ_LIMIT
        sending = asyncio.ensure_future(_send(writer, total))
        await asyncio.sleep(0.2)
        first = stream.take()
        assert 0 < len(first) < 3 * READ_LIMIT
        got = len(first)
        while got < total:
            got += len(await stream.read(60.0))
        await sending
        assert got == total

    talked(loops, talk)


async def _send(writer: asyncio.StreamWriter, total: int) -> None:
    for _ in range(total // 65536):
        writer.write(b"x" * 65536)
        await writer.drain()


@LOOPS
def test_a_peer_that_does_not_read_blocks_and_is_cut(loops: Loops) -> None:
    """`write_blocked` rises, `drain` ends at its deadline, `close` cuts the connection off."""

    async def talk(stream: Stream, reader: asyncio.StreamReader, _: object, __: Listener) -> None:
        writes = 0
        while not stream.write_blocked:
            stream.write(b"y" * 65536)
            writes += 1
            await asyncio.sleep(0)
            assert writes < 1000
        with pytest.raises(DeadlinePassed):
            await stream.drain(0.05)
        await stream.close(0.05)
        await asyncio.sleep(0.2)
        with pytest.raises(StreamClosed):
            stream.write(b"z")

    talked(loops, talk)


@LOOPS
def test_draining_ends_idle_reads_only(loops: Loops) -> None:
    """An idle read hears of it, one in a transaction goes on."""

    async def talk(stream: Stream, _: object, writer: asyncio.StreamWriter, __: Listener) -> None:
        idle = asyncio.ensure_future(stream.read(60.0, idle=True))
        await asyncio.sleep(0)
        stream.ask_to_drain()
        with pytest.raises(Draining):
            await idle
        writer.write(b"rest")
        assert await stream.read(60.0, idle=False) == b"rest"

    talked(loops, talk)


@LOOPS
def test_a_lost_connection_is_let_go(loops: Loops) -> None:
    """No timer keeps the stream of a peer that has left, however long the next deadline is."""

    async def run() -> weakref.ref[Stream]:
        seen: list[weakref.ref[Stream]] = []
        ended = asyncio.Event()

        async def serve(stream: Stream) -> None:
            seen.append(weakref.ref(stream))
            while await stream.read(60.0):
                pass
            await stream.read(3600.0)
            ended.set()

        async with asyncio.TaskGroup() as group:
            listener = Listener(ListenerOptions("test", "127.0.0.1", 0), serve, group)
            port = await listener.open()
            raw = socket.create_connection(("127.0.0.1", port))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raw.close()
            await ended.wait()
            await listener.drain(5.0)
        for _ in range(100):  # until the loop has ended what it had begun for this connection
            await asyncio.sleep(0.05)
            gc.collect()
            if seen[0]() is None:
                break
        return seen[0]

    with asyncio.Runner(loop_factory=loops) as runner:
        assert runner.run(run())() is None


@LOOPS
def test_a_task_that_fails_does_not_take_the_others_along(loops: Loops) -> None:
    """The listener outlives connections that end in any order."""

    async def talk(
        stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: Listener
    ) -> None:
        assert listener.connections == 1
        stream.abort()
        assert await reader.read() == b""
        stream.abort()
        await stream.close()
        assert await stream.read(60.0) == b""

    talked(loops, talk)


def test_the_gate_counts_addresses_and_ipv6_networks() -> None:
    """One IPv4 address, one IPv6 /64, and the total."""
    gate = Gate(GateOptions(total=4, per_address=2))
    assert [gate.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert gate.enter("2001:db8:1:2::1")
    assert gate.enter("2001:db8:1:2:ffff::2")
    assert not gate.enter("192.0.2.2")
    gate.leave("192.0.2.1")
    assert not gate.enter("2001:db8:1:2::3")
    assert gate.enter("192.0.2.2")
    assert gate.open == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8:0:0:5::1"),
        ("fe80::1", "fe80:0:0:0:1::"),
        ("2001:db8:1::1", "2001:db8:1:0:9::"),
    ],
)
def test_shortened_ipv6_addresses_of_one_network_count_together(one: str, other: str) -> None:
    """`::` stands for zeros wherever it is."""
    assert Gate.source(one) == Gate.source(other)


def test_different_ipv6_networks_count_apart() -> None:
    """A /64 is one peer, its neighbour another; an IPv4 address is the same on a socket of both families."""
    assert Gate.source("::ffff:192.0.2.1") == Gate.source("192.0.2.1")
    assert Gate.source("2001:db8:0:1::1") != Gate.source("2001:db8:0:2::1")
