"""A mail server that repeats everything it hears, in the clear or under TLS: what comes back must not be kept."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

PATIENCE = 60.0  # seconds; only a broken test reaches it
Heard = Callable[[str], str]


@dataclass(frozen=True)
class Manner:
    """How one connection is answered: `banner` and `hello` codes, the TLS it offers, if any."""

    banner: int = 220
    context: ssl.SSLContext | None = None
    starttls: int = 220


class Echo:
    """Listens on a free port of loopback; each connection gets the next manner, the last one for ever.

    `words` stand in every reply; to RCPT the code is that before the first `-` of the local part, or 250.
    """

    def __init__(self, words: str, *manners: Manner) -> None:
        self._words = words
        self._manners = list(manners)
        self.connections = 0
        self.taken: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            manner = self._manners[min(self.connections, len(self._manners) - 1)]
            self.connections += 1
            connection.settimeout(PATIENCE)
            threading.Thread(target=self._hold, args=(connection, manner), daemon=True).start()

    def _hold(self, connection: socket.socket, manner: Manner) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, ValueError), connection:
            self._talk(connection, manner)

    def _talk(self, connection: socket.socket, manner: Manner) -> None:
        self._say(connection, f"{manner.banner} {self._words}")
        stream = connection.makefile("rb")
        while line := stream.readline():
            text = line.decode("utf-8", "replace").strip()
            verb = text[:4].upper()
            if verb == "EHLO":
                offer = ["STARTTLS"] if manner.context is not None else []
                lines = [f"250-{self._words}", *(f"250-{one}" for one in offer), "250 8BITMIME"]
                self._say(connection, "\r\n".join(lines))
            elif verb == "STAR" and manner.context is not None:
                self._say(connection, f"{manner.starttls} {self._words}")
                if manner.starttls == 220:
                    connection = manner.context.wrap_socket(connection, server_side=True)
                    stream = connection.makefile("rb")
                    manner = Manner()
            elif verb == "DATA":
                self._say(connection, "354 go on")
                octets = b""
                while (more := stream.readline()) not in (b".\r\n", b""):
                    octets += more
                self.taken.append(octets)
                self._say(connection, f"250 2.0.0 {self._words} {octets[-200:].decode('latin-1')!r}")
            elif verb == "QUIT":
                self._say(connection, "221 bye")
                return
            else:
                self._say(connection, f"{_code(text)} {text} {self._words}")

    def _say(self, connection: socket.socket, text: str) -> None:
        connection.sendall(text.encode("utf-8") + b"\r\n")


def _code(text: str) -> str:
    """`RCPT TO:<550-nom@…>` asks for its own refusal."""
    found = text.partition("<")[2].partition("-")[0]
    return found if text[:4].upper() == "RCPT" and found in ("550", "451", "999") else "250"
