"""Lets a refused peer read its TLS alert: both loops drop the connection with the alert still unsent (TRU-1).

A context made for servers takes `AlertingObject` as its `sslobject_class`; it hangs what OpenSSL still had to
say on the exception. `Farewell` keeps the socket open beside the transport and sends it, so that "certificate
revoked" reaches the peer's log instead of a connection reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from typing import Any

LINGER = 1.0  # seconds that a refused peer has to read its alert before the socket is closed


class AlertingObject(ssl.SSLObject):
    """An SSLObject whose failed handshake leaves its alert as the attribute `alert` of the error."""

    _outgoing: ssl.MemoryBIO

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> Any:
        made = super()._create(incoming, outgoing, *args, **named)  # type: ignore[misc]
        made._outgoing = outgoing
        return made

    def do_handshake(self) -> None:
        """As the parent's; raises the same errors."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            error.alert = self._outgoing.read()  # type: ignore[attr-defined]
            raise


class Farewell:
    """A second descriptor of a connection's socket, held during the handshake alone."""

    def __init__(self, connection: asyncio.Transport | socket.socket | None) -> None:
        self._socket: socket.socket | None = None
        plain = connection
        if connection is not None and not isinstance(connection, socket.socket):
            plain = connection.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            self._socket = socket.socket(fileno=os.dup(plain.fileno()))  # type: ignore[union-attr]

    def tell(self, error: ssl.SSLError) -> None:
        """Send the alert of a failed handshake, then close: at once it might be lost behind a reset."""
        alert: bytes = getattr(error, "alert", b"")
        held, self._socket = self._socket, None
        if held is None:
            return
        with contextlib.suppress(OSError):
            held.setblocking(False)
            held.send(alert)
            held.shutdown(socket.SHUT_WR)
        asyncio.get_running_loop().call_later(LINGER, held.close)

    def close(self) -> None:
        """The handshake is over: let the descriptor go. Closing it does not end the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
