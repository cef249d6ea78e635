"""Operators to deliver to, on loopback: aiosmtpd under mutual TLS, and servers that follow a script."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.net.stream import Stream
from mss_gateway.ports.relay import Letter
from mss_gateway.protocol.smtp import (
    CLOSED,
    NEED_DATA,
    DataChunk,
    DataEnd,
    DataStart,
    Hello,
    MailFrom,
    RcptTo,
    ServerConfig,
    SmtpServer,
    StartTls,
)
from mss_gateway.relay.courier import RelayCourier
from mss_gateway.relay.options import DnsOptions, RelayDeadlines, RelayLimits, RelayOptions
from tests.support.pki import Issued
from tests.support.trust import FOREIGN, THEIRS, World

HEADER = b"From: <moi@clinique-exemple.mssante.fr>\r\nSubject: essai\r\n\r\n"
PATIENT = RelayDeadlines(
    connect=30.0,
    greeting=30.0,
    handshake=30.0,
    command=30.0,
    content=30.0,
    answer=30.0,
    slot=30.0,
    letter=90.0,
    farewell=1.0,
)
"""What no test reaches, however busy the machine; a test about a deadline shortens that one."""
LOCAL = "127.0.0.1"


def letter(text: bytes = b"bonjour\r\n", *locals_: str, domain: str = FOREIGN, **more: object) -> Letter:
    """A letter to people of one domain, `dr` when nobody is named."""

    async def read(offset: int, size: int) -> bytes:
        return text[offset : offset + size]

    people = tuple(Recipient(parse_address(f"{local}@{domain}")) for local in locals_ or ("dr",))
    sender = parse_address("moi@clinique-exemple.mssante.fr")
    return replace(Letter(domain, sender, people, HEADER, len(text), read), **more)  # type: ignore[arg-type]


def options(*ports: int, domain: str = FOREIGN, **changes: object) -> RelayOptions:
    """Options that lead a domain to these ports of loopback without DNS, with deadlines that no test reaches."""
    overrides = {domain: tuple((LOCAL, port) for port in ports)}
    made = RelayOptions("mx.clinique-exemple.mssante.fr", overrides=overrides, deadlines=PATIENT)
    return replace(made, **changes)  # type: ignore[arg-type]


def by_dns(nameserver: str, port: int, *others: str) -> RelayOptions:
    """Options that ask these name servers, hosts listening on `port`."""
    dns = DnsOptions((nameserver, *others), timeout=1.0, lifetime=3.0)
    return RelayOptions("mx.clinique-exemple.mssante.fr", port=port, dns=dns, deadlines=PATIENT)


@asynccontextmanager
async def courier(world: World, chosen: RelayOptions, **limits: object) -> AsyncIterator[RelayCourier]:
    """A courier of the world's own operator, closed at the end with nothing left in use."""
    if limits:
        chosen = replace(chosen, limits=replace(RelayLimits(), **limits))  # type: ignore[arg-type]
    made = RelayCourier(chosen, world.trust())
    try:
        yield made
        assert made.pool.busy == 0
    finally:
        await made.close()


def server_context(world: World, issued: Issued | None = None, *, certificate: bool = True) -> ssl.SSLContext:
    """A foreign server's context that wants a client certificate of the same hierarchy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = issued or world.pki.organisations.issue(THEIRS)
    context.load_cert_chain(*issued.write(world.folder / "servers", f"{issued.serial:x}"))
    if certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=world.pki.ca_pem.decode())
    return context


@dataclass
class Neighbour:
    """The hooks of aiosmtpd: keeps what it gets; `refused` local parts get 550; counts connections."""

    refused: tuple[str, ...] = ()
    mail: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    subjects: list[Any] = field(default_factory=list)
    connections: int = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count sessions under TLS."""
        session.host_name = hostname
        self.connections += session.ssl is not None
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, given: list[str]
    ) -> str:
        """Take everybody but the refused."""
        if address.partition("@")[0] in self.refused:
            return "550 5.1.1 2 85 03 75 116 001 22 is not here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep it."""
        link: dict[str, Any] = session.ssl or {}
        self.subjects.append(link["peercert"]["subject"])
        self.mail.append((envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content or b""))
        return "250 2.0.0 taken"


