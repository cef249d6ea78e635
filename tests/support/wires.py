"""Raw blocking clients for the doors: bytes out, whole replies in. They hide nothing that a test may ask for."""

from __future__ import annotations

import itertools
import re
import socket
import ssl
from base64 import b64encode

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds; only a broken test reaches it
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Closed(Exception):
    """The gateway has closed the connection."""


class Wire:
    """A socket with a buffer."""

    def __init__(self, port: int) -> None:
        self.socket: socket.socket = socket.create_connection((HOST, port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def wrap(self, context: ssl.SSLContext) -> None:
        """Shake hands; what was read before is kept out of it."""
        self.socket = context.wrap_socket(self.socket)

    def send(self, data: bytes) -> None:
        """Send as it is."""
        self.socket.sendall(data)

    def _more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def line(self) -> bytes:
        """One line with its CRLF; raises `Closed`."""
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def take(self, size: int) -> bytes:
        """Exactly so many octets."""
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def rest(self) -> bytes:
        """Everything until the gateway closes."""
        while True:
            try:
                self._more()
            except Closed:
                data, self.buffer = self.buffer, b""
                return data

    def quiet(self, seconds: float = 0.2) -> bool:
        """Nothing arrives for so long."""
        if self.buffer:
            return False
        self.socket.settimeout(seconds)
        try:
            self._more()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False

    def close(self) -> None:
        """Leave without a word."""
        self.socket.close()


class Smtp(Wire):
    """An SMTP client that gives replies as text, lines of one reply joined by a line feed."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        super().__init__(port)
        if context is not None:
            self.wrap(context)
        self.banner = self.reply()

    def reply(self) -> str:
        """One whole reply; raises `Closed`."""
        lines = []
        while True:
            line = self.line()
            lines.append(line.decode("utf-8").rstrip("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def command(self, text: str) -> str:
        """Send a line and give its reply."""
        self.send(text.encode("utf-8") + b"\r\n")
        return self.reply()

    def hello(self, name: str = "client.example") -> str:
        """EHLO."""
        return self.command(f"EHLO {name}")

    def start_tls(self, context: ssl.SSLContext) -> None:
        """STARTTLS and the handshake."""
        reply = self.command("STARTTLS")
        assert reply.startswith("220"), reply
        self.wrap(context)

    def login(self, user: str, password: str) -> str:
        """AUTH PLAIN; asserts that it was taken."""
        reply = self.auth_plain(user, password)
        assert reply.startswith("235"), reply
        return reply

    def auth_plain(self, user: str, password: str) -> str:
        """AUTH PLAIN and its reply."""
        return self.command("AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()).decode())

    def envelope(self, sender: str, *recipients: str) -> None:
        """MAIL and RCPT; asserts that all were taken."""
        for text in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
            reply = self.command(text)
            assert reply.startswith("250"), reply

    def data(self, message: bytes) -> str:
        """DATA with dot-stuffing; the final reply."""
        reply = self.command("DATA")
        if not reply.startswith("354"):
            return reply
        stuffed = re.sub(rb"(?m)^\.", b"..", message)
        self.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()

    def deliver(self, sender: str, recipient: str, message: bytes) -> str:
        """One whole transaction; the final reply."""
        self.envelope(sender, recipient)
        return self.data(message)


class Imap(Wire):
    """An IMAP client: `run` gives the untagged responses, literals included, and the tagged line."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        super().__init__(port)
        if context is not None:
            self.wrap(context)
        self._tags = itertools.count(1)
        self.greeting = self.response()

    def response(self) -> bytes:
        """One response without its final CRLF, with the literals in it."""
        whole = b""
        while True:
            whole += self.line()
            literal = _LITERAL.search(whole)
            if literal is None:
                return whole[:-2]
            whole += self.take(int(literal[1]))

    def begin(self, command: str | bytes) -> bytes:
        """Send a command and give its tag."""
        tag = b"a%d" % next(self._tags)
        text = command.encode("utf-8") if isinstance(command, str) else command
        self.send(tag + b" " + text + b"\r\n")
        return tag

    def until(self, tag: bytes) -> tuple[list[bytes], bytes]:
        """The untagged responses before the tagged one, and that one without its tag."""
        untagged = []
        while True:
            response = self.response()
            if response.startswith(tag + b" "):
                return untagged, response[len(tag) + 1 :]
            untagged.append(response)

    def run(self, command: str | bytes) -> tuple[list[bytes], bytes]:
        """One command to its end."""
        return self.until(self.begin(command))

    def ok(self, command: str | bytes) -> list[bytes]:
        """One command that must end with OK; its untagged responses."""
        untagged, tagged = self.run(command)
        assert tagged.startswith(b"OK"), (command, tagged)
        return untagged

    def ending(self, command: str | bytes) -> bytes:
        """The tagged answer alone."""
        return self.run(command)[1]

    def append(self, mailbox: str, message: bytes, options: str = "") -> bytes:
        """APPEND with a non-synchronizing literal; the tagged answer."""
        head = f"APPEND {mailbox} {options}{' ' if options else ''}".encode()
        return self.ending(head + b"{%d+}\r\n" % len(message) + message)

    def fetch(self, numbers: str, items: str) -> list[bytes]:
        """The FETCH responses alone."""
        return [line for line in self.ok(f"FETCH {numbers} {items}") if b" FETCH " in line[:30]]


def literal(response: bytes) -> bytes:
    """The first literal of a response."""
    found = re.search(rb"\{(\d+)\}\r\n", response)
    assert found is not None, response
    return response[found.end() : found.end() + int(found[1])]
