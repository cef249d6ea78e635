"""A connection that we opened: the bounded stream of `net`, upgraded to TLS as a client (TRU-5)."""

from __future__ import annotations

import asyncio
import ssl

from mss_gateway.net.alert import Farewell
from mss_gateway.net.stream import WRITE_HIGH, DeadlinePassed, Stream, StreamClosed, TlsInfo

_GLANCE = 0.001  # seconds until the buffers are looked at again, doubled each time
_LONGEST_GLANCE = 0.05


class Dialled(Stream):
    """One connection to another operator's host.

    `error` is what ended it: in TLS 1.3 a server refuses our certificate only after the handshake, by an alert
    that the first read meets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._plain: asyncio.Transport | None = None  # what lies under TLS, with a buffer of its own

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep the reason, then wake whoever waits."""
        self.error = exc
        self._plain = None
        super().connection_lost(exc)

    @property
    def alive(self) -> bool:
        """True while nothing tells that the peer has gone; what it said unasked is no good sign either."""
        return self._transport is not None and not (self._lost or self._eof or self._chunks)

    @property
    def ended(self) -> bool:
        """True when nothing more will come; what is written from now on goes nowhere, and nobody says so."""
        return self._eof or self._lost

    async def emptied(self, deadline: float) -> None:
        """Wait until the system has taken all that was written; raises `StreamClosed` or `DeadlinePassed`.

        No callback tells when the buffers of TLS and of the socket are both empty, and `drain` returns long before.
        """
        loop = asyncio.get_running_loop()
        due, pause = loop.time() + deadline, _GLANCE
        while not self._lost and self._unsent():
            if loop.time() >= due:
                raise DeadlinePassed
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_GLANCE)
        if self._lost:
            raise StreamClosed

    def _unsent(self) -> int:
        every = (self._transport, self._plain)
        return sum(one.get_write_buffer_size() for one in every if one is not None)

    async def secure(self, context: ssl.SSLContext, deadline: float) -> bytes:
        """Shake hands as a client and return the server's certificate in DER.

        Raises `ssl.SSLError` (the subclass tells why), `StreamClosed` or `DeadlinePassed`.
        """
        if self._lost or self._transport is None:
            raise StreamClosed
        loop = asyncio.get_running_loop()
        farewell = Farewell(self._transport)
        try:
            async with asyncio.timeout(deadline):
                made = await loop.start_tls(
                    self._transport, self, context, server_side=False, ssl_handshake_timeout=deadline + 1.0
                )
        except ssl.SSLError as error:
            farewell.tell(error)  # why we do not trust them belongs in their log as well
            raise
        except (ConnectionAbortedError, TimeoutError):
            raise DeadlinePassed from None
        except OSError:
            raise StreamClosed from None
        finally:
            farewell.close()
        if made is None or self._lost:
            raise StreamClosed
        self._plain = self._transport
        self._transport = made
        made.set_write_buffer_limits(WRITE_HIGH)
        session = made.get_extra_info("ssl_object")
        cipher = session.cipher()
        der = session.getpeercert(True)
        self.tls = TlsInfo(session.version() or "", cipher[0] if cipher else "", der)
        if not der:
            raise StreamClosed
        return bytes(der)

    def part(self, farewell: bytes, deadline: float) -> None:
        """Say a last word and close, cutting off a peer that does not read it in time."""
        if self._transport is None or self._lost:
            return
        self._transport.write(farewell)
        self._transport.close()
        self._closer = self._loop.call_later(deadline, self.abort)


async def dial(address: str, port: int, deadline: float) -> Dialled:
    """Open a TCP connection to an address; raises `OSError` (also `TimeoutError`)."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(deadline):
        _, stream = await loop.create_connection(Dialled, address, port)
    return stream
