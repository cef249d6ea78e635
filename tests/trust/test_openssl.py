"""The same judged by a program that is not ours: openssl as verifier and as client (TRU-2, TRU-6)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from mss_gateway.base.errors import Refuse
from mss_gateway.net.listener import Listener, ListenerOptions
from mss_gateway.net.stream import Stream
from mss_gateway.trust.guard import Trust
from tests.support.foreign import require_program
from tests.support.pki import SERVER_ONLY, Issued
from tests.support.trust import THEIRS, World

pytestmark = [pytest.mark.foreign, pytest.mark.req("TRU-2", "TRU-6")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


def verified(world: World, issued: Issued) -> str:
    """What `openssl verify` says of a client certificate with both CRLs."""
    cert, _ = issued.write(world.folder / "peers", "leaf")
    command = [require_program("openssl"), "verify", "-crl_check_all", "-purpose", "sslclient"]
    command += [
        "-CAfile",
        str(world.folder / "ca.pem"),
        "-CRLfile",
        str(world.folder / "crls.pem"),
        str(cert),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    return ran.stdout + ran.stderr


def test_openssl_judges_the_test_certificates_as_their_names_say(world: World) -> None:
    """The throw-away PKI is a real one: an independent verifier agrees on each leaf."""
    organisations = world.pki.organisations
    revoked = organisations.issue(THEIRS)
    world.put_crls([revoked])
    assert ": OK" in verified(world, organisations.issue(THEIRS, key="rsa"))
    assert "certificate has expired" in verified(world, organisations.expired(THEIRS))
    assert "not yet valid" in verified(world, organisations.not_yet_valid(THEIRS))
    assert "certificate revoked" in verified(world, revoked)
    assert "purpose" in verified(world, organisations.issue(THEIRS, usages=SERVER_ONLY))


async def visited(world: World, trust: Trust, issued: Issued | None, *extra: str) -> tuple[str, list[str]]:
    """What `openssl s_client` prints against our context, and how each of its connections was judged."""
    judged: list[str] = []

    async def serve(stream: Stream) -> None:
        stream.write(b"220 mx\r\n")
        await stream.read(60.0)
        stream.write(b"250-mx\r\n250 STARTTLS\r\n")
        await stream.read(60.0)
        stream.write(b"220 go\r\n")
        with contextlib.suppress(ssl.SSLError):
            await stream.start_tls(trust.mta_context(), 60.0)
            assert stream.tls is not None
            peer = trust.identify(stream.tls.peer) if stream.tls.peer else None
            judged.append(peer.reason if isinstance(peer, Refuse) else "in" if peer else "nobody")
            await stream.read(60.0)

    async with asyncio.TaskGroup() as group:
        listener = Listener(ListenerOptions("mta", "127.0.0.1", 0), serve, group)
        port = await listener.open()
        command = [require_program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}"]
        command += ["-starttls", "smtp", "-ign_eof", "-CAfile", str(world.folder / "ca.pem"), *extra]
        if issued is not None:
            cert, key = issued.write(world.folder / "peers", "leaf")
            command += ["-cert", str(cert), "-cert_chain", str(cert), "-key", str(key)]
        client = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(client.communicate(b"x"), 90)
        await listener.drain(5.0)
    return output.decode("utf-8", "replace"), judged


@pytest.mark.req("TRU-1")
@pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_s_client_is_told_by_its_alert(
    world: World, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """A listed operator is in; each bad certificate gets the alert of its kind, and never reaches the dialogue."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(alerts(world))


async def alerts(world: World) -> None:
    """The visits of the test above."""
    organisations = world.pki.organisations
    good, revoked = organisations.issue(THEIRS), organisations.issue(THEIRS)
    world.put_crls([revoked])
    trust = world.trust()
    output, judged = await visited(world, trust, good)
    assert "Verify return code: 0 (ok)" in output
    assert judged == ["in"]
    for issued, alert in (
        (revoked, "certificate revoked"),
        (organisations.expired(THEIRS), "certificate expired"),
        (organisations.issue(THEIRS, usages=SERVER_ONLY), "unsupported certificate"),
    ):
        output, judged = await visited(world, trust, issued)
        assert alert in output
        assert judged == []
    assert (await visited(world, trust, None))[1] == ["nobody"]


async def test_s_client_that_reconnects_is_judged_each_time(world: World) -> None:
    """`-reconnect` asks for resumption five times: TLS 1.3 never resumes, and every connection is judged."""
    issued = world.pki.organisations.issue(THEIRS)
    _, judged = await visited(world, world.trust(), issued, "-reconnect", "-tls1_3")
    assert set(judged) == {"in"}
    _, judged = await visited(world, world.trust(), issued, "-reconnect", "-tls1_2")
    assert len(judged) > 1
    assert all(verdict.endswith("in") for verdict in judged)
