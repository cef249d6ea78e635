"""DEFLATE below a door: bounded pieces, bombs, idle memory, half-closed sockets (RFC 4978)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.net.deflate import PIECE, Deflated, Garbled
from mss_gateway.net.listener import Listener, ListenerOptions
from mss_gateway.net.stream import DeadlinePassed, Draining, Stream, StreamClosed
from tests.support.memory import little_memory

LOOPS = pytest.mark.parametrize(
    "loops", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
Loops = Callable[[], asyncio.AbstractEventLoop]
Talk = Callable[[Stream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def squeezed(data: bytes, level: int = 9) -> bytes:
    """What a client sends: one burst, flushed."""
    codec = zlib.compressobj(level, zlib.DEFLATED, -15)
    return codec.compress(data) + codec.flush(zlib.Z_SYNC_FLUSH)


def ended(data: bytes) -> bytes:
    """A burst with the end of the stream behind it."""
    codec = zlib.compressobj(9, zlib.DEFLATED, -15)
    return codec.compress(data) + codec.flush()


def drained(codec: Deflated) -> list[bytes]:
    """All pieces that are there."""
    pieces = []
    while codec.pending:
        pieces.append(codec.inflate())
    return pieces


def talked(loops: Loops, talk: Talk) -> None:
    """Run `talk` with one accepted stream and its client."""

    async def run() -> None:
        accepted: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        done = asyncio.Event()

        async def serve(stream: Stream) -> None:
            accepted.set_result(stream)
            await done.wait()

        async with asyncio.TaskGroup() as group:
            listener = Listener(ListenerOptions("test", "127.0.0.1", 0), serve, group)
            port = await listener.open()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await talk(await accepted, reader, writer)
            finally:
                done.set()
                writer.close()
                await listener.drain(5.0)

    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(run())


@settings(max_examples=80, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=12), st.lists(st.booleans(), min_size=12, max_size=12))
def test_bursts_with_and_without_rests_are_one_stream(bursts: list[bytes], rests: list[bool]) -> None:
    """A compressor let go between two bursts leaves a stream that any peer reads, each burst at once."""
    codec = Deflated()
    peer = zlib.decompressobj(-15)
    for burst, rest in zip(bursts, rests, strict=False):
        assert peer.decompress(codec.deflate(burst)) == burst
        if rest:
            codec.rest()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000), st.integers(1, 40))
def test_any_cutting_gives_the_same_octets(data: bytes, cut: int) -> None:
    """Octets one by one, or all at once."""
    wire = squeezed(data)
    codec = Deflated()
    found = []
    for at in range(0, len(wire), cut):
        codec.feed(wire[at : at + cut])
        found += drained(codec)
    assert b"".join(found) == data


def test_a_bomb_comes_in_pieces_of_bounded_size() -> None:
    """100 MB of zeros in 100 KB: no piece over the bound, memory flat, input read once."""
    wire = squeezed(b"\0" * 100_000_000)
    assert len(wire) < 110_000
    codec = Deflated()
    with little_memory(6 * PIECE):
        codec.feed(wire)
        total = 0
        calls = 0
        while codec.pending:
            piece = codec.inflate()
            assert len(piece) <= PIECE
            total += len(piece)
            calls += 1
    assert total == 100_000_000
    assert calls <= total // PIECE + 2


def test_what_is_no_deflate_is_garbled() -> None:
    """Plain text, and what comes behind the end of a stream."""
    for wire in (b"a NOOP\r\n", b"\xff" * 20, ended(b"a LOGOUT\r\n") + b"b NOOP\r\n"):
        codec = Deflated()
        codec.feed(wire)
        with pytest.raises(Garbled):
            drained(codec)


def test_what_stands_before_the_end_of_a_stream_is_read() -> None:
    """A peer that ends its stream with LOGOUT is heard; it may send nothing more."""
    codec = Deflated()
    codec.feed(ended(b"a LOGOUT\r\n"))
    assert drained(codec) == [b"a LOGOUT\r\n"]
    codec.feed(b"b")
    with pytest.raises(Garbled):
        codec.inflate()


@given(st.binary(max_size=200))
def test_nothing_but_garbled_escapes(data: bytes) -> None:
    """Any octets from a peer."""
    codec = Deflated()
    codec.feed(data)
    with contextlib.suppress(Garbled):
        drained(codec)


@LOOPS
def test_a_stream_both_ways(loops: Loops) -> None:
    """What was read before belongs to the stream; a piece that waits inflated ends `wait_input` at once."""

    async def talk(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = squeezed(b"b" * (PIECE + 5))
        writer.write(wire[10:])
        stream.compress(wire[:10])
        assert await stream.wait_input(60.0)
        data = await stream.read(60.0)
        while len(data) < PIECE + 5:
            assert await stream.wait_input(60.0)
            data += await stream.read(60.0)
        assert data == b"b" * (PIECE + 5)
        stream.write(b"answer")
        peer = zlib.decompressobj(-15)
        assert peer.decompress(await reader.read(100)) == b"answer"

    talked(loops, talk)


@LOOPS
def test_octets_that_give_nothing_yet_are_no_input(loops: Loops) -> None:
    """Half a block neither ends a wait nor keeps news from being told; the deadline counts on."""

    async def talk(stream: Stream, _: object, writer: asyncio.StreamWriter) -> None:
        stream.compress()
        wire = squeezed(random.Random(1).randbytes(400))
        writer.write(wire[:3])
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_later(0.05, stream.wake)
        woken: list[int] = []

        def ready() -> bool:
            woken.append(1)
            return len(woken) > 1

        assert await stream.wait_input(60.0, ready) is False
        with pytest.raises(DeadlinePassed):
            await stream.read(0.05)
        writer.write(wire[3:])
        assert await stream.read(60.0)

    talked(loops, talk)


@LOOPS
def test_half_closed_and_garbled_streams_end(loops: Loops) -> None:
    """Everything sent before the end is read, then the end; nonsense is a broken connection."""

    async def talk(stream: Stream, _: object, writer: asyncio.StreamWriter) -> None:
        stream.compress()
        writer.write(squeezed(b"x" * (3 * PIECE)))
        writer.write_eof()
        data = b""
        while piece := await stream.read(60.0):
            data += piece
        assert len(data) == 3 * PIECE
        stream.compress(b"plain text is no DEFLATE")
        with pytest.raises(StreamClosed):
            await stream.read(60.0)
        stream.decompress()
        assert await stream.read(60.0) == b""

    talked(loops, talk)


@LOOPS
def test_a_compressed_idle_stream_drains(loops: Loops) -> None:
    """A stopping gateway ends it as any other."""

    async def talk(stream: Stream, _: object, __: object) -> None:
        stream.compress()
        stream.ask_to_drain()
        with pytest.raises(Draining):
            await stream.read(60.0, idle=True)

    talked(loops, talk)


@LOOPS
def test_a_bomb_takes_turns_with_others(loops: Loops) -> None:
    """Reading it gives the loop back between the pieces."""

    async def talk(stream: Stream, _: object, writer: asyncio.StreamWriter) -> None:
        stream.compress()
        writer.write(squeezed(b"\0" * (40 * PIECE)))
        turns = 0
        done = False

        async def other() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        left = 40 * PIECE
        while left:
            before = turns
            left -= len(await stream.read(60.0))
            assert turns > before
        done = True
        await task

    talked(loops, talk)
