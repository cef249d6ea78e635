"""The ops door over real sockets: health, readiness, who may look, hostile requests (OPS-4)."""

import asyncio
import base64
import datetime
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mss_gateway.ops import http_auth, http_ready
from mss_gateway.ops.http_options import HttpLimits, Place
from mss_gateway.ports.store import StoreError, StoreFull
from mss_gateway.settings import Settings
from tests.support.letters import letter
from tests.support.ops import FAMILY, HELPED, TOKEN, OpsServed, ops_gateway

LIMITS = HttpLimits(idle_timeout=1.0)
SHORT = HttpLimits(request_timeout=2.0, idle_timeout=2.0)


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsServed]:
    """One gateway for the tests that change nothing."""
    with ops_gateway(tmp_path_factory.mktemp("ops"), limits=LIMITS) as served:
        yield served
        assert served.served.faults() == 0


def reset(ops: OpsServed) -> None:
    """Readiness is looked at anew."""
    kept = ops.served.parts.watch.readiness._kept
    kept._until = 0.0


@pytest.mark.req("OPS-4")
def test_health_and_readiness_by_curl_and_httpx(ops: OpsServed) -> None:
    """Nobody has to log in to be told, and every answer forbids what a page could be abused for."""
    said = ops.curl(f"{ops.url}/health")
    assert said.startswith("HTTP/1.1 200")
    assert said.endswith("alive\n")
    answer = ops.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})
    headers = answer.headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in headers
    assert ops.get("/").headers["location"] == "/status"


@pytest.mark.req("OPS-4")
def test_in_the_clear_the_same_without_the_promise_of_tls(ops: OpsServed) -> None:
    """For a Prometheus on this machine."""
    answer = httpx2.get(f"http://127.0.0.1:{ops.ports[1]}/ready", trust_env=False)
    assert answer.status_code == 200
    assert "strict-transport-security" not in answer.headers


@pytest.mark.req("OPS-4")
def test_who_may_look(tmp_path: Path) -> None:
    """The token as Basic password or Bearer; anything else is asked to log in, and told nothing."""
    with ops_gateway(tmp_path) as ops:
        for path in ("/status", "/metrics"):
            assert ops.get(path, auth=("anybody", TOKEN)).status_code == 200
            assert ops.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
            asked = ops.get(path)
            assert asked.status_code == 401
            assert asked.headers["www-authenticate"].startswith("Basic ")
        basic = base64.b64encode(b"ops:wrong").decode()
        for bad in ("Basic", "Basic %%%", f"Digest {TOKEN}", f"Basic {basic}", "Bearer é" + TOKEN):
            answer = ops.get("/status", headers={"authorization": bad.encode()})
            assert answer.status_code in (401, 429)
            assert "<html" not in answer.text


