"""What a failed handshake leaves behind, on both loops and in both directions: certificates and alert (TRU-8)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.net import alert
from mss_gateway.net.alert import (
    MAX_LINKS,
    MAX_MESSAGE,
    NOTHING,
    AlertingObject,
    Shown,
    certificates_of,
    overhear,
    shown_by,
)
from mss_gateway.net.listener import Listener, ListenerOptions
from mss_gateway.net.stream import Stream, StreamClosed
from mss_gateway.relay.dialled import dial
from tests.support.pki import Issued
from tests.support.relay import server_context
from tests.support.trust import THEIRS, World

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
NAMES = {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


async def refused_client(world: World, issued: Issued, version: ssl.TLSVersion) -> ssl.SSLError | None:
    """How a client with this certificate failed at our server, as the door sees it; None when it did not."""
    server = world.trust().mta_context()
    seen: asyncio.Future[ssl.SSLError | None] = asyncio.get_running_loop().create_future()

    async def serve(stream: Stream) -> None:
        try:
            await stream.start_tls(server, 60.0)
            seen.set_result(None)
        except ssl.SSLError as error:
            seen.set_result(error)

    client = world.peer_context(issued)
    client.minimum_version = client.maximum_version = version
    async with asyncio.TaskGroup() as group:
        listener = Listener(ListenerOptions("x", "127.0.0.1", 0, implicit_tls=True), serve, group)
        port = await listener.open()
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
            await reader.read(1)
            writer.close()
        found = await asyncio.wait_for(seen, 60)
        await listener.drain(5.0)
    return found


@pytest.mark.req("TRU-8")
@pytest.mark.parametrize("version", VERSIONS, ids=NAMES.values())
@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_the_certificate_of_a_refused_client_is_on_the_error(
    world: World, loop: Loop, version: ssl.TLSVersion
) -> None:
    """With all that it sent, beside the alert that is for it."""
    issued = world.pki.organisations.expired(THEIRS)
    with asyncio.Runner(loop_factory=loop) as runner:
        error = runner.run(refused_client(world, issued, version))
    assert error is not None
    shown = shown_by(error)
    assert shown.chain[0] == issued.der
    assert len(shown.chain) == 2  # its issuing authority came along
    assert shown.version == NAMES[version]
    assert bool(shown.cipher) == (version is ssl.TLSVersion.TLSv1_3)  # in TLS 1.2 it is settled later
    assert error.alert  # type: ignore[attr-defined]


@pytest.mark.req("TRU-8", "TRU-5")
@pytest.mark.parametrize("version", VERSIONS, ids=NAMES.values())
@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_the_certificate_of_a_refused_server_is_on_the_error(
    world: World, loop: Loop, version: ssl.TLSVersion
) -> None:
    """The same when we go to somebody."""
    issued = world.pki.organisations.expired(THEIRS)
    context = server_context(world, issued)
    context.minimum_version = context.maximum_version = version

    async def go() -> BaseException:
        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(welcome, "127.0.0.1", 0, ssl=context)
        async with server:
            stream = await dial("127.0.0.1", server.sockets[0].getsockname()[1], 60.0)
            try:
                await stream.secure(world.trust().outbound_context(), 60.0)
            except (ssl.SSLError, StreamClosed) as error:
                return error
            finally:
                stream.abort()
        raise AssertionError

    with asyncio.Runner(loop_factory=loop) as runner:
        shown = shown_by(runner.run(go()))
    assert shown.chain[0] == issued.der
    assert shown.version == NAMES[version]


@pytest.mark.req("TRU-8")
def test_without_the_private_hook_the_reason_alone_remains(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python may not have it: nothing else changes."""
    monkeypatch.setattr(alert, "_CALLBACK", None)
    issued = world.pki.organisations.expired(THEIRS)
    error = asyncio.run(refused_client(world, issued, ssl.TLSVersion.TLSv1_3))
    assert error is not None
    assert shown_by(error) == NOTHING
    assert world.trust().explain_handshake(error)[0] == "certificate-expired"


def shaken(world: World, version: ssl.TLSVersion) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Server and client after a handshake in memory."""
    left, right = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = world.trust().mta_context().wrap_bio(left, right, server_side=True)
    context = world.peer_context(world.pki.organisations.issue(THEIRS))
    context.maximum_version = version
    client = context.wrap_bio(right, left)
    for end in (client, server) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return server, client


@pytest.mark.parametrize("version", VERSIONS, ids=NAMES.values())
def test_after_the_handshake_nobody_listens(
    world: World, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of mail do not pass through Python, the certificate is not kept, and the connection works as before."""
    server, client = shaken(world, version)
    assert isinstance(server, AlertingObject)
    assert server.version() == NAMES[version]
    assert server.getpeercert(True)
    assert server._heard is None
    heard: list[object] = []
    monkeypatch.setattr(alert, "_overheard", lambda *words: heard.append(words))
    assert getattr(server.context, "_msg_callback", None) is None
    client.write(b"bonjour")
    assert server.read(100) == b"bonjour"
    server.write(b"250 2.0.0 pris")
    assert client.read(100) == b"250 2.0.0 pris"
    assert heard == []


def message(chain: list[bytes], *, tls13: bool) -> bytes:
    """A Certificate message."""
    entries = b"".join(len(der).to_bytes(3, "big") + der + (b"\0\0" if tls13 else b"") for der in chain)
    body = (b"\0" if tls13 else b"") + len(entries).to_bytes(3, "big") + entries
    return b"\x0b" + len(body).to_bytes(3, "big") + body


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_certificate_message_is_read_back(chain: list[bytes], tls13: bool) -> None:
    """In both forms; at most `MAX_LINKS` certificates."""
    assert certificates_of(message(chain, tls13=tls13), tls13=tls13) == tuple(chain[:MAX_LINKS])


@given(
    st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_a_damaged_message_raises_nothing_and_gives_nothing_longer(
    chain: list[bytes], tls13: bool, read_as: bool, data: st.DataObject
) -> None:
    """Cut, changed or read in the other form: whatever comes out was in it."""
    octets = bytearray(message(chain, tls13=tls13))
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    found = certificates_of(cut, tls13=read_as)
    assert all(der and der in cut for der in found)
    assert sum(map(len, found)) <= len(cut)


def test_a_message_over_the_bound_is_not_looked_at() -> None:
    """128 KiB, and nothing that is not such a message."""
    assert certificates_of(message([bytes(MAX_MESSAGE)], tls13=True), tls13=True) == ()
    assert certificates_of(b"", tls13=True) == ()
    assert certificates_of(b"\x0b" + bytes(7), tls13=False) == ()
    assert shown_by(ValueError()) == NOTHING == Shown()


def test_a_server_that_wants_no_certificate_is_noticed(world: World) -> None:
    """`asked` tells whether the other side wants to see ours."""
    for wants in (ssl.CERT_NONE, ssl.CERT_OPTIONAL):
        left, right = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = server_context(world, world.pki.organisations.issue(THEIRS))
        context.verify_mode = wants
        server = context.wrap_bio(left, right, server_side=True)
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ours.check_hostname = False
        ours.verify_mode = ssl.CERT_NONE
        overhear(ours)
        client = ours.wrap_bio(right, left)
        for end in (client, server) * 3:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
        assert isinstance(client, AlertingObject)
        assert client.asked == (wants is ssl.CERT_OPTIONAL)
