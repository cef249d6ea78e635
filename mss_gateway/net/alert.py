"""Lets a refused peer read its TLS alert: asyncio drops the connection with the alert still unsent.

A context made for servers takes `AlertingObject` as its `sslobject_class`; whoever starts the handshake
names the plain transport in `raw_transport` beforehand. Then "certificate revoked" reaches the peer's log
instead of a connection reset (TRU-1). uvloop makes the object outside the task's context, so there the
peer still sees the reset; the reason is in our own log on both loops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from contextvars import ContextVar
from typing import Any

raw_transport: ContextVar[asyncio.WriteTransport | None] = ContextVar("raw_transport", default=None)
"""The transport below TLS, set in the task that calls `loop.start_tls` just before it does."""


class AlertingObject(ssl.SSLObject):
    """An SSLObject that sends what OpenSSL still had to say when its handshake fails."""

    _outgoing: ssl.MemoryBIO
    _transport: asyncio.WriteTransport | None

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> Any:
        made = super()._create(incoming, outgoing, *args, **named)  # type: ignore[misc]
        made._outgoing = outgoing
        made._transport = raw_transport.get()
        return made

    def do_handshake(self) -> None:
        """As the parent's; raises the same errors, after the alert has been handed to the socket."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            self._tell()
            raise
        self._transport = None

    def _tell(self) -> None:
        alert = self._outgoing.read()
        transport = self._transport
        if not alert or transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return
        # Past the transport: both loops throw away what they still hold when a handshake fails.
        with contextlib.suppress(OSError):
            os.write(transport.get_extra_info("socket").fileno(), alert)
