"""One blocking connection to a server that may be anything: every wait has an end, and nothing grows (TRU-8)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

PIECE = 16 * 1024  # octets read at once
MOST = 512 * 1024  # octets read in all: far more than greeting, EHLO and the longest chain


class Silent(Exception):
    """The server was silent for longer than the deadline."""


class Ended(Exception):
    """The server has closed the connection, or it broke, or said more than any server has to say."""


class ProbeWire:
    """A connected socket, later under TLS. Deadlines are in seconds; belongs to one thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._read = 0
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None

    @classmethod
    def connect(cls, address: str, port: int, deadline: float) -> ProbeWire:
        """Open a connection to an address; raises OSError (also TimeoutError)."""
        return cls(socket.create_connection((address, port), timeout=deadline))

    def close(self) -> None:
        """Cut the connection."""
        self._socket.close()

    def send(self, data: bytes, deadline: float) -> None:
        """Send, under TLS once that stands; raises `Silent`.

        A server that has gone meanwhile may have left an alert: that it has gone is told by the next `receive`.
        """
        if self.tls is not None:
            self.tls.write(data)
            data = self._outgoing.read()
        with contextlib.suppress(Ended):
            self._push(data, time.monotonic() + deadline)

    def receive(self, deadline: float) -> bytes:
        """What comes next, deciphered; raises `Silent`, `Ended`, or `ssl.SSLError` for an alert of the server's."""
        due = time.monotonic() + deadline
        if self.tls is None:
            return self._pull(due)
        tls = self.tls
        data = self._turn(lambda: tls.read(PIECE), due)
        if not data:
            raise Ended
        return bytes(data)

    def secure(self, context: ssl.SSLContext, deadline: float) -> ssl.SSLObject:
        """Shake hands as a client; raises `ssl.SSLError`, `Silent` or `Ended`."""
        due = time.monotonic() + deadline
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=False)
        self._turn(tls.do_handshake, due)
        self.tls = tls
        return tls

    def _turn(self, act: Callable[[], Any], due: float) -> Any:
        """Do something of OpenSSL's, bringing what it wants to read and taking away what it writes."""
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._push(self._outgoing.read(), due)
                self._incoming.write(self._pull(due))
                continue
            except ssl.SSLError:
                self._push_last()
                raise
            self._push(self._outgoing.read(), due)
            return done

    def _push_last(self) -> None:
        """Our alert; the server may be gone already."""
        with contextlib.suppress(Silent, Ended):
            self._push(self._outgoing.read(), time.monotonic() + 1.0)

    def _push(self, data: bytes, due: float) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(_left(due))
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                raise Silent from None
            except OSError:
                raise Ended from None

    def _pull(self, due: float) -> bytes:
        if self._read >= MOST:
            raise Ended
        self._socket.settimeout(_left(due))
        try:
            data = self._socket.recv(PIECE)
        except TimeoutError:
            raise Silent from None
        except OSError:
            raise Ended from None
        if not data:
            raise Ended
        self._read += len(data)
        return data


def _left(due: float) -> float:
    left = due - time.monotonic()
    if left <= 0:
        raise Silent
    return left


def chain_of(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates that a server has sent in DER, its own first; that alone where Python gives no more."""
    ask = getattr(tls, "get_unverified_chain", None)  # public from Python 3.13 on
    if ask is not None:
        return tuple(bytes(one) for one in ask() or ())
    ask = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    if ask is not None:
        return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in ask() or ())
    own = tls.getpeercert(True)
    return (own,) if own else ()
