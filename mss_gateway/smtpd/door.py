"""One SMTP connection: moves bytes between the socket and the core, and events to the line."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.net.stream import DeadlinePassed, Draining, Stream, StreamClosed
from mss_gateway.observe.events import Event as Seen
from mss_gateway.observe.log import Log
from mss_gateway.pipeline.intake import Intake
from mss_gateway.pipeline.login import Login
from mss_gateway.protocol.smtp import CLOSED, NEED_DATA, Event, Reply, ServerConfig, SmtpServer

from .conversation import Conversation
from .options import Role, SmtpOptions

TIMED_OUT = Reply(421, "4.4.2", "Too long without a word; closing")
STOPPING = Reply(421, "4.3.2", "The gateway is stopping; try again in a moment")
OUR_FAULT = Reply(451, "4.3.0", "Something went wrong on our side; try again later")


@dataclass(frozen=True, slots=True)
class SmtpDoor:
    """Serves connections of one listener. `context` gives the TLS context in force at this moment."""

    options: SmtpOptions
    intake: Intake
    login: Login
    context: Callable[[], ssl.SSLContext]
    log: Log

    def config(self, tls_active: bool) -> ServerConfig:
        """What the protocol core offers in this role."""
        submission = self.options.role is Role.SUBMISSION
        return ServerConfig(
            hostname=self.options.hostname,
            max_size=self.options.max_size,
            offer_starttls=not self.options.implicit_tls,
            tls_active=tls_active,
            require_tls=True,
            require_auth=submission,
            auth_mechanisms=self.login.mechanisms if submission else (),
            limits=self.options.limits,
        )

    async def serve(self, stream: Stream) -> None:
        """Hold one connection to its end. Nothing escapes: our own fault is told as 451 and logged."""
        connection = Connection(self, stream)
        try:
            async with asyncio.timeout(self.options.deadlines.session):
                await connection.run()
        except (StreamClosed, DeadlinePassed, TimeoutError):
            self.log.debug(Seen.SMTP_LOST, peer=stream.host)
        except ssl.SSLError as error:
            self.login.handshake_failed(stream, error)
        except Exception as error:  # our own bug must end this connection, never the listeners' task group
            self.log.fault(Seen.SMTP_FAULT, error, peer=stream.host)
        finally:
            await connection.conversation.abandon()


class Connection:
    """The loop of one connection."""

    def __init__(self, door: SmtpDoor, stream: Stream) -> None:
        self._door = door
        self._stream = stream
        self._core = SmtpServer(door.config(tls_active=door.options.implicit_tls))
        self.conversation = Conversation(self._core, stream, door.intake, door.login, door.options)

    async def run(self) -> None:
        """Speak until one side ends it."""
        if self._door.options.implicit_tls:
            await self._handshake()
        self._core.greet()
        while True:
            try:
                event = self._core.next_event()
            except ProtocolViolation as violation:
                self._door.log.warning(Seen.SMTP_VIOLATION, peer=self._stream.host, reason=violation.reason)
                await self._flush()
                return
            if event is NEED_DATA:
                await self._need_data()
            elif event is CLOSED:
                await self._flush()
                return
            else:
                assert not isinstance(event, type(CLOSED))
                await self._handle(event)

    async def _need_data(self) -> None:
        await self._flush()
        try:
            data = await self._stream.read(self.conversation.deadline(), idle=self.conversation.idle)
        except DeadlinePassed:
            self._core.close(TIMED_OUT)
            return
        except Draining:
            self._core.close(STOPPING)
            return
        if data:
            self._core.receive_data(data)
        else:
            self._core.receive_eof()

    async def _handle(self, event: Event) -> None:
        try:
            wants_tls = await self.conversation.handle(event)
        except (StreamClosed, DeadlinePassed):
            raise
        except Exception as error:  # our own bug: the peer learns nothing of it and may try again
            self._door.log.fault(Seen.SMTP_FAULT, error, peer=self._stream.host)
            self._core.close(OUR_FAULT)
            return
        if wants_tls:
            await self._flush()
            await self._handshake()
            self._core.tls_started()

    async def _handshake(self) -> None:
        await self._stream.start_tls(self._door.context(), self._door.options.deadlines.handshake)
        if self._door.options.role is Role.SUBMISSION:
            self._core.offer(self._door.login.offered(self._stream))

    async def _flush(self) -> None:
        data = self._core.data_to_send()
        if data:
            self._stream.write(data)
            if self._stream.write_blocked:
                await self._stream.drain(self._door.options.deadlines.write)
