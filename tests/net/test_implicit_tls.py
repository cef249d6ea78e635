"""Implicit TLS on both event loops: a ClientHello that comes at once is never lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from mss_gateway.net.listener import Listener, ListenerOptions
from mss_gateway.net.stream import Stream
from tests.support.trust import World

CLIENTS = 40


@pytest.mark.req("ACC-1")
@pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_clients_that_speak_first_are_heard(
    tmp_path: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Forty clients connect at once and each sends its ClientHello without waiting."""
    world = World(tmp_path)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(greeted(world)) == [b"* OK\r\n"] * CLIENTS


async def greeted(world: World) -> list[bytes]:
    """What each client reads first."""
    trust = world.trust()

    async def serve(stream: Stream) -> None:
        await stream.start_tls(trust.client_context(), 60.0)
        stream.write(b"* OK\r\n")
        await stream.read(60.0)

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(world.folder / "ca.pem")

    async def visit(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        line = await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        return line

    async with asyncio.TaskGroup() as group:
        listener = Listener(ListenerOptions("imaps", "127.0.0.1", 0, implicit_tls=True), serve, group)
        port = await listener.open()
        lines = await asyncio.gather(*(visit(port) for _ in range(CLIENTS)))
        await listener.drain(5.0)
    return lines
