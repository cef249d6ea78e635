"""A server whose certificate we refuse is told why, in its own TLS library (TRU-1, TRU-5)."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from mss_gateway.ports.relay import Fate
from tests.support.pki import Issued, Pki, new_pki
from tests.support.relay import courier, letter, options, server_context
from tests.support.trust import THEIRS, World

ROWS: list[tuple[str, Callable[[Pki], Issued], str]] = [
    ("certificate-expired", lambda pki: pki.organisations.expired(THEIRS), "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    (
        "issuer-unknown",
        lambda pki: new_pki(label="AUTRE").organisations.issue(THEIRS),
        "TLSV1_ALERT_UNKNOWN_CA",
    ),
]


@pytest.mark.req("TRU-5", "TRU-6")
@pytest.mark.parametrize(("reason", "make", "alert"), ROWS, ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_server_that_we_refuse_gets_our_alert(
    tmp_path: Path,
    reason: str,
    make: Callable[[Pki], Issued],
    alert: str,
    version: ssl.TLSVersion,
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """In both versions, on both loops, instead of a reset."""
    world = World(tmp_path)
    context = server_context(world, make(world.pki))
    context.maximum_version = version
    listening = socket.create_server(("127.0.0.1", 0))
    heard: list[str] = []

    def serve() -> None:
        plain, _ = listening.accept()
        with plain:
            for answer in (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"):
                plain.sendall(answer)
                if not answer.startswith(b"220 go"):
                    plain.recv(1000)
            try:
                context.wrap_socket(plain, server_side=True).close()
            except ssl.SSLError as error:
                heard.append(error.reason or "")
            except OSError as error:
                heard.append(type(error).__name__)

    async def run() -> None:
        async with courier(world, options(listening.getsockname()[1])) as ours:
            (outcome,) = await ours.deliver(letter())
            assert (outcome.fate, outcome.reason) == (Fate.TRY_LATER, reason)
            assert "its certificate" in outcome.text

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening, asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())
        thread.join(30.0)
    assert heard == [alert]