@pytest.mark.req("OPS-4", "ACC-3")
def test_a_guesser_is_slowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some failures even the right token has to wait."""
    # A wait that is not over before the next question comes, however busy the machine is.
    monkeypatch.setattr(http_auth, "SLOWDOWN", replace(http_auth.SLOWDOWN, first=300.0, most=300.0))
    with ops_gateway(tmp_path) as ops, ops.client() as client:
        codes = [client.get("/status", auth=("ops", f"guess-{turn}")).status_code for turn in range(6)]
        assert codes[0] == 401
        assert codes[-1] == 429
        shut = client.get("/status", auth=("ops", TOKEN))
        assert shut.status_code == 429
        assert int(shut.headers["retry-after"]) > 0
        assert client.get("/health").status_code == 200


@pytest.mark.req("OPS-4")
def test_a_new_token_holds_at_once_and_without_administrators_nobody_looks(tmp_path: Path) -> None:
    """The file is looked at for every login."""
    with ops_gateway(tmp_path) as ops:
        fresh = "un-autre-jeton-de-supervision-42"
        assert ops.options.token_file is not None
        ops.options.token_file.write_text(fresh, encoding="ascii")
        assert ops.get("/status", auth=("ops", fresh)).status_code == 200
        assert ops.admin("/status").status_code == 401
    (tmp_path / "closed").mkdir()
    with ops_gateway(tmp_path / "closed", token_file=None) as ops:
        assert ops.admin("/status").status_code == 403


@pytest.mark.req("OPS-4", "TRU-1")
def test_a_listed_certificate_opens_and_another_does_not(tmp_path: Path) -> None:
    """The DN decides; a certificate that is not good for anything ends the handshake."""
    from mss_gateway.trust.contexts import TlsFiles, own_certificate
    from mss_gateway.trust.dn import key_of, subject_attributes

    with ops_gateway(tmp_path) as first:
        app, other = first.served.handout.app, first.served.handout.operator
        revoked = first.served.handout.refused["revoked"]
    der = own_certificate(TlsFiles(Path(app.cert), Path(app.key))).public_bytes(serialization.Encoding.DER)
    key = key_of(subject_attributes(der))
    (tmp_path / "two").mkdir()
    with ops_gateway(tmp_path / "two", admin_dns=frozenset({key}), token_file=None) as ops:
        with ops.client(app) as client:
            assert client.get("/status").status_code == 200
        with ops.client(other) as client:
            assert client.get("/status").status_code == 401
        with ops.client(revoked) as client:
            assert client.get("/status").status_code == 401
        assert ops.get("/status").status_code == 401


@pytest.mark.req("OPS-4")
def test_figures_by_address(tmp_path: Path) -> None:
    """Addresses that are named read the figures, and still not the page."""
    import ipaddress

    with ops_gateway(tmp_path, metrics_from=(ipaddress.ip_network("127.0.0.0/8"),)) as ops:
        text = ops.get("/metrics")
        assert text.status_code == 200
        assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert ops.get("/status").status_code == 401
        families, helped = set(FAMILY.findall(text.text)), set(HELPED.findall(text.text))
        assert families == helped
        assert all(name.startswith("mss_") for name in families)


@pytest.mark.req("OPS-4")
def test_readiness_tells_why_not(ops: OpsServed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room, a store that cannot be written, an empty list, a certificate that has ended."""
    parts = ops.served.parts
    ready = parts.watch.readiness

    def why() -> list[str]:
        reset(ops)
        answer = ops.get("/ready")
        assert (answer.status_code == 503) == bool(answer.json()["reasons"])
        return list(answer.json()["reasons"])

    assert why() == []
    for trouble, slug in ((StoreFull("full"), "disk-full"), (StoreError("gone"), "store-not-writable")):

        async def broken(error: Exception = trouble) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(ready, "_probe", broken)
            assert why() == [slug]
    with monkeypatch.context() as patch:
        patch.setattr(ready, "_room", lambda: 1000)
        assert why() == ["disk-full"]
    with monkeypatch.context() as patch:
        patch.setattr(http_ready, "PATIENCE", 0.01)
        patch.setattr(ready, "_probe", lambda: asyncio.sleep(5))
        assert why() == ["store-slow"]
    status = ready._status()
    with monkeypatch.context() as patch:
        ended = {
            **status,
            "own": [{**status["own"][0], "valid_until": 1.0}],
            "list": {**status["list"], "domains": 0},
        }
        patch.setattr(ready, "_status", lambda: ended)
        assert why() == ["certificate-expired", "list-empty"]
    assert why() == []