@asynccontextmanager
async def neighbour(
    world: World, hooks: Neighbour, host: str = LOCAL, issued: Issued | None = None, **given: Any
) -> AsyncIterator[int]:
    """aiosmtpd that requires STARTTLS with a client certificate; gives its port."""
    context = server_context(world, issued)

    def made() -> SMTP:
        return SMTP(hooks, hostname="mx.voisin", tls_context=context, require_starttls=True, **given)

    server = await asyncio.get_running_loop().create_server(made, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def our_own(world: World, received: list[tuple[MailFrom, bytes]]) -> AsyncIterator[int]:
    """Our server core on a socket: it pipelines and takes chunks, which aiosmtpd does not."""
    context = server_context(world)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(stream: Stream) -> None:
        core = SmtpServer(ServerConfig("mx.voisin.test"))
        core.greet()
        content = b""
        while (event := core.next_event()) is not CLOSED:
            if event is NEED_DATA:
                stream.write(core.data_to_send() or b"")
                octets = await stream.read(10.0)
                core.receive_data(octets) if octets else core.receive_eof()
            elif isinstance(event, DataChunk):
                content += event.data
            elif isinstance(event, Hello | StartTls | MailFrom | RcptTo | DataStart | DataEnd):
                core.accept()
                if isinstance(event, StartTls):
                    stream.write(core.data_to_send())
                    await stream.start_tls(context, 10.0)
                    core.tls_started()
                elif isinstance(event, MailFrom):
                    mail, content = event, b""
                elif isinstance(event, DataEnd):
                    received.append((mail, content))
        await stream.close()

    def accept(stream: Stream) -> None:
        task = loop.create_task(serve(stream))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await loop.create_server(lambda: Stream(accept), LOCAL, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks)


class Script:
    """One connection of a scripted server."""

    def __init__(self, world: World, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._world = world

    async def say(self, *lines: str) -> None:
        """Send reply lines."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear(self, *verbs: str) -> None:
        """Read one command for each verb; they must come in this order."""
        for verb in verbs:
            line = await self.reader.readline()
            assert line.upper().startswith(verb.encode()), (verb, line)

    async def welcome(
        self, *keywords: str, context: ssl.SSLContext | None = None, before_tls: str = "STARTTLS"
    ) -> None:
        """Come as far as the answer to the second EHLO, which offers `keywords`."""
        await self.say("220 mx.test")
        await self.hear("EHLO")
        await self.say("250-mx.test", f"250 {before_tls}")
        await self.hear("STARTTLS")
        await self.say("220 go")
        await self.writer.start_tls(context or server_context(self._world))
        await self.hear("EHLO")
        await self.say("250-mx.test", *(f"250-{keyword}" for keyword in keywords), "250 8BITMIME")

    async def content(self) -> bytes:
        """Read what follows 354, to its end."""
        return await self.reader.readuntil(b"\r\n.\r\n")

    async def transaction(self, last: str = "250 2.0.0 taken", *, pipelined: bool = True) -> None:
        """Take one letter for one recipient and answer it."""
        for verb, answer in (("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "354 go")):
            await self.hear(verb)
            await self.say(answer)
        await self.content()
        await self.say(last)


@dataclass
class Served:
    """A scripted server: its port, how many connections it had, what went wrong in its own script."""

    port: int
    connections: int = 0
    faults: list[BaseException] = field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def all_closed(self) -> None:
        """Wait until every connection has ended on the server's side: a leaked one never does."""
        async with asyncio.timeout(30.0):
            await asyncio.gather(*self.tasks)


@asynccontextmanager
async def scripted(
    world: World, play: Callable[[Script], Awaitable[None]], host: str = LOCAL
) -> AsyncIterator[Served]:
    """A server whose connections follow `play` and end with it."""
    served = Served(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        task = asyncio.current_task()
        assert task is not None
        served.tasks.add(task)
        try:
            await play(Script(world, reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone, as it may
        except AssertionError as fault:
            served.faults.append(fault)
        finally:
            served.tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
    assert served.faults == []
