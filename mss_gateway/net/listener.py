"""One listening address: accepts under caps, one task per connection, drains on request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .gate import Gate, GateOptions
from .stream import Stream

Serve = Callable[[Stream], Awaitable[None]]
"""What a door does with one connection; it never raises."""


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """Where to listen. `implicit_tls` holds back reading until the door has made the handshake."""

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
        self._empty = asyncio.Event()
        self._empty.set()

    async def open(self) -> int:
        """Start to listen and return the port; raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Stream(self._accept, hold=self.options.implicit_tls),
            self.options.host,
            self.options.port,
            backlog=self.options.backlog,
            reuse_address=True,
        )
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._streams)

    def _accept(self, stream: Stream) -> None:
        if not self._gate.enter(stream.host):
            # A client that waits for TLS cannot read a sentence; it is just closed.
            if self.options.busy and not self.options.implicit_tls:
                stream.write(self.options.busy)
            self._group.create_task(stream.close(1.0))
            return
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
