"""`trust explain host:port`: what the queue would say of this server, whatever the server is (TRU-5, TRU-8)."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust.explain_host import judge, look
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.judgement import Explanation, Step, Verdict
from mss_gateway.trust.probe import Place, ProbeOptions
from tests.support.pki import CLIENT_ONLY, Issued, Pki, Subject, new_pki, self_signed
from tests.support.ports import free_ports
from tests.support.relay import (
    LOCAL,
    Neighbour,
    Script,
    courier,
    letter,
    neighbour,
    options,
    scripted,
    server_context,
)
from tests.support.trust import FOREIGN, OURS, THEIRS, World

Make = Callable[[Pki], Issued]
Play = Callable[[Script], Awaitable[None]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


async def looked(trust: Trust, port: int, domain: str | None = FOREIGN, **more: object) -> Explanation:
    """One look at a server on loopback."""
    chosen = ProbeOptions("mx.clinique-exemple.mssante.fr", **more)  # type: ignore[arg-type]
    place = Place(LOCAL, LOCAL, port)
    found = judge(trust, place, await asyncio.to_thread(look, trust, place, chosen), domain)
    for one in found.steps:
        assert bool(one.reason) == (one.verdict is Verdict.FAIL)
    return found


def step(found: Explanation, name: str) -> Step:
    """One step by its name."""
    return next(one for one in found.steps if one.name == name)


async def as_the_queue_says(world: World, port: int, found: Explanation) -> str:
    """Deliver a letter to the same server: reason, status and text are those of the explanation; returns the reason."""
    async with courier(world, options(port)) as relay:
        (outcome,) = await relay.deliver(letter())
    (meeting,) = found.meetings
    assert (meeting.reason, meeting.told) == (outcome.reason, f"{outcome.status} {outcome.text}")
    return outcome.reason


@pytest.mark.req("TRU-8", "TRU-5")
async def test_a_good_server_passes_every_step(world: World) -> None:
    """With version, suite, keywords, the chain it sent, its verdict on ours, and the time of each phase."""
    async with neighbour(world, Neighbour()) as port:
        found = await looked(world.trust(), port)
    assert found.accepted
    assert {one.verdict for one in found.steps} == {Verdict.PASS}
    names = [one.name for one in found.steps]
    phases = ["connection", "greeting", "EHLO", "STARTTLS", "TLS", "our certificate", "EHLO under TLS"]
    assert names[:7] == phases
    for name in phases[:6]:
        assert step(found, name).evidence[-1].endswith("ms")
    assert step(found, "greeting").evidence[0].startswith("220 mx.voisin")
    assert "STARTTLS" in step(found, "EHLO").evidence[0]
    assert step(found, "TLS").evidence[:2] == ("TLSv1.3 with TLS_AES_256_GCM_SHA384", "2 certificates shown")
    assert "accepted it" in step(found, "our certificate").evidence[0]
    assert "8BITMIME" in step(found, "EHLO under TLS").evidence[0]


@contextmanager
def telling(context: ssl.SSLContext) -> Iterator[int]:
    """A server whose alerts reach the client, which asyncio's do not; gives its port."""

    def serve(connection: socket.socket) -> None:
        connection.settimeout(30)
        for reply in (b"220 mx.test\r\n", b"250-mx.test\r\n250 STARTTLS\r\n", b"220 go\r\n"):
            connection.sendall(reply)
            if not reply.endswith(b"go\r\n"):
                connection.recv(1000)
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
            try:
                tls.do_handshake()
            except ssl.SSLError:
                # Closed at once, with a word of the client's unread, the alert would be lost behind a reset.
                tls.shutdown(socket.SHUT_WR)
                while tls.recv(4096):
                    pass
                raise
            tls.recv(1000)
            tls.sendall(b"250 mx.test\r\n")
            tls.recv(1000)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                serve(connection)

    with socket.create_server((LOCAL, 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(60)


ROWS: list[tuple[str, Make, str]] = [
    ("expired", lambda pki: pki.organisations.expired(THEIRS), "certificate-expired"),
    ("not-yet-valid", lambda pki: pki.organisations.not_yet_valid(THEIRS), "certificate-not-yet-valid"),
    ("other-ca", lambda pki: new_pki(label="AUTRE").organisations.issue(THEIRS), "issuer-unknown"),
    ("self-signed", lambda pki: self_signed(THEIRS), "self-signed"),
    ("client-only", lambda pki: pki.organisations.issue(THEIRS, usages=CLIENT_ONLY), "wrong-usage"),
    ("not-listed", lambda pki: pki.organisations.issue(Subject("mx.autre.fr")), "dn-not-listed"),
    ("listed-for-another", lambda pki: pki.organisations.issue(OURS), "dn-not-listed"),
]


@pytest.mark.req("TRU-8", "TRU-5", "TRU-6")
@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_a_bad_certificate_is_seen_judged_and_told_as_the_queue_tells_it(
    world: World, make: Make, reason: str
) -> None:
    """The look gets behind the handshake that the relay breaks off, and says word for word what the relay says."""
    async with neighbour(world, Neighbour(), issued=make(world.pki)) as port:
        found = await looked(world.trust(), port)
        assert not found.accepted
        assert await as_the_queue_says(world, port, found) == reason
    assert step(found, "TLS").verdict is Verdict.PASS
    assert step(found, "name").evidence[0].startswith("CN = ")
    assert reason in {one.reason for one in found.steps}


@pytest.mark.req("TRU-8", "TRU-5", "TRU-6")
async def test_a_revoked_server_is_told_as_the_queue_tells_it(world: World) -> None:
    """Revocation is ours to judge, in the handshake of the relay."""
    issued = world.pki.organisations.issue(THEIRS)
    world.put_crls([issued])
    async with neighbour(world, Neighbour(), issued=issued) as port:
        found = await looked(world.trust(), port)
        assert await as_the_queue_says(world, port, found) == "certificate-revoked"


@pytest.mark.req("TRU-8", "TRU-5")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_does_not_want_ours_is_told_apart(world: World, version: ssl.TLSVersion) -> None:
    """In TLS 1.3 its verdict comes with the first read; its own certificate is judged all the same."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*world.pki.organisations.issue(THEIRS).write(world.folder, "server"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=new_pki(label="AUTRE").ca_pem.decode())
    context.minimum_version = context.maximum_version = version

    with telling(context) as port:
        found = await looked(world.trust(), port)
        assert await as_the_queue_says(world, port, found) == "issuer-unknown"
    told = step(found, "our certificate")
    assert (told.verdict, told.reason) == (Verdict.FAIL, "issuer-unknown")
    assert "its verdict on ours" in told.evidence[0]
    assert step(found, "chain").verdict is Verdict.PASS
    assert step(found, "domain").verdict is Verdict.PASS


@pytest.mark.req("TRU-8")
async def test_a_server_that_does_not_ask_for_ours_is_a_doubt(world: World) -> None:
    """Letters go there, but it lets everybody in."""
    context = server_context(world, certificate=False)

    async def play(script: Script) -> None:
        await script.welcome(context=context)
        await script.hear("QUIT")

    async with scripted(world, play) as served:
        found = await looked(world.trust(), served.port)
    assert found.accepted
    assert step(found, "our certificate").verdict is Verdict.DOUBT


def saying(*lines: str) -> Play:
    """A server that says this and waits for a word."""

    async def play(script: Script) -> None:
        await script.say(*lines)
        await script.reader.readline()

    return play


async def no_starttls(script: Script) -> None:
    """A server without TLS."""
    await script.say("220 mx.test")
    await script.hear("EHLO")
    await script.say("250-mx.test", "250 SIZE 10000000")
    await script.reader.readline()


async def no_ehlo(script: Script) -> None:
    """A server of 1982."""
    await script.say("220 mx.test")
    await script.hear("EHLO")
    await script.say("502 5.5.1 what?")
    await script.reader.readline()


async def starttls_refused(script: Script) -> None:
    """A server that does not want TLS now."""
    await script.say("220 mx.test")
    await script.hear("EHLO")
    await script.say("250-mx.test", "250 STARTTLS")
    await script.hear("STARTTLS")
    await script.say("454 4.7.0 TLS not available for 285037728417346")
    await script.reader.readline()


async def hung_up(script: Script) -> None:
    """A server that closes where TLS should begin."""
    await script.say("220 mx.test")
    await script.hear("EHLO")
    await script.say("250-mx.test", "250 STARTTLS")
    await script.hear("STARTTLS")
    await script.say("220 go")


async def not_tls(script: Script) -> None:
    """A server that goes on in the clear."""
    await hung_up(script)
    await script.reader.read(10)
    await script.say("250-what?", "250 no")
    await script.reader.read(1000)


async def said_before_tls(script: Script) -> None:
    """Words in the clear behind the 220 are an injection."""
    await script.say("220 mx.test")
    await script.hear("EHLO")
    await script.say("250-mx.test", "250 STARTTLS")
    await script.hear("STARTTLS")
    await script.say("220 go", "250-mx.test", "250 AUTH PLAIN")
    await script.reader.read(1000)


UNWILLING: list[tuple[str, Play, str, str]] = [
    ("no-starttls", no_starttls, "STARTTLS", "no-starttls"),
    ("greeting-554", saying("554 5.7.1 no"), "greeting", "peer-refused"),
    ("greeting-421", saying("421 4.3.2 later"), "greeting", "peer-temporary"),
    ("garbage", saying("HTTP/1.1 400 Bad Request"), "greeting", "peer-broke-protocol"),
    ("closed", lambda script: asyncio.sleep(0), "greeting", "lost"),
    ("no-ehlo", no_ehlo, "EHLO", "no-starttls"),
    ("starttls-454", starttls_refused, "STARTTLS", "starttls-refused"),
    ("hung-up", hung_up, "TLS", "tls-aborted"),
    ("not-tls", not_tls, "TLS", "tls-version"),
    ("injection", said_before_tls, "STARTTLS", "peer-broke-protocol"),
]


@pytest.mark.req("TRU-8", "TRU-5")
@pytest.mark.parametrize(
    ("play", "phase", "reason"), [row[1:] for row in UNWILLING], ids=[row[0] for row in UNWILLING]
)
async def test_where_it_ends_is_where_the_relay_ends(
    world: World, play: Play, phase: str, reason: str
) -> None:
    """The phase that failed, the slug and the words of the queue, a remedy; later phases are not reached."""
    async with scripted(world, play) as served:
        found = await looked(world.trust(), served.port)
        assert await as_the_queue_says(world, served.port, found) == reason
    bad = [one for one in found.steps if one.verdict is Verdict.FAIL]
    assert [(one.name, one.reason) for one in bad] == [(phase, reason)]
    assert "285037728417346" not in str(found)
    last = found.steps.index(bad[0])
    assert {one.verdict for one in found.steps[:last]} <= {Verdict.PASS}
    assert {one.verdict for one in found.steps[last + 1 :]} <= {Verdict.NOT_REACHED}


@pytest.mark.req("TRU-8", "TRU-1")
async def test_a_server_of_old_tls_fails_and_its_certificate_is_seen_all_the_same(world: World) -> None:
    """A second look with the door wide open shows what there is to renew besides."""
    context = server_context(world, world.pki.organisations.expired(THEIRS))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    with telling(context) as port:
        found = await looked(world.trust(), port)
        assert await as_the_queue_says(world, port, found) == "tls-version"
    assert step(found, "TLS").reason == "tls-version"
    assert step(found, "dates").reason == "certificate-expired"


@pytest.mark.req("TRU-8")
async def test_a_silent_server_and_a_dripping_one_cost_their_deadline_and_no_more(world: World) -> None:
    """However the octets are spread, a phase ends."""

    async def drip(script: Script) -> None:
        while True:
            script.writer.write(b"2")
            await script.writer.drain()
            await asyncio.sleep(0.02)

    async def silent(script: Script) -> None:
        await script.reader.readline()

    for play in (drip, silent):
        async with scripted(world, play) as served:
            found = await looked(world.trust(), served.port, phase=0.4)
        assert found.meetings[0].reason == "timeout"


@pytest.mark.req("TRU-8")
async def test_nobody_listens_and_a_port_of_tls_from_the_start(world: World) -> None:
    """The two ends: no connection at all, and no STARTTLS needed."""
    (port,) = free_ports(1)
    found = await looked(world.trust(), port)
    assert await as_the_queue_says(world, port, found) == "connect-refused"
    context = server_context(world)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.test\r\n")
        await reader.readline()
        writer.write(b"250-mx.test\r\n250 8BITMIME\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(serve, LOCAL, 0, ssl=context)
    async with server:
        found = await looked(world.trust(), server.sockets[0].getsockname()[1], implicit_tls=True)
    assert found.accepted
    assert [one.name for one in found.steps][:4] == ["connection", "TLS", "our certificate", "EHLO under TLS"]


@pytest.mark.req("TRU-8")
@given(
    octets=st.lists(
        st.binary(max_size=200) | st.sampled_from([b"220 x\r\n", b"250 STARTTLS\r\n"]), max_size=6
    )
)
@settings(max_examples=25, deadline=None)
def test_whatever_a_server_says_nothing_is_raised(octets: list[bytes], hostile: Trust) -> None:
    """Random words in random pieces, then the end."""
    with socket.create_server((LOCAL, 0)) as listening:

        def serve() -> None:
            for _ in range(2):  # a failed handshake is looked at twice
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        for piece in octets:
                            connection.sendall(piece)
                            connection.recv(4096)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        place = Place(LOCAL, LOCAL, listening.getsockname()[1])
        found = judge(hostile, place, look(hostile, place, ProbeOptions("mx.test", phase=0.3)), FOREIGN)
        listening.shutdown(socket.SHUT_RDWR)
    assert not found.accepted
    assert found.meetings[0].reason


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """A trust space that nobody changes."""
    return World(tmp_path_factory.mktemp("hostile")).trust()
