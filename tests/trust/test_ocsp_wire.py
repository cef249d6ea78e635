"""HTTP as responders speak it, and as they must not (RFC 6960 appendix A.1)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust.ocsp_question import Unanswered
from mss_gateway.trust.ocsp_wire import MAX_ANSWER, MAX_HEADER, Wire, read_body, responder_at
from tests.support.ports import free_ports

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n"


def body_of(octets: bytes) -> bytes:
    """What is read from a connection that brings these octets and ends."""

    async def read() -> bytes:
        reader = asyncio.StreamReader(limit=MAX_HEADER)
        reader.feed_data(octets)
        reader.feed_eof()
        return await read_body(reader)

    return asyncio.run(read())


@pytest.mark.parametrize(
    "octets",
    [
        HEAD + b"Content-Length: 5\r\n\r\nhello, and more",
        HEAD + b"\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        HEAD.replace(b"response", b"response; charset=x").replace(b"1.1", b"1.0") + b"\r\nhello",
        HEAD.replace(b" OK", b"") + b"CONTENT-length:5\r\n\r\nhello",
    ],
    ids=["length", "to-the-end", "chunked", "parameters", "bare"],
)
def test_every_way_to_send_a_body_is_understood(octets: bytes) -> None:
    """By length, in chunks, or to the end of the connection."""
    assert body_of(octets) == b"hello"


@pytest.mark.parametrize(
    "octets",
    [
        HEAD + b"Content-Length: -5\r\n\r\nhello",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\nhello",
        HEAD + b"Content-Length: %d\r\n\r\nhello" % (MAX_ANSWER + 1),
        HEAD + b"\r\n" + b"x" * (MAX_ANSWER + 1),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n%s\r\n" % (b"x" * 0x8000) * 3,
        HEAD.replace(b"200", b"301") + b"\r\n",
        HEAD.replace(b"ocsp", b"x") + b"\r\nhello",
        b"\r\n\r\n",
    ],
)
def test_a_malformed_or_huge_answer_is_none(octets: bytes) -> None:
    """Nothing more is read of it."""
    with pytest.raises(Unanswered):
        body_of(octets)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(lambda rest: HEAD + rest)))
@settings(max_examples=150)
def test_any_octets_end_in_a_body_or_none(octets: bytes) -> None:
    """Only what `Wire.ask` expects is raised."""
    with contextlib.suppress(Unanswered, EOFError, asyncio.LimitOverrunError):
        assert len(body_of(octets)) <= MAX_ANSWER


@given(st.text(max_size=60).map(lambda rest: "http://" + rest) | st.text(max_size=60))
def test_any_text_is_an_address_or_none(url: str) -> None:
    """What is sent in the request never holds a space or a line end."""
    try:
        found = responder_at(url)
    except Unanswered:
        return
    assert found.host
    assert 0 < found.port < 65536
    assert (found.authority + found.target).isascii()
    assert not set(found.authority + found.target) & set(" \r\n\t")


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "target"),
    [
        ("http://ocsp.exemple.fr", "ocsp.exemple.fr", 80, "ocsp.exemple.fr", "/"),
        ("HTTP://OCSP.exemple.fr:8080/a/b?c", "ocsp.exemple.fr", 8080, "OCSP.exemple.fr:8080", "/a/b?c"),
        ("http://[::1]:81/", "::1", 81, "[::1]:81", "/"),
    ],
)
def test_an_address_is_read(url: str, host: str, port: int, authority: str, target: str) -> None:
    """Host, port and target."""
    found = responder_at(url)
    assert (found.host, found.port, found.authority, found.target) == (host, port, authority, target)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "https://a.fr/",
            "ftp://a.fr/",
            "http://",
            "http://a.fr:0/",
            "http://a.fr:99999/",
            "http://u@a.fr/",
        ),
        *("http://a.fr/\r\nX: y", "http://a.fr/é", "http://[::1/", "http://a.fr/" + "x" * 3000),
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """With the remedy."""
    with pytest.raises(Unanswered, match="ocsp_url"):
        responder_at(url)


def asked(url: str, seconds: float = 60.0) -> bytes:
    """The answer of a responder."""

    async def ask() -> bytes:
        return await Wire().ask(url, b"question", asyncio.get_running_loop().time() + seconds)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask())


@contextlib.contextmanager
def answering(heard: list[bytes]) -> Iterator[int]:
    """A web server for one question; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            plain, _ = listening.accept()
            with plain:
                heard.append(plain.recv(1000))
                plain.sendall(HEAD + b"Content-Length: 5\r\n\r\nhello")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def at(*addresses: str) -> list[object]:
    """What the system says of a host with these addresses."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 1)) for address in addresses]


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an address that refuses, and one that answers."""
    heard: list[bytes] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: at("127.0.0.2", "127.0.0.1"))
    with answering(heard) as port:
        assert asked(f"http://ocsp.exemple.test:{port}/") == b"hello"
    assert heard[0].startswith(b"POST / HTTP/1.1\r\nHost: ocsp.exemple.test:")


def test_an_address_that_swallows_everything_takes_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is some left for the next one."""
    connect = asyncio.open_connection

    async def swallowing(address: str, *given: int, **more: int) -> object:
        if address == "127.0.0.2":
            await asyncio.Event().wait()
        return await connect(address, *given, **more)

    monkeypatch.setattr(asyncio, "open_connection", swallowing)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: at("127.0.0.2", "127.0.0.1"))
    with answering([]) as port:
        assert asked(f"http://ocsp.exemple.test:{port}/", 6.0) == b"hello"


async def test_who_leaves_while_a_name_is_looked_up_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others get the addresses when they come."""
    over = threading.Event()

    def waits(*_: object, **__: object) -> list[object]:
        over.wait(60)
        return at("127.0.0.1")

    monkeypatch.setattr(socket, "getaddrinfo", waits)
    wire, due = Wire(), asyncio.get_running_loop().time() + 60.0
    with answering([]) as port:
        url = f"http://ocsp.exemple.test:{port}/"
        first = asyncio.create_task(wire.ask(url, b"", due))
        second = asyncio.create_task(wire.ask(url, b"", due))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        over.set()
        assert await second == b"hello"


def test_a_host_without_address_or_listener_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its cause."""
    (port,) = free_ports(1)
    with pytest.raises(Unanswered, match="connection failed"):
        asked(f"http://127.0.0.1:{port}/")

    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(Unanswered, match="connection failed"):
        asked("http://ocsp.exemple.test/")


async def test_a_name_that_nobody_answers_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked once for all who wait, apart from the threads of the loop, and each is free when its time is over."""
    over = threading.Event()
    looked_up: list[object] = []

    def waits(*given: object, **_: object) -> list[object]:
        looked_up.append(given)
        over.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", waits)
    wire = Wire()
    due = asyncio.get_running_loop().time() + 1.0
    asking = [wire.ask("http://ocsp.exemple.test/", b"", due) for _ in range(50)]
    results = await asyncio.gather(*asking, asyncio.to_thread(int, "7"), return_exceptions=True)
    assert results[-1] == 7
    assert [str(one) for one in results[:-1]] == ["no answer in time"] * 50
    assert len(looked_up) == 1
    over.set()
