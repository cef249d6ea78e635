"""One listening address: accepts under caps, one task per connection, drains on request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .gate import Gate, GateOptions
from .stream import Stream

ACCEPTS = 64  # connections taken in one turn of the loop
REST = 1.0  # seconds

Serve = Callable[[Stream], Awaitable[None]]
"""What a door does with one connection; it never raises."""


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """Where to listen. With `implicit_tls` nothing is read before the door makes the handshake."""

    name: str
    host: str
    port: int
    implicit_tls: bool = False
    backlog: int = 512
    busy: bytes = b""  # said to a connection over a cap, before TLS
    caps: GateOptions = field(default_factory=GateOptions)


class Listener:
    """Accepts connections of one address and gives each to `serve` as a task of `group`."""

    def __init__(self, options: ListenerOptions, serve: Serve, group: asyncio.TaskGroup) -> None:
        self.options = options
        self._serve = serve
        self._group = group
        self._gate = Gate(options.caps)
        self._streams: set[Stream] = set()
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self.port = options.port  # the one that is bound, once it is open
        self.accepted = 0  # connections since the start
        self.turned_away = 0  # over a cap
        self._empty = asyncio.Event()
        self._empty.set()

    async def open(self) -> int:
        """Start to listen and return the port; raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        options = self.options
        if options.implicit_tls:
            self._socket = listening_socket(options.host, options.port, options.backlog)
            loop.add_reader(self._socket, self._accept_raw)
            self.port = int(self._socket.getsockname()[1])
            return self.port
        self._server = await loop.create_server(
            lambda: Stream(self._accept),
            options.host,
            options.port,
            backlog=options.backlog,
            reuse_address=True,
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    def _accept_raw(self) -> None:
        """Take what waits. A transport would read the ClientHello before the handshake is asked for."""
        assert self._socket is not None
        for _ in range(ACCEPTS):
            try:
                connection, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._rest()
                return
            connection.setblocking(False)
            self._accept(Stream(raw=connection, peer=(str(peer[0]), int(peer[1]))))

    def _rest(self) -> None:
        """No descriptor left: look again in a moment instead of spinning."""
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.remove_reader(self._socket)
            loop.call_later(REST, self._resume)

    def _resume(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._accept_raw)

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._streams)

    def _accept(self, stream: Stream) -> None:
        stream.door = self.options.name
        if not self._gate.enter(stream.host):
            self.turned_away += 1
            # A client that waits for TLS cannot read a sentence; it is just closed.
            if self.options.busy and not self.options.implicit_tls:
                stream.write(self.options.busy)
            self._group.create_task(stream.close(1.0))
            return
        self.accepted += 1
        self._streams.add(stream)
        self._empty.clear()
        self._group.create_task(self._run(stream))

    async def _run(self, stream: Stream) -> None:
        try:
            await self._serve(stream)
        finally:
            await stream.close()
            self._gate.leave(stream.host)
            self._streams.discard(stream)
            if not self._streams:
                self._empty.set()

    def stop_accepting(self) -> None:
        """Close the listening socket; connections go on."""
        if self._server is not None:
            self._server.close()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def drain(self, deadline: float) -> None:
        """Let transactions finish, end idle connections, cut the rest after `deadline` seconds."""
        self.stop_accepting()
        for stream in list(self._streams):
            stream.ask_to_drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await self._empty.wait()
        for stream in list(self._streams):
            stream.abort()


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """A non-blocking listening socket; raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=backlog)
    made.setblocking(False)
    return made
