"""Operators' hosts that take everything: mutual TLS required, every message noted with its id and time.

`python -m bench.relay_sink FOLDER CERT KEY CA WORKERS PORT…` listens on all ports in each worker process. A worker
appends to its own file below FOLDER: `c TIME CONNECTION PORT CIPHER` when TLS is up, `m TIME CONNECTION PORT ID` once
the 250 of a message is handed to the kernel, and `x TIME CONNECTION GONE-ON RESET` at the end of a connection. GONE-ON
is 1 when the client spoke again after the last 250, RESET is 1 when the client's kernel reset the connection, which it
does when a process ends that has not read everything. Times are those of `time.perf_counter`.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BACKLOG = 1024
PIECE = 262144
EVENTS = 64
_RESET = select.EPOLLERR | select.EPOLLHUP  # an end of the stream without them is one in order
HELLO = (
    b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 60000000\r\n{tls}250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
    b"250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n"
)
"""What Debian's Postfix offers as a server."""
PLAIN_HELLO = HELLO.replace(b"{tls}", b"250-STARTTLS\r\n")
TLS_HELLO = HELLO.replace(b"{tls}", b"")
END = b"\r\n.\r\n"
_IDENT = b"\nMessage-ID: <"
_ANSWERS = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


class Session:
    """One connection, driven by readiness; `speak` returns False when it is over."""

    __slots__ = ("_buffer", "_content", "_data", "_gone_on", "_need", "_notes", "_shaking", "_tls", "name")

    def __init__(self, plain: socket.socket, name: str, notes: Notes) -> None:
        self.name = name
        self._notes = notes
        self._buffer = b""
        self._content = b""
        self._data = False
        self._need = -1
        self._gone_on = True
        self._shaking = False
        self._tls = False
        plain.send(b"220 sink.example ESMTP\r\n")

    def speak(self, peer: socket.socket) -> bool:
        """Take what there is and answer it; raises OSError for a broken connection."""
        try:
            if self._shaking:
                assert isinstance(peer, ssl.SSLSocket)
                peer.do_handshake()
                self._shaking = False
                cipher = peer.cipher()
                self._notes.add("c", self.name, cipher[0] if cipher else "")
            while True:
                data = peer.recv(PIECE)
                if not data:
                    return False
                # Postfix writes the end of a message behind its text and waits for an ACK in between (Nagle): what a
                # kernel puts off for 40 ms it gets at once, so that the figures show its work and not that pause.
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                # The next turn of the loop tells how the connection ended, if it did: OpenSSL answers an end with an
                # alert, which makes a reset of every end.
                if not self._take(peer, data) or not (isinstance(peer, ssl.SSLSocket) and peer.pending()):
                    return True
        except (ssl.SSLWantReadError, BlockingIOError):
            return True

    @property
    def wants_tls(self) -> bool:
        """True once, after STARTTLS was answered."""
        return self._shaking and not self._tls

    def secured(self) -> None:
        """The socket is a TLS socket from now on."""
        self._tls = True

    def end(self, *, reset: bool) -> None:
        """Note that the connection is over."""
        if self._tls and not self._shaking:
            self._notes.add("x", self.name, f"{self._gone_on:d} {reset:d}")

    def _take(self, peer: socket.socket, data: bytes) -> bool:
        """Answer everything complete in one write; False when the socket must change first."""
        self._gone_on = True
        buffer = self._buffer + data
        answers: list[bytes] = []
        done: list[str] = []
        while not self.wants_tls:
            if self._data or self._need >= 0:
                rest = self._content_of(buffer, answers, done)
            else:
                rest = self._command_of(buffer, answers)
            if rest is None:
                break
            buffer = rest
        self._buffer = buffer
        if answers:
            peer.send(b"".join(answers))
        for ident in done:
            self._notes.add("m", self.name, ident)
            self._gone_on = False
        return not self.wants_tls

    def _content_of(self, buffer: bytes, answers: list[bytes], done: list[str]) -> bytes | None:
        if self._need >= 0:
            if len(buffer) < self._need:
                return None
            self._content += buffer[: self._need]
            buffer, self._need = buffer[self._need :], -1
            if self._data:  # not the last chunk
                self._data = False
                answers.append(b"250 2.0.0 Ok\r\n")
                return buffer
        else:
            at = buffer.find(END)
            if at < 0:
                return None
            self._content, buffer, self._data = buffer[:at], buffer[at + len(END) :], False
        start = self._content.find(_IDENT) + len(_IDENT)
        done.append(self._content[start : self._content.find(b">", start)].decode("ascii", "replace"))
        self._content = b""
        answers.append(b"250 2.0.0 Ok: taken\r\n")
        return buffer

    def _command_of(self, buffer: bytes, answers: list[bytes]) -> bytes | None:
        line, end, buffer = buffer.partition(b"\r\n")
        if not end:
            return None
        verb = line[:4].upper()
        if verb == b"DATA":
            answers.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            self._data = True
        elif verb == b"BDAT":
            words = line.split()
            self._need, self._data = int(words[1]), len(words) < 3
        elif verb == b"EHLO":
            answers.append(TLS_HELLO if self._tls else PLAIN_HELLO)
        elif verb == b"STAR":
            answers.append(b"220 2.0.0 Ready to start TLS\r\n")
            self._shaking = True
        else:
            answers.append(_ANSWERS.get(verb, b"502 5.5.2 Unknown\r\n"))
        return buffer


