"""The load generator: one forked process for each connection, blocking TLS sockets, messages built beforehand.

Processes and not threads, so that no interpreter lock is shared; nothing is built, parsed or logged while
the clock runs. MAIL, RCPT and DATA go out in one write, as both servers announce PIPELINING.
"""

from __future__ import annotations

import base64
import gc
import os
import pickle
import re
import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from .messages import Message, Target

HOST = "127.0.0.1"
CONNECTIONS = 8
ANSWER_SECONDS = 60.0
READY = b"r"  # from a connection to the one that starts the clock
_FINAL = re.compile(rb"^\d{3}(?: |\r)", re.MULTILINE)


class Peer:
    """One SMTP session over STARTTLS, with client certificate or login; raises OSError when the server goes away."""

    def __init__(self, target: Target, context: ssl.SSLContext) -> None:
        self._plain = socket.create_connection((HOST, target.smtp_port), ANSWER_SECONDS)
        self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: socket.socket = self._plain
        self._sender = target.sender
        self._envelope = self._envelope_to(target.recipient)
        self._answers(1)
        self._socket.sendall(b"EHLO bench.example\r\n")
        self._answers(1)
        self._socket.sendall(b"STARTTLS\r\n")
        self._answers(1)
        self._socket = context.wrap_socket(self._plain)
        self._socket.sendall(b"EHLO bench.example\r\n")
        if b"PIPELINING" not in self._answers(1):
            raise OSError("the server does not announce PIPELINING, the load would be unfair")
        if target.account:
            self._log_in(target)

    def _log_in(self, target: Target) -> None:
        """AUTH PLAIN (RFC 4616)."""
        told = base64.b64encode(f"\0{target.account}\0{target.secret}".encode())
        self._socket.sendall(b"AUTH PLAIN " + told + b"\r\n")
        reply = self._answers(1)
        if not reply.startswith(b"235"):
            raise OSError(f"no login: {reply.decode(errors='replace').strip()}")

    def send(self, message: Message) -> None:
        """Deliver one message; raises OSError unless it was accepted with 250."""
        self._socket.sendall(self._envelope_to(message.recipient) if message.recipient else self._envelope)
        replies = self._answers(3)
        if not replies.rsplit(b"\r\n", 2)[-2].startswith(b"354"):
            raise OSError(f"refused: {replies.decode(errors='replace').strip()}")
        if len(message.body) < 65536:
            self._socket.sendall(message.head + message.body)
        else:
            self._socket.sendall(message.head)
            self._socket.sendall(message.body)
        reply = self._answers(1)
        if not reply.startswith(b"250"):
            raise OSError(f"not accepted: {reply.decode(errors='replace').strip()}")

    def close(self, *, quit_first: bool = True) -> None:
        """Say goodbye and close."""
        try:
            if quit_first:
                self._socket.sendall(b"QUIT\r\n")
                self._answers(1)
        except OSError:
            pass
        finally:
            self._socket.close()

    def _envelope_to(self, recipient: str) -> bytes:
        return f"MAIL FROM:<{self._sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()

    def _answers(self, count: int) -> bytes:
        buffer = b""
        while True:
            data = self._socket.recv(16384)
            if not data:
                raise OSError("the server closed the connection" + (f": {buffer!r}" if buffer else ""))
            buffer += data
            if buffer.endswith(b"\n") and len(_FINAL.findall(buffer)) >= count:
                return buffer


@dataclass(slots=True)
class Share:
    """What one connection did: ids accepted with 250, seconds each took, CPU seconds, when it ended."""

    accepted: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0
    ended: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a load is sent: a connection for each message or kept ones, when to stop at the latest, how many at once."""

    fresh: bool = False
    seconds: float = 60.0
    connections: int = CONNECTIONS


class Load:
    """A load under way. The clock starts with `go`; connections that are kept are open by then.

    `shares` is filled, in the order of the connections, once `wait` has answered True.
    """

    def __init__(self, target: Target, messages: Sequence[Message], plan: Plan) -> None:
        self.shares: list[Share] = []
        self.started = 0.0
        self._pids: list[int] = []
        self._results: dict[int, bytearray] = {}
        self._open = selectors.DefaultSelector()
        gate, self._gate = os.pipe()
        for number in range(plan.connections):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(self._gate)
                _child(target, messages[number :: plan.connections], plan, Ends(gate, write))
            os.close(write)
            self._pids.append(pid)
            self._results[read] = bytearray()
            self._open.register(read, selectors.EVENT_READ)
        os.close(gate)
        for read in self._results:
            first = os.read(read, 1)
            if first != READY:  # it failed already, and this is how its report begins
                self._results[read] += first

    def go(self) -> None:
        """Start the clock: every connection begins to send."""
        self.started = time.perf_counter()
        os.close(self._gate)

    def wait(self, seconds: float) -> bool:
        """Wait that long at most; True when every connection has ended."""
        until = time.perf_counter() + seconds
        while self._open.get_map():
            events = self._open.select(max(0.0, until - time.perf_counter()))
            for key, _ in events:
                data = os.read(key.fd, 1 << 20)
                self._results[key.fd] += data
                if not data:
                    self._open.unregister(key.fd)
                    os.close(key.fd)
            if not events:
                return False
        if self._pids:
            for pid in self._pids:
                os.waitpid(pid, 0)
            self._pids.clear()
            self.shares = [pickle.loads(bytes(data)) for data in self._results.values()]
        return True


@dataclass(frozen=True, slots=True)
class Ends:
    """A child's ends of its pipes: `gate` opens by being closed, `result` takes the pickled `Share`."""

    gate: int
    result: int

    def pass_gate(self) -> None:
        """Report ready and wait for the start."""
        os.write(self.result, READY)
        os.read(self.gate, 1)


def _child(target: Target, messages: Sequence[Message], plan: Plan, ends: Ends) -> NoReturn:
    """Send in a forked process, write the outcome to the pipe, and never return."""
    share = Share()
    try:
        gc.disable()
        send = _send_fresh if plan.fresh else _send_kept
        send(target, messages, plan.seconds, share, ends)
    except Exception as error:  # the parent shows it
        share.error = str(error) or repr(error)
    finally:
        share.ended = time.perf_counter()
        view = memoryview(pickle.dumps(share))
        while view:
            view = view[os.write(ends.result, view) :]
        os._exit(0)


def _send_kept(target: Target, messages: Sequence[Message], seconds: float, share: Share, ends: Ends) -> None:
    peer = Peer(target, target.tls(client=not target.account))
    ends.pass_gate()
    cpu, until = time.process_time(), time.perf_counter() + seconds
    before = time.perf_counter()
    try:
        for message in messages:
            peer.send(message)
            share.accepted.append(message.id)
            now = time.perf_counter()
            share.seconds.append(now - before)
            before = now
            if now > until:
                break
    finally:
        share.cpu = time.process_time() - cpu
        peer.close(quit_first=False)


def _send_fresh(
    target: Target, messages: Sequence[Message], seconds: float, share: Share, ends: Ends
) -> None:
    context = target.tls(
        client=not target.account
    )  # no session is offered again: each handshake is a full one
    ends.pass_gate()
    cpu, until = time.process_time(), time.perf_counter() + seconds
    try:
        for message in messages:
            before = time.perf_counter()
            peer = Peer(target, context)
            peer.send(message)
            share.accepted.append(message.id)
            peer.close()
            now = time.perf_counter()
            share.seconds.append(now - before)
            if now > until:
                break
    finally:
        share.cpu = time.process_time() - cpu
