"""Fetching from a publisher that is well behaved, absent, wrong or hostile (TRU-2, TRU-3)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust.fetch import Address, Fetched, Limits, Marks, address_of, fetch
from mss_gateway.trust.refusals import TrustProblem
from tests.support.pki import new_pki
from tests.support.publisher import (
    Answer,
    Publisher,
    body,
    cut,
    drip,
    drip_head,
    endless,
    publishing,
    raw,
    silent,
    unused_port,
)
from tests.support.trust import OURS, THEIRS, shared_pki

pytestmark = pytest.mark.req("TRU-3")
PATIENT = Limits(20.0, 100_000)
HASTY = Limits(0.4, 100_000)


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    """One HTTPS server for the module."""
    issued = shared_pki().organisations.issue(OURS)
    with publishing(issued, tmp_path_factory.mktemp("publisher")) as found:
        yield found


def get(url: str, limits: Limits = PATIENT, marks: Marks | None = None, *, plain: bool = False) -> Fetched:
    """Fetch with the shared hierarchy as the only trusted one."""
    return fetch(address_of(url, plain=plain), shared_pki().ca_pem.decode(), limits, marks)


def refusal(url: str, limits: Limits = PATIENT, *, plain: bool = False) -> TrustProblem:
    """Why it could not be fetched; the sentence always names the address."""
    with pytest.raises(TrustProblem) as refused:
        get(url, limits, plain=plain)
    assert url in refused.value.sentence
    return refused.value


def test_a_body_comes_whole_with_its_marks(publisher: Publisher) -> None:
    """Length, ETag and date."""
    data = bytes(range(256)) * 300
    url = publisher.put("/list.xml?v=1", body(data, etag='"a1"', modified="Sat, 21 Nov 2026 10:00:00 GMT"))
    found = get(url)
    assert found == Fetched(data, Marks('"a1"', "Sat, 21 Nov 2026 10:00:00 GMT"))


@pytest.mark.parametrize("marks", [Marks(etag='"a2"'), Marks(modified="Sat, 21 Nov 2026 10:00:00 GMT")])
def test_what_did_not_change_is_not_sent_again(publisher: Publisher, marks: Marks) -> None:
    """Either mark is enough for a 304, and without one the body comes."""
    url = publisher.put("/marked", body(b"<a/>", etag=marks.etag, modified=marks.modified))
    assert get(url, marks=marks).data is None
    assert get(url).data == b"<a/>"
    assert get(url, marks=Marks('"other"', "Fri, 20 Nov 2026 10:00:00 GMT")).data == b"<a/>"


def test_a_mark_that_is_no_mark_is_not_sent_back(publisher: Publisher) -> None:
    """A long or strange ETag is forgotten."""
    assert get(publisher.put("/long", body(b"x", etag="e" * 5000))).marks == Marks()
    assert get(publisher.put("/strange", body(b"x", etag='"\xe9"'))).marks == Marks()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (body(b"gone", status=404), "fetch-status"),
        (body(b"busy", status=503), "fetch-status"),
        (body(b"part", status=206), "fetch-status"),
        (body(b"", status=304), "fetch-status"),
        (body(b"", status=302, Location="https://localhost/else"), "fetch-redirected"),
        (body(b"", status=308, Location="http://localhost/else"), "fetch-redirected"),
        (body(b"x" * 100_001), "fetch-too-large"),
        (endless, "fetch-too-large"),
        (cut(b"<a>" * 100, 150), "fetch-cut"),
        (raw(b"SSH-2.0-what\r\n"), "fetch-answer"),
        (raw(b""), "fetch-refused"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), "fetch-answer"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"), "fetch-answer"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "fetch-answer"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab"), "fetch-answer"),
    ],
)
def test_a_wrong_answer_has_its_reason(publisher: Publisher, answer: Answer, reason: str) -> None:
    """Status, size, redirection, broken and strange HTTP."""
    assert refusal(publisher.put("/wrong", answer)).reason == reason
    assert publisher.asked[-1] == "/wrong"


@pytest.mark.parametrize("how", [drip, drip_head])
def test_a_drip_is_cut_at_the_deadline(publisher: Publisher, how: object) -> None:
    """Every octet comes in time, and the whole does not."""
    stop = threading.Event()
    try:
        url = publisher.put("/drip", how(stop, 0.02))  # type: ignore[operator]
        problem = refusal(url, HASTY)
    finally:
        stop.set()
    assert problem.reason == "fetch-timeout"
    assert "0.4 seconds" in problem.sentence


@pytest.mark.parametrize("plain", [True, False])
def test_a_silent_server_is_left_at_the_deadline(plain: bool) -> None:
    """In the TLS handshake and after the request."""
    with silent() as port:
        scheme = "http" if plain else "https"
        assert refusal(f"{scheme}://localhost:{port}/", HASTY, plain=plain).reason == "fetch-timeout"


def test_nobody_at_the_address(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such host, no such port."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert refusal(f"https://localhost:{unused_port()}/").reason == "fetch-refused"
    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # a resolver that is not there takes its time
    assert refusal("https://nobody.invalid/").reason == "fetch-address"


def test_the_server_must_be_the_one_named(tmp_path: Path) -> None:
    """Another host name, an IP address that is not in the certificate."""
    issued = shared_pki().organisations.issue(THEIRS, hosts=("publisher.exemple.fr",))
    with publishing(issued, tmp_path) as other:
        problem = refusal(other.put("/list.xml", body(b"x")))
        assert (problem.reason, other.asked) == ("fetch-tls", [])
        assert "not for localhost" in problem.sentence
        assert refusal(other.base.replace("localhost", "127.0.0.1") + "/").reason == "fetch-tls"


def test_the_servers_authority_must_be_configured(tmp_path: Path) -> None:
    """A certificate of another hierarchy, and one that has expired."""
    for issued in (
        new_pki(label="AUTRE").organisations.issue(OURS),
        shared_pki().organisations.expired(OURS),
    ):
        with publishing(issued, tmp_path) as other:
            problem = refusal(other.put("/list.xml", body(b"x")))
            assert (problem.reason, other.asked) == ("fetch-tls", [])
            assert "trust.fetch_ca" in problem.sentence


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_tls_and_old_tls_are_refused(tmp_path: Path) -> None:
    """https to a server of plain HTTP, and to one that stops at TLS 1.1."""
    with publishing(None, tmp_path) as other:
        assert refusal(other.base.replace("http:", "https:") + "/").reason == "fetch-tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*shared_pki().organisations.issue(OURS).write(tmp_path, "old"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with publishing(None, tmp_path, context=context) as old:
        assert refusal(old.base + "/").reason == "fetch-tls"


@pytest.mark.req("TRU-2")
def test_plain_http_is_for_crls_alone(tmp_path: Path) -> None:
    """A CRL is signed and published so; the list is not fetched without TLS."""
    with publishing(None, tmp_path) as plain:
        url = plain.put("/ca.crl", body(b"x"))
        assert get(url, plain=True).data == b"x"
        assert refusal(url).reason == "fetch-address"


HEADS = st.sampled_from(
    [
        b"Content-Length: 5",
        b"Content-Length: -1",
        b"Content-Length: " + b"9" * 40,
        b"Content-Length: x",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Encoding: gzip",
        b"Location: https://localhost/",
        b"ETag: \xff",
        b" folded",
        b": nothing",
        b"",
        b"\0",
    ]
)
STATUS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200",
        b"HTTP/1.1 100 Continue",
        b"HTTP/2 200",
        b"HTTP/1.1 20x",
        b"HTTP/1.1 -1 x",
    ]
)


@settings(max_examples=120, deadline=None)
@given(
    STATUS,
    st.lists(HEADS, max_size=4),
    st.one_of(st.binary(max_size=40), st.just(b"5\r\nhello\r\n0\r\n\r\n")),
)
def test_whatever_a_server_says_only_a_trust_problem_is_raised(
    publisher: Publisher, status: bytes, heads: list[bytes], rest: bytes
) -> None:
    """Broken heads, lengths, chunks and bodies: octets come, or the one exception that is expected."""
    url = publisher.put("/any", raw(b"\r\n".join([status, *heads, b"", rest])))
    with contextlib.suppress(TrustProblem):
        assert get(url).data is not None


def test_no_proxy_is_taken_from_the_environment(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says of proxies does not count."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    assert get(publisher.put("/direct", body(b"x"))).data == b"x"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost/list.xml",
        "ftp://localhost/list.xml",
        "file:///etc/passwd",
        "https:///list.xml",
        "https://user:secret@localhost/",
        "https://localhost:99999/",
        "https://localhost:x/",
        "https://[::1/",
        "https://localhost/a b",
        "https://localhost/a\r\nX: y",
        "https://hôpital.fr/",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Before anything is looked up."""
    with pytest.raises(TrustProblem) as refused:
        address_of(url, plain=True)
    assert refused.value.reason == "fetch-address"
    assert "secret" not in refused.value.sentence


def test_authorities_that_are_none_are_named(publisher: Publisher) -> None:
    """A file of trust.fetch_ca that holds no certificate."""
    for text in ("", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(TrustProblem) as refused:
            fetch(address_of(publisher.base, plain=False), text, PATIENT)
        assert refused.value.reason == "fetch-ca"


def test_an_address_is_taken_apart() -> None:
    """Ports by default, IPv6, a query, no path."""
    assert address_of("https://a.fr", plain=False) == Address("https://a.fr", True, "a.fr", 443, "/")
    found = address_of("http://[::1]:8080/crl?x=1#part", plain=True)
    assert (found.secure, found.host, found.port, found.target) == (False, "::1", 8080, "/crl?x=1")