class Notes:
    """What a worker writes down, one line for each thing, in one write for each turn of its loop."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lines: list[str] = []

    def add(self, kind: str, name: str, text: str) -> None:
        """Keep a line with the time of now."""
        self._lines.append(f"{kind} {time.perf_counter():.6f} {name} {text}\n")

    def flush(self) -> None:
        """Write what is kept."""
        if self._lines:
            os.write(self._fd, "".join(self._lines).encode())
            self._lines.clear()


class Worker:
    """One process: all listeners, its own sessions."""

    def __init__(
        self, number: int, listeners: Sequence[socket.socket], context: ssl.SSLContext, folder: Path
    ):
        self._number = number
        self._context = context
        self._notes = Notes(folder / f"worker-{os.getpid()}.log")
        self._poll = select.epoll()
        self._listeners = {item.fileno(): item for item in listeners}
        self._open: dict[int, tuple[socket.socket, Session]] = {}
        self._count = 0
        for descriptor in self._listeners:
            self._poll.register(descriptor, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def serve(self) -> None:
        """For ever."""
        gc.disable()
        while True:
            for descriptor, events in self._poll.poll(maxevents=EVENTS):
                if descriptor in self._listeners:
                    self._accept(self._listeners[descriptor])
                else:
                    self._turn(descriptor, events)
            self._notes.flush()

    def _accept(self, listener: socket.socket) -> None:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count += 1
        port = listener.getsockname()[1]
        session = Session(plain, f"{os.getpid()}.{self._count} {port}", self._notes)
        self._open[plain.fileno()] = plain, session
        self._poll.register(plain.fileno(), select.EPOLLIN)

    def _turn(self, descriptor: int, events: int) -> None:
        peer, session = self._open[descriptor]
        try:
            alive = session.speak(peer)
            if alive and session.wants_tls:
                peer = self._context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
                session.secured()
                self._open[descriptor] = peer, session
                alive = session.speak(peer)
        except (OSError, ValueError):
            alive = False
        if not alive:
            session.end(reset=bool(events & _RESET))
            del self._open[descriptor]
            self._poll.unregister(descriptor)
            peer.close()


def main(folder: Path, files: Sequence[str], workers: int, ports: Sequence[int]) -> None:
    """Listen, fork the workers and wait for them."""
    cert, key, ca = files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    listeners = [socket.create_server(("127.0.0.1", port), backlog=BACKLOG) for port in ports]
    for listener in listeners:
        listener.setblocking(False)
    pids = []
    for number in range(workers):
        pid = os.fork()
        if pid == 0:
            Worker(number, listeners, context, folder).serve()
        pids.append(pid)

    def end(*_: object) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:5], int(sys.argv[5]), [int(text) for text in sys.argv[6:]])
