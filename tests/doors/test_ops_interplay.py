"""The ops door beside the mail: hostile crowds, stopping, and what neither door may do to the other (OPS-4, ACC-3)."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.net.gate import GateOptions
from mss_gateway.ops import http_auth
from mss_gateway.ops.http_options import HttpLimits
from tests.support.letters import letter
from tests.support.ops import TOKEN, OpsServed, ops_gateway

BASIC = "Basic " + base64.b64encode(f"ops:{TOKEN}".encode()).decode()
OPEN = 'mss_connections_open{door="http"} '


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsServed]:
    """A gateway with an ops door that waits some seconds."""
    limits = HttpLimits(request_timeout=3.0, idle_timeout=1.0)
    with ops_gateway(tmp_path_factory.mktemp("ops"), limits=limits, caps=GateOptions(60, 50)) as served:
        yield served
        assert served.served.faults() == 0


@pytest.mark.req("OPS-4")
@pytest.mark.parametrize("path", ["/status/", "/mail/config-v1.1.xml/", "/autodiscover/autodiscover.xml/"])
def test_nobody_is_led_to_a_host_of_the_clients_choice(ops: OpsServed, path: str) -> None:
    """A slash too many is a path that there is not: a redirect would name the Host of the request."""
    for verb in ("GET", "POST"):
        request = f"{verb} {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        answer = ops.raw(request.encode())
        assert answer.split(b" ", 2)[1] == b"404"
        assert b"evil.example" not in answer


@pytest.mark.req("OPS-4")
def test_two_lengths_of_one_body_are_refused(ops: OpsServed) -> None:
    """RFC 9112 section 6.1: a second request in the body, for whom a proxy in front believes the other length."""
    smuggled = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = ops.raw(
        b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n%b" % (5 + len(smuggled), smuggled)
    )
    assert answer.split(b" ", 2)[1] == b"400"
    assert b"alive" not in answer


@pytest.mark.req("OPS-4")
@pytest.mark.parametrize("keep", ["close", "keep-alive"])
def test_who_does_not_read_the_answer_is_cut_off(
    ops: OpsServed, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    """In the clear too, where no end of TLS would do it; then the connection is counted out."""
    figures = ops.served.parts.log.figures
    render, long = figures.render, [b"x" * 20_000_000]
    monkeypatch.setattr(figures, "render", lambda gauges: long.pop() if long else render(gauges))
    request = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\nConnection: {keep}\r\n\r\n"
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        wire.connect(("127.0.0.1", ops.ports[1]))
        wire.sendall(request.encode())
        limit = time.monotonic() + 60
        while long or OPEN + "1.0" not in ops.admin("/metrics").text:  # there is only who asks
            assert time.monotonic() < limit
        wire.settimeout(60.0)
        got = 0
        try:
            while data := wire.recv(1 << 20):
                got += len(data)
        except ConnectionResetError:
            pass
        assert 10_000 < got < 20_000_000


@pytest.mark.req("OPS-4")
def test_a_thousand_idle_connections_do_not_stop_the_mail(ops: OpsServed) -> None:
    """Over the cap they are closed before TLS; mail is taken meanwhile, and the door opens again when they are gone."""
    account = ops.served.account("PER")
    with ExitStack() as held:
        for _ in range(1000):
            wire = held.enter_context(socket.socket())
            wire.setblocking(False)
            wire.connect_ex(("127.0.0.1", ops.port))
        mail = ops.served.submission(account)
        body = letter(account.address, account.address)
        assert mail.deliver(account.address, account.address, body).startswith("250")
        imap = ops.served.imap(account)
        imap.ok("SELECT INBOX")
    limit = time.monotonic() + 60
    while True:
        try:
            text = ops.admin("/metrics").text
        except Exception:
            assert time.monotonic() < limit
            continue
        if OPEN + "1.0" in text:
            break
        assert time.monotonic() < limit


@pytest.mark.req("OPS-4")
def test_a_request_under_way_is_answered_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway stops: who has asked gets the whole answer, who is idle is let go."""
    with ops_gateway(tmp_path) as ops:
        _stopped_while_asked(ops, monkeypatch)


def _stopped_while_asked(ops: OpsServed, monkeypatch: pytest.MonkeyPatch) -> None:
    began, free = threading.Event(), threading.Event()
    readiness = type(ops.served.parts.watch.readiness)

    async def slow(self: Any) -> list[str]:
        began.set()
        await asyncio.to_thread(free.wait, 60)
        return ["draining"]

    monkeypatch.setattr(readiness, "reasons", slow)
    idle = socket.create_connection(("127.0.0.1", ops.ports[1]))
    told: list[int] = []
    asking = threading.Thread(target=lambda: told.append(ops.get("/ready").status_code))
    asking.start()
    assert began.wait(60)
    ops.served.ask_to_stop()
    time.sleep(0.2)
    free.set()
    asking.join(60)
    ops.served.stop()
    assert told == [503]
    idle.settimeout(60)
    assert idle.recv(1) == b""
    idle.close()


@pytest.mark.req("ACC-3", "OPS-4")
def test_failures_are_shared_by_the_mail_doors_and_kept_from_the_ops_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guesses over SMTP slow IMAP; they keep no administrator out, who sees them, and guesses there slow no mail."""
    # Waits that are not over before the next question comes, however busy the machine is.
    monkeypatch.setattr(http_auth, "SLOWDOWN", replace(http_auth.SLOWDOWN, first=300.0, most=300.0))
    with ops_gateway(tmp_path) as ops:
        pairs = ops.served.parts.login._accounts._locks._pairs
        pairs.options = replace(pairs.options, first=300.0)
        _guessed_at_both(ops)


def _guessed_at_both(ops: OpsServed) -> None:
    account = ops.served.account("PER")
    smtp = ops.served.submission()
    for _ in range(2):
        for _ in range(3):
            said = smtp.auth_plain(account.login, "faux")
        smtp = ops.served.submission()
    assert said.startswith(("454", "421")), said
    assert b"[UNAVAILABLE]" in ops.served.imap().ending(f"LOGIN {account.login} {account.password}")
    assert ops.admin("/status").status_code == 200
    locks = ops.served.call(ops.served.parts.operations["login.locks"]({}))["locks"]
    assert any(one["login"] == account.login and one["wait_seconds"] for one in locks)
    with ops.client() as client:
        for _ in range(6):
            client.get("/status", auth=("ops", "faux"))
        assert client.get("/status", auth=("ops", TOKEN)).status_code == 429
    ops.served.call(ops.served.parts.operations["login.unlock"]({"who": account.login, "actor": "cli:test"}))
    ops.served.imap(account).close()
