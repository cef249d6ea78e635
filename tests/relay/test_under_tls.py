"""A wire that breaks, garbles or falls silent under real TLS, at many places of a session (QUE-1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.protocol.smtp import MailFrom
from tests.support.playback import descriptors, given_back
from tests.support.relay import (
    LOCAL,
    PATIENT,
    Script,
    courier,
    letter,
    options,
    our_own,
    scripted,
    server_context,
)
from tests.support.trust import World

PLACES = 24  # in each direction


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


@dataclass
class Wire:
    """What one connection carries: `there` and `back` octets so far, spoilt where the one reaches `at`."""

    direction: str = ""
    at: int = 1 << 30
    how: str = "close"
    there: int = 0
    back: int = 0


@asynccontextmanager
async def wired(port: int, wires: list[Wire]) -> AsyncIterator[int]:
    """A relay of octets in front of a server, spoiling one connection after the other; gives its port."""
    coming = iter(wires)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = next(coming)
        far_reader, far_writer = await asyncio.open_connection(LOCAL, port)
        ways = [
            asyncio.create_task(_carry(wire, "there", reader, far_writer, writer)),
            asyncio.create_task(_carry(wire, "back", far_reader, writer, far_writer)),
        ]
        tasks.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for one in (writer, far_writer):
            one.transport.abort() if wire.how == "reset" else one.close()

    server = await asyncio.start_server(serve, LOCAL, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(
    wire: Wire,
    way: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    other: asyncio.StreamWriter,
) -> None:
    with contextlib.suppress(OSError):
        while octets := await reader.read(65536):
            passed = getattr(wire, way)
            setattr(wire, way, passed + len(octets))
            if way == wire.direction and passed <= wire.at < passed + len(octets):
                keep = wire.at - passed
                if wire.how != "garble":
                    writer.write(octets[:keep])
                    await writer.drain()
                    return
                octets = octets[:keep] + bytes([octets[keep] ^ 0x55]) + octets[keep + 1 :]
            writer.write(octets)
            await writer.drain()


@pytest.mark.req("QUE-1", "TRU-5")
@pytest.mark.parametrize("how", ["close", "reset", "garble"])
@pytest.mark.parametrize("direction", ["there", "back"])
async def test_a_wire_spoilt_anywhere(
    world: World, direction: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the peer has taken is never tried again as if it had not; `SENT` only when it has taken it."""
    monkeypatch.setattr("mss_gateway.net.alert.LINGER", 0.05)
    received: list[tuple[MailFrom, bytes]] = []
    good, warm = Wire(), Wire()
    hasty = replace(PATIENT, greeting=0.4, handshake=0.4, command=0.4, answer=0.4)
    async with our_own(world, received) as port:
        async with wired(port, [warm, good]) as front, courier(world, options(front), messages=1) as ours:
            for _ in range(2):
                assert [one.fate for one in await ours.deliver(letter())] == [Fate.SENT]
                await asyncio.sleep(0.05)
        length = getattr(good, direction)
        wires = [Wire(direction, 1 + place * (length - 2) // PLACES, how) for place in range(PLACES)]
        before = descriptors()
        async with (
            wired(port, wires) as front,
            courier(world, options(front, deadlines=hasty), messages=1) as ours,
        ):
            for number, wire in enumerate(wires):
                text = b"%d\r\n" % number  # what an earlier wire has carried may come late
                (outcome,) = await ours.deliver(letter(text))
                await asyncio.sleep(0.02)
                assert outcome.fate is not Fate.FAILED, wire
                if any(content.endswith(b"\r\n" + text) for _, content in received):
                    assert outcome.fate in (Fate.SENT, Fate.UNCERTAIN), wire
                else:
                    assert outcome.fate in (Fate.TRY_LATER, Fate.UNCERTAIN), wire
        assert await given_back(before)


async def _until_end(script: Script, *keywords: str) -> None:
    """Come as far as the end of the content."""
    await script.welcome(*keywords)
    for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
        await script.hear(verb)
        await script.say(answer)
    await script.content()


async def _drip(script: Script) -> None:
    await _until_end(script)
    for octet in b"250 2.0.0 taken" * 2:
        script.writer.write(bytes([octet]))
        await asyncio.sleep(0.05)


async def _endless_lines(script: Script) -> None:
    await _until_end(script)
    while True:
        await script.say(*["250-more"] * 1000)


async def _endless_line(script: Script) -> None:
    await _until_end(script)
    while True:
        script.writer.write(b"x" * 65536)
        await script.writer.drain()


async def _no_records(script: Script) -> None:
    """Octets that are no TLS record, past the TLS of this end."""
    await _until_end(script)
    plain = script.writer.get_extra_info("socket")
    plain.send(b"250 2.0.0 taken\r\n" * 10)
    await script.reader.read()


async def _reset(script: Script) -> None:
    await _until_end(script)
    script.writer.transport.abort()


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize(
    ("play", "reasons"),
    [
        (_drip, {"timeout"}),
        (_endless_lines, {"peer-broke-protocol"}),
        (_endless_line, {"peer-broke-protocol"}),
        (_no_records, {"lost-after-data"}),
        (_reset, {"lost-after-data"}),
    ],
)
async def test_no_word_after_the_end(
    world: World, play: Callable[[Script], Awaitable[None]], reasons: set[str]
) -> None:
    """Octets by drops, for ever, beneath TLS, or none: nobody knows, after the deadline at the latest."""
    hasty = replace(PATIENT, answer=0.4) if reasons == {"timeout"} else PATIENT
    async with (
        scripted(world, play) as served,
        courier(world, options(served.port, deadlines=hasty)) as ours,
    ):
        (outcome,) = await ours.deliver(letter())
        assert outcome.fate is Fate.UNCERTAIN
        assert outcome.reason in reasons
        await served.all_closed()


def told(outcomes: tuple[Outcome, ...]) -> tuple[Fate, str, str]:
    """Fate, reason and status of the one outcome."""
    (one,) = outcomes
    return one.fate, one.reason, one.status


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ([f"X-{number} some parameters" for number in range(90)], (Fate.SENT, "sent", "2.0.0")),
        ([f"X-{number}" for number in range(500)], (Fate.TRY_LATER, "peer-broke-protocol", "4.5.0")),
        (["pipelining", "PIPELINING", "size", "SIZE 0", "Dsn"], (Fate.SENT, "sent", "2.0.0")),
        (["SIZE garbage", "SIZE -1", "SIZE 99999999999999999999999"], (Fate.SENT, "sent", "2.0.0")),
        (["SIZE 10", "SIZE 1000000"], (Fate.SENT, "sent", "2.0.0")),
        (["SIZE 10"], (Fate.FAILED, "too-large-for-peer", "5.3.4")),
    ],
)
async def test_strange_offers(world: World, keywords: list[str], expected: tuple[Fate, str, str]) -> None:
    """Hundreds, twice, in lower case, with garbage: read as far as it makes sense."""

    async def play(script: Script) -> None:
        await _until_end(script, *keywords)
        await script.say("250 2.0.0 taken")
        await script.reader.read()

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        served_faults = served.faults
        assert told(await ours.deliver(letter())) == expected
        await ours.close()
        served_faults.clear()


@pytest.mark.parametrize("text", ["bonjour é\r\n".encode(), b"\x80\r\n"])
async def test_octets_outside_ascii_need_8bitmime(world: World, text: bytes) -> None:
    """To convert would change them (RTE-7), so that a peer without it cannot have them: 5.6.3."""

    async def play(script: Script) -> None:
        await script.say("220 mx.test")
        await script.hear("EHLO")
        await script.say("250-mx.test", "250 STARTTLS")
        await script.hear("STARTTLS")
        await script.say("220 go")
        await script.writer.start_tls(context)
        await script.hear("EHLO")
        await script.say("250-mx.test", "250 SIZE 100000")
        await script.reader.read()

    context = server_context(world)
    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        assert told(await ours.deliver(letter(text))) == (Fate.FAILED, "peer-needs-8bitmime", "5.6.3")