@pytest.mark.req("OPS-4")
def test_a_full_store_is_not_ready_until_there_is_room(tmp_path: Path) -> None:
    """The probe is a real write, which changes nothing; it recovers by itself."""
    with ops_gateway(tmp_path) as ops:
        engine = ops.served.parts.store._engine

        def limit(pages: int) -> None:
            ops.served.call(
                engine.write(lambda writer: writer.db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
            )
            reset(ops)

        def frozen(writer: Any) -> None:
            """Use up every free page, so that the next write needs a new one."""
            while writer.db.execute("PRAGMA freelist_count").fetchone()[0]:
                writer.db.execute("INSERT INTO body_bytes (header) VALUES (zeroblob(4096))")

        ops.served.call(engine.write(frozen))
        before = ops.served.call(engine.read(lambda db: db.execute("PRAGMA user_version").fetchone()))
        limit(1)
        assert ops.get("/ready").json()["reasons"] == ["disk-full"]
        limit(4_000_000)
        assert ops.get("/ready").json()["reasons"] == []
        assert ops.served.call(engine.read(lambda db: db.execute("PRAGMA user_version").fetchone())) == before


@pytest.mark.req("OPS-4", "TRU-2")
def test_an_expired_certificate_of_ours_is_not_ready(tmp_path: Path) -> None:
    """The files are looked at, not only what was loaded at the start; a good pair mends it."""
    certificate, key = tmp_path / "mta.pem", tmp_path / "mta.key"

    def put(pair: tuple[bytes, bytes]) -> None:
        certificate.write_bytes(pair[0])
        key.write_bytes(pair[1])

    def moved(settings: Settings) -> Settings:
        put((settings.trust.certificate.read_bytes(), settings.trust.key.read_bytes()))
        return replace(settings, trust=replace(settings.trust, certificate=certificate, key=key))

    with ops_gateway(tmp_path, moved) as ops:
        assert ops.get("/ready").status_code == 200
        good = certificate.read_bytes(), key.read_bytes()
        put(self_signed(days=-1))
        reset(ops)
        assert ops.get("/ready").json()["reasons"] == ["certificate-expired"]
        assert "notre certificat a expiré" in ops.admin("/status").text
        put(good)
        reset(ops)
        assert ops.get("/ready").status_code == 200


@pytest.mark.req("OPS-4")
def test_a_store_whose_threads_have_ended_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a restart is the remedy, which is what a liveness probe asks for."""
    with ops_gateway(tmp_path) as ops, monkeypatch.context() as patch:
        patch.setattr(ops.served.parts.store._engine, "_threads", [threading.Thread()])
        assert ops.get("/health").status_code == 503


@pytest.mark.req("OPS-4")
def test_while_it_drains_it_says_so(tmp_path: Path) -> None:
    """The ops door is the last one to close: a load balancer sees 503 while a message still comes to its end."""
    with ops_gateway(tmp_path) as ops:
        served = ops.served
        account = served.account("PER")
        busy = served.submission(account)
        busy.envelope(account.address, account.address)
        busy.command("DATA")
        served.ask_to_stop()
        with ops.client() as client:
            limit = time.monotonic() + 60
            while (answer := client.get("/ready")).status_code == 200:
                assert time.monotonic() < limit
            assert answer.json()["reasons"] == ["draining"]
            assert client.get("/health").status_code == 200
        busy.send(letter(account.address, account.address) + b".\r\n")
        assert busy.reply().startswith("250")
        served.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ops.port))


@pytest.mark.req("OPS-4")
def test_a_new_certificate_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """The next connection gets it; one that does not fit its key leaves the old one in force."""
    with ops_gateway(tmp_path) as first:
        handout = first.served.handout
    pair = tmp_path / "own.pem", tmp_path / "own.key"
    pair[0].write_bytes(Path(handout.own.cert).read_bytes())
    pair[1].write_bytes(Path(handout.own.key).read_bytes())
    (tmp_path / "two").mkdir()
    with ops_gateway(tmp_path / "two", certificate=pair[0], key=pair[1]) as ops:
        before = shown(ops.port)
        other = self_signed()
        pair[0].write_bytes(other[0])
        assert shown(ops.port) == before  # not the pair of the key any more
        pair[1].write_bytes(other[1])
        after = x509.load_der_x509_certificate(shown(ops.port))
        assert after.subject.rfc4514_string() == "CN=nouveau.example"


def shown(port: int) -> bytes:
    """The certificate that the door shows."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


def self_signed(days: int = 1) -> tuple[bytes, bytes]:
    """A pair of another certificate, which ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nouveau.example")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(7)
        .not_valid_before(now - datetime.timedelta(9))
        .not_valid_after(now + datetime.timedelta(days))
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    return builder.sign(key, hashes.SHA256()).public_bytes(encoding), private


HOSTILE = [
    (b"\x16\x03\x01 nonsense\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no Host
    (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
    (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", b"431"),
    (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
    (b"GET /status.css/../status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
    (b"DELETE /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"405"),
    (b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
    (
        b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"4000\r\n"
        + b"x" * 0x4000
        + b"\r\n"
        + b"4000\r\n"
        + b"x" * 0x4000
        + b"\r\n0\r\n\r\n",
        b"413",
    ),
    (
        b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"400",
    ),
    (b"GET /status HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n", b"401"),
]


@pytest.mark.req("OPS-4")
@pytest.mark.parametrize(("octets", "code"), HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_hostile_requests_get_a_short_answer(ops: OpsServed, octets: bytes, code: bytes) -> None:
    """Neither a detail nor a fault."""
    answer = ops.raw(octets)
    if answer:
        # A header in pieces is cut off by the parser before it is whole.
        assert answer.split(b" ", 2)[1] in ({b"400", code} if code == b"431" else {code})
        assert b"Traceback" not in answer
    assert ops.get("/health").status_code == 200


@pytest.mark.req("OPS-4")
def test_a_slow_client_is_cut_off(tmp_path: Path) -> None:
    """A header that never ends, a body that never comes, TLS that is never spoken: each ends by itself."""
    with ops_gateway(tmp_path, limits=SHORT) as ops:
        assert ops.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n") == b""
        slow = b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab"
        assert ops.raw(slow, plain=False) == b""
        kept = ops.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.count(b"HTTP/1.1 200") == 1  # and then the end, since nothing more was asked
        assert ops.served.faults() == 0


@pytest.mark.req("OPS-4")
def test_more_connections_than_allowed_are_closed(tmp_path: Path) -> None:
    """The cap holds before TLS; what was counted in is counted out."""
    from mss_gateway.net.gate import GateOptions

    with ops_gateway(tmp_path, caps=GateOptions(5, 2)) as ops:
        held = [socket.create_connection(("127.0.0.1", ops.port)) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", ops.port)) as third:
            third.settimeout(60)
            assert third.recv(1) == b""
        for one in held:
            one.close()
        limit = time.monotonic() + 60
        figures = ""
        while 'mss_connections_open{door="http"} 1.0' not in figures:
            assert time.monotonic() < limit, figures
            with suppress(httpx2.TransportError):  # those that were held are not counted out yet
                figures = ops.admin("/metrics").text
        assert 'mss_connections_refused_total{door="http"} ' in figures


@pytest.mark.req("OPS-4")
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_nothing_leaks(tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Connections that end anywhere, in the handshake, the header or the answer, are counted out."""
    from mss_gateway.net.gate import GateOptions

    with ops_gateway(tmp_path, loop=loop, caps=GateOptions(200, 100)) as ops:
        for number in range(30):
            wire = socket.create_connection(("127.0.0.1", ops.ports[number % 2]))
            wire.sendall((b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03", b"GET / HT")[number % 3])
            if number % 4:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            wire.close()
        limit = time.monotonic() + 60
        while 'mss_connections_open{door="http"} 1.0' not in ops.admin("/metrics").text:
            assert time.monotonic() < limit
        assert 'mss_connections_total{door="http"} ' in ops.admin("/metrics").text
        assert ops.served.faults() == 0


@pytest.mark.req("OPS-4")
def test_a_socket_file(tmp_path: Path) -> None:
    """For a reverse proxy: made with narrow rights, a stale one is replaced, gone in the end."""
    path = tmp_path / "http.sock"
    with ops_gateway(tmp_path, places=(Place(path=path, secure=False),)) as ops:
        assert path.stat().st_mode & 0o777 == 0o660
        transport = httpx2.HTTPTransport(uds=str(path))
        with httpx2.Client(transport=transport, base_url="http://ops") as client:
            assert client.get("/ready").json()["ready"] is True
            assert client.get("/status").status_code == 401
            assert client.get("/status", auth=("x", TOKEN)).status_code == 200
        assert replace(ops.options.places[0], secure=True).secure
    assert not path.exists()
