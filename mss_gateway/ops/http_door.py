"""The ops door: HTTP/1.1 by uvicorn's protocol inside the gateway's own loop, under caps and deadlines (OPS-4).

The server of uvicorn stays out: it would take the signals, configure the logging, and keep one TLS context for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from mss_gateway.net.gate import Gate
from mss_gateway.net.listener import ACCEPTS, REST, listening_socket
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log

from .http_options import HttpLimits, HttpOptions, Place

BACKLOG = 64
SHUTDOWN = 2.0  # seconds for the end of TLS

_SILENT = logging.getLogger("mss_gateway.http")  # uvicorn's own lines would show requests (AUD-5)
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL)


class Visit(H11Protocol):
    """One connection: a request with its answer has one deadline, however slowly its octets come."""

    def __init__(
        self, config: Config, state: ServerState, limits: HttpLimits, left: Callable[[], None]
    ) -> None:
        super().__init__(config, state, {})
        self.logger = self.access_logger = _SILENT
        self.access_log = False
        self._limits = limits
        self._left = left
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the client's certificate for the login."""
        super().connection_made(transport)  # type: ignore[arg-type]
        tls = transport.get_extra_info("ssl_object")
        self.app_state = {"certificate": tls.getpeercert(binary_form=True) if tls is not None else None}
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Octets of a request; the first ones start its deadline."""
        self._arm()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """The answer is given; what was sent ahead has a deadline of its own."""
        self._disarm()
        super().on_response_complete()
        ahead = self.cycle is not None and not self.cycle.response_complete
        if ahead or self.transport.is_closing():  # closed, but not before the client has read it all
            self._arm()

    def timeout_keep_alive_handler(self) -> None:
        """No further request came; a client that does not even read its answer is cut off."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever made it."""
        self._disarm()
        super().connection_lost(exc)
        self._left()

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.request_timeout, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()


class HttpDoor:
    """Listens on every place of the options. `context` gives the TLS context in force at this moment."""

    def __init__(
        self,
        options: HttpOptions,
        app: Any,
        context: Callable[[], ssl.SSLContext],
        explain: Callable[[BaseException], tuple[str, str]],
        log: Log,
        group: asyncio.TaskGroup,
    ) -> None:
        self._options, self._context, self._explain = options, context, explain
        self._log, self._group = log, group
        self._gate = Gate(options.caps)
        self._state = ServerState()
        self._sockets: list[tuple[socket.socket, Place]] = []
        self._entering: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.accepted = 0
        self.turned_away = 0
        limits = options.limits
        self._config = Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=max(1, int(limits.idle_timeout)),
            h11_max_incomplete_event_size=limits.header_size,
        )
        self._config.load()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return self._gate.open

    async def open(self) -> list[int]:
        """Start to listen; the TCP ports in the order of the options, 0 for a socket file. Raises OSError."""
        loop = asyncio.get_running_loop()
        ports = []
        for place in self._options.places:
            made = _listening(place)
            self._sockets.append((made, place))
            loop.add_reader(made, self._accept, made, place)
            ports.append(0 if place.path else int(made.getsockname()[1]))
        return ports

    def _accept(self, listening: socket.socket, place: Place) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTS):
            try:
                connection, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor left: look again in a moment
                loop.remove_reader(listening)
                loop.call_later(REST, self._resume, listening, place)
                return
            connection.setblocking(False)
            host = "unix" if place.path else str(peer[0])
            if not self._gate.enter(host):
                self.turned_away += 1
                connection.close()
                continue
            self.accepted += 1
            self._empty.clear()
            entering = self._group.create_task(self._enter(connection, host, place))
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)

    def _resume(self, listening: socket.socket, place: Place) -> None:
        if any(listening is one for one, _ in self._sockets):
            asyncio.get_running_loop().add_reader(listening, self._accept, listening, place)

    async def _enter(self, connection: socket.socket, host: str, place: Place) -> None:
        """Make the handshake with the context of this moment, and leave the rest to the protocol."""
        inside = True

        def left() -> None:
            nonlocal inside
            if inside:
                inside = False
                self._gate.leave(host)
                if not self._gate.open:
                    self._empty.set()

        def visit() -> Visit:
            return Visit(self._config, self._state, self._options.limits, left)

        loop, deadline = asyncio.get_running_loop(), self._options.limits.request_timeout
        try:
            if place.secure:
                await loop.connect_accepted_socket(
                    visit,
                    connection,
                    ssl=self._context(),
                    ssl_handshake_timeout=deadline,
                    ssl_shutdown_timeout=SHUTDOWN,
                )
            else:
                await loop.connect_accepted_socket(visit, connection)
        except OSError as error:  # of the handshake, or the client has gone
            left()
            connection.close()
            if isinstance(error, ssl.SSLError):
                reason, sentence = self._explain(error)
                self._log.info(Event.TLS_REFUSED, session="", peer=host, reason=reason, sentence=sentence)
        except BaseException as error:
            left()
            connection.close()
            if not isinstance(error, Exception):
                raise
            self._log.fault(Event.GATEWAY_FAULT, error)

    def _stop_accepting(self) -> None:
        loop = asyncio.get_running_loop()
        for listening, place in self._sockets:
            loop.remove_reader(listening)
            listening.close()
            if place.path is not None:
                place.path.unlink(missing_ok=True)
        self._sockets = []

    async def drain(self, deadline: float) -> None:
        """Let requests be answered, end idle connections, cut the rest after `deadline` seconds."""
        self._stop_accepting()
        for entering in self._entering:  # no request has come yet
            entering.cancel()
        for visit in list(self._state.connections):
            visit.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await self._empty.wait()
        for visit in list(self._state.connections):
            visit.transport.abort()


def _listening(place: Place) -> socket.socket:
    if place.path is None:
        return listening_socket(place.host, place.port, BACKLOG)
    _unlink_stale(place.path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(place.path))
        os.chmod(place.path, 0o660)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def _unlink_stale(path: Path) -> None:
    """Remove the socket file of a killed gateway, never a file of another kind."""
    if path.is_socket():
        path.unlink()
