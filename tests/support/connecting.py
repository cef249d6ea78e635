"""An HTTP proxy that leads every CONNECT to one port of this machine, so that a client may use any host name at 443."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

PATIENCE = 60.0


@contextlib.contextmanager
def leading_to(port: int) -> Iterator[tuple[int, list[str]]]:
    """Serve until left; gives the proxy's port and the places that were asked for."""
    asked: list[str] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=_carry, args=(client, port, asked), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], asked
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def _carry(client: socket.socket, port: int, asked: list[str]) -> None:
    with client, contextlib.suppress(OSError):
        client.settimeout(PATIENCE)
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(4096)
            if not data:
                return
            head += data
        method, place, _ = head.split(b"\r\n", 1)[0].split(b" ")
        if method != b"CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        asked.append(place.decode("ascii"))
        with socket.create_connection(("127.0.0.1", port), 5) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join(PATIENCE)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
