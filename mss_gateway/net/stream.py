"""One connection as a bounded stream: read with a deadline, write with back-pressure, upgrade to TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from .alert import Farewell
from .binding import channel_bindings
from .deflate import Deflated, Garbled

READ_LIMIT = 256 * 1024  # octets held for a reader that is busy; reading from the socket pauses above it
WRITE_HIGH = 256 * 1024  # octets waiting for a slow peer before `drain` waits


class StreamClosed(Exception):
    """The peer has gone, or the connection broke."""


class DeadlinePassed(Exception):
    """The peer was silent, or did not read, for longer than the deadline."""


class Draining(Exception):
    """The gateway is stopping and this connection is idle: say goodbye."""


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """What was agreed in the handshake; `peer` is the client's certificate in DER, None when it gave none.

    `bindings` are the channel bindings of this connection by type (`net.binding`).
    """

    version: str
    cipher: str
    peer: bytes | None
    bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class Stream(asyncio.Protocol):
    """A connection that one task owns.

    Every wait has a deadline in seconds; memory is bounded by `READ_LIMIT` and `WRITE_HIGH` and the
    transport's own buffers, whatever the peer does.
    """

    def __init__(
        self,
        accepted: Callable[[Stream], None] | None = None,
        *,
        raw: socket.socket | None = None,
        peer: tuple[str, int] = ("", 0),
    ) -> None:
        """Of a transport that calls `connection_made`, or of a `raw` socket for implicit TLS."""
        self._loop = asyncio.get_running_loop()
        self._accepted = accepted
        self._raw = raw
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._held = 0
        self._eof = False
        self._lost = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._write_blocked = False
        self._writer: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._expired = False
        self._drain_asked = False
        self._deflated: Deflated | None = None
        self._inflated = b""  # a piece that is there for the next `take`
        self._tail = 0  # octets at most that may still come of the end of the peer's compression
        self.host, self.port = peer
        self.door = ""  # the listener's name, for traces
        self.tls: TlsInfo | None = None

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; with implicit TLS this comes after the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(WRITE_HIGH)
        if self._accepted is None:
            return
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.host, self.port = str(peer[0]), int(peer[1])
        self._accepted(self)

    def data_received(self, data: bytes) -> None:
        """Keep what arrived; stop the socket when the owner falls behind."""
        if self._tail:
            data = self._behind_tail(data)
            if not data:
                return
        self._chunks.append(data)
        self._held += len(data)
        if self._held >= READ_LIMIT and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        """Note the half-close; what was sent before is still read and answered."""
        self._eof = True
        self._wake_reader()
        return self.tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits; the owner sees `StreamClosed`."""
        self._lost = True
        self._eof = True
        for timer in (self._timer, self._closer):
            if timer is not None:
                timer.cancel()
        # A lost connection must not keep its TLS state in memory until somebody lets the stream go.
        self._timer = self._closer = self._transport = None
        self._wake_reader()
        self._wake_writer()

    def pause_writing(self) -> None:
        """The peer reads too slowly."""
        self._write_blocked = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._write_blocked = False
        self._wake_writer()

    # --- called by the owner

    async def read(self, deadline: float, *, idle: bool = False) -> bytes:
        """Return what has arrived, waiting up to `deadline` seconds; empty at the end of the stream.

        `idle` says that no transaction is open, so that a stopping gateway may end the connection here.
        Raises `DeadlinePassed`, and `Draining` when idle and asked to stop.
        """
        if not self._waiting_input():
            await self.wait_input(deadline, idle=idle)
        elif self._deflated is not None:
            await asyncio.sleep(0)  # one packet may hold many thousand commands: others take turns with them
        return self.take()

    def _waiting_input(self) -> bool:
        """Is there something to take? Compressed octets count once they have given some that are not."""
        codec = self._deflated
        if codec is None:
            return bool(self._chunks)
        while not self._inflated and (codec.pending or self._chunks):
            if not codec.pending:
                codec.feed(self._arrived())
            try:
                self._inflated = codec.inflate()
            except Garbled:
                raise StreamClosed from None
        return bool(self._inflated)

    def take(self) -> bytes:
        """Return what has arrived by now, without waiting; of compressed data a piece of bounded size.

        Raises `StreamClosed` when it cannot be decompressed.
        """
        if self._deflated is None:
            return self._arrived()
        self._waiting_input()
        data, self._inflated = self._inflated, b""
        return data

    def _arrived(self) -> bytes:
        chunks = self._chunks
        if not chunks:
            return b""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self._held = 0
        if self._paused and self._transport is not None and not self._lost:
            self._paused = False
            self._transport.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        """Send, or queue behind what the peer has not read; raises `StreamClosed`."""
        if self._lost or self._transport is None:
            raise StreamClosed
        self._transport.write(data if self._deflated is None else self._deflated.deflate(data))

    def compress(self, arrived: bytes = b"") -> None:
        """From now on both directions are DEFLATE (RFC 4978); `arrived` was read already and is compressed too."""
        self._deflated = Deflated()
        self._deflated.feed(arrived)

    def decompress(self) -> None:
        """Both directions are plain again (RFC 8437 section 4.1), from the octet on that has not been looked at."""
        codec = self._deflated
        if codec is None:
            return
        self._deflated = None
        self._inflated = b""
        self._tail = codec.tail
        rest = codec.unread() + self._arrived()
        if rest:
            self.data_received(rest)

    def _behind_tail(self, data: bytes) -> bytes:
        """What is no part of an end of compression: a command begins with neither of its octets."""
        at = 0
        while at < min(self._tail, len(data)) and data[at] in b"\x00\xff":
            at += 1
        self._tail = self._tail - at if at == len(data) else 0
        return data[at:]

    @property
    def write_blocked(self) -> bool:
        """True when so much waits for the peer that `drain` should be awaited."""
        return self._write_blocked

    async def drain(self, deadline: float) -> None:
        """Wait until the peer has read enough; raises `DeadlinePassed` or `StreamClosed`."""
        if not self._write_blocked:
            return
        self._arm(deadline)
        while self._write_blocked:
            if self._lost:
                raise StreamClosed
            if self._expired:
                raise DeadlinePassed
            self._writer = self._loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    async def start_tls(self, context: ssl.SSLContext, deadline: float) -> TlsInfo:
        """Upgrade as a server. Whatever arrived before the handshake is thrown away.

        Raises `ssl.SSLError` (the subclass tells why), `StreamClosed` or `DeadlinePassed`.
        """
        raw, self._raw = self._raw, None
        if self._lost or (raw is None and self._transport is None):
            raise StreamClosed
        self._chunks = []
        self._held = 0
        self._paused = False
        farewell = Farewell(raw or self._transport)
        try:
            await self._shake_hands(raw, context, deadline)
        except ssl.SSLError as error:
            farewell.tell(error)
            raise
        except (ConnectionAbortedError, TimeoutError):
            raise DeadlinePassed from None
        except OSError:
            raise StreamClosed from None
        finally:
            farewell.close()
        if self._transport is None:
            raise StreamClosed
        session = self._transport.get_extra_info("ssl_object")
        cipher = session.cipher()
        self.tls = TlsInfo(
            session.version() or "",
            cipher[0] if cipher else "",
            session.getpeercert(True),
            channel_bindings(session, context),
        )
        return self.tls

    async def _shake_hands(self, raw: socket.socket | None, context: ssl.SSLContext, deadline: float) -> None:
        if raw is not None:
            await self._loop.connect_accepted_socket(
                lambda: self, raw, ssl=context, ssl_handshake_timeout=deadline
            )
            return
        assert self._transport is not None
        transport = await self._loop.start_tls(
            self._transport, self, context, server_side=True, ssl_handshake_timeout=deadline
        )
        if transport is None or self._lost:
            raise StreamClosed
        self._transport = transport
        transport.set_write_buffer_limits(WRITE_HIGH)

    def ask_to_drain(self) -> None:
        """Make the next idle read raise `Draining`."""
        self._drain_asked = True
        self._wake_reader()

    def wake(self) -> None:
        """Interrupt a waiting `read` that watches something else as well (`wait_input`)."""
        self._wake_reader()

    async def wait_input(
        self, deadline: float, ready: Callable[[], bool] | None = None, *, idle: bool = True
    ) -> bool:
        """Wait until bytes arrived or the stream ended (True), or `ready()` held after a `wake` (False).

        Raises `DeadlinePassed`, and `Draining` when idle and asked to stop.
        """
        if self._deflated is not None:
            self._deflated.rest()
        self._arm(deadline)
        while not self._waiting_input() and not self._eof:
            if ready is not None and ready():
                return False
            if self._expired:
                raise DeadlinePassed
            if idle and self._drain_asked:
                raise Draining
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return True

    async def close(self, deadline: float = 5.0) -> None:
        """Send what is queued, then close; a peer that does not read is cut off after `deadline` seconds."""
        transport = self._transport
        self._close_raw()
        if transport is None or self._lost:
            return
        transport.close()
        self._closer = self._loop.call_later(deadline, self.abort)

    def abort(self) -> None:
        """Cut the connection now."""
        self._close_raw()
        if self._transport is not None and not self._lost:
            self._transport.abort()

    def _close_raw(self) -> None:
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    # --- deadlines: one timer per connection, moved lazily, since most waits end early

    def _arm(self, deadline: float) -> None:
        if self._lost:
            return  # nobody would cancel it: the stream would stay in memory for the whole deadline
        self._expired = False
        self._due = self._loop.time() + deadline
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._check_due)
        elif self._timer.when() > self._due + 1.0:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._due, self._check_due)

    def _check_due(self) -> None:
        self._timer = None
        if self._loop.time() + 0.001 < self._due:
            self._timer = self._loop.call_at(self._due, self._check_due)
            return
        self._expired = True
        self._wake_reader()
        self._wake_writer()

    def _wake_reader(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _wake_writer(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
