"""A publisher of lists and CRLs on loopback, well or badly behaved, over HTTPS or HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.pki import Issued
from tests.support.ports import free_ports

Answer = Callable[[BaseHTTPRequestHandler], None]


def body(data: bytes, *, etag: str = "", modified: str = "", status: int = 200, **headers: str) -> Answer:
    """The whole of some octets; with an ETag or a date it answers 304 to those who have it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        known = etag and handler.headers["If-None-Match"] == etag
        known = known or (modified and handler.headers["If-Modified-Since"] == modified)
        handler.send_response(304 if known else status)
        for name, value in (("ETag", etag), ("Last-Modified", modified), *headers.items()):
            if value:
                handler.send_header(name, value)
        if not known:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if not known:
            handler.wfile.write(data)

    return answer


def cut(data: bytes, at: int) -> Answer:
    """Announces everything and breaks off."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:at])

    return answer


def drip(stop: threading.Event, pause: float) -> Answer:
    """An octet after each pause, for ever, without a length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not stop.wait(pause):
            handler.wfile.write(b"<")
            handler.wfile.flush()

    return answer


def drip_head(stop: threading.Event, pause: float) -> Answer:
    """A header that never ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not stop.wait(pause):
            handler.wfile.write(b"a")
            handler.wfile.flush()

    return answer


def raw(data: bytes) -> Answer:
    """Octets as they are, no HTTP added."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """As many octets as the client takes."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"<" * 65536)


@dataclass
class Publisher:
    """The answers by path, and what was asked."""

    base: str
    stop: threading.Event
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, path: str, answer: Answer) -> str:
        """Answer a path so from now on; return its address."""
        self.answers[path] = answer
        return self.base + path


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    publisher: Publisher

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves, or a failed handshake, is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        publisher = self.server.publisher
        publisher.asked.append(self.path)
        publisher.answers.get(self.path, body(b"nothing here", status=404))(self)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextlib.contextmanager
def publishing(
    issued: Issued | None, folder: Path, *, context: ssl.SSLContext | None = None
) -> Iterator[Publisher]:
    """Serve on a port of loopback, over HTTPS when there is a certificate or a context."""
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if issued is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issued.write(folder, f"publisher-{issued.serial:x}"))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    stop = threading.Event()
    publisher = Publisher(f"{scheme}://localhost:{server.server_address[1]}", stop)
    server.publisher = publisher
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield publisher
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def unused_port() -> int:
    """A port on which nobody listens."""
    return free_ports(1)[0]
