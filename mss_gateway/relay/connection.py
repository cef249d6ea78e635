"""One SMTP session with another operator's host: opened, secured, checked, and fit for several letters (TRU-5)."""

from __future__ import annotations

import asyncio
import ssl

from mss_gateway.base.errors import ProtocolViolation, Refuse
from mss_gateway.net.stream import DeadlinePassed, StreamClosed
from mss_gateway.ports.relay import PeerCheck
from mss_gateway.ports.trust import PeerName
from mss_gateway.protocol.smtp import (
    CLOSED,
    NEED_DATA,
    Capabilities,
    ClientConfig,
    ClientEvent,
    HandshakeDue,
    PeerCloses,
    Ready,
    Signal,
    SmtpClient,
    Unwelcome,
)

from .dialled import Dialled, dial
from .options import RelayOptions
from .places import Host
from .problems import RelayProblem, said


class Connection:
    """A session under mutual TLS; `messages` counts the letters begun on it, `born` is loop time in seconds."""

    def __init__(self, host: Host, address: str, stream: Dialled, options: RelayOptions) -> None:
        self.host = host
        self.address = address
        self.messages = 0
        self.born = asyncio.get_running_loop().time()
        self.certificate = b""
        self.core = SmtpClient(ClientConfig(options.hostname))
        self.stream = stream
        self._options = options

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers under TLS."""
        return self.core.capabilities

    @property
    def usable(self) -> bool:
        """True when another letter may be begun on it."""
        limits = self._options.limits
        young = asyncio.get_running_loop().time() - self.born < limits.age
        return young and self.messages < limits.messages and self.core.idle and self.stream.alive

    async def event(self, deadline: float) -> ClientEvent | Signal:
        """The next event, within `deadline` seconds however the peer spreads its octets; `CLOSED` at the end.

        Raises `ProtocolViolation` or `DeadlinePassed`; a broken connection is the end.
        """
        core, stream = self.core, self.stream
        loop = asyncio.get_running_loop()
        due = loop.time() + deadline
        while (event := core.next_event()) is NEED_DATA:
            try:
                await self.flush(due - loop.time())
                data = await stream.read(max(due - loop.time(), 0.001))
            except StreamClosed:
                data = b""
            if data:
                core.receive_data(data)
            else:
                core.receive_eof()
        return event

    async def flush(self, deadline: float) -> None:
        """Hand what is queued to the transport; raises `StreamClosed` or `DeadlinePassed`."""
        octets = self.core.data_to_send()
        if octets:
            self.stream.write(octets)
        if self.stream.write_blocked:
            await self.stream.drain(max(deadline, 0.001))

    def overhear(self) -> ClientEvent | Signal:
        """What the server says while we are still sending, without waiting; raises `ProtocolViolation`."""
        data = self.stream.take()
        if data:
            self.core.receive_data(data)
        if self.stream.ended:
            self.core.receive_eof()
        return self.core.next_event()

    def part(self) -> None:
        """Take leave politely, without waiting for the answer."""
        self.core.quit()
        self.stream.part(self.core.data_to_send(), self._options.deadlines.farewell)

    def abort(self) -> None:
        """Cut the connection now."""
        self.stream.abort()


def identified(connection: Connection, trust: PeerCheck) -> PeerName:
    """Whom the certificate shown speaks for, by what is in force at this letter (TRU-5); raises `RelayProblem`."""
    host = connection.host.name
    known = trust.identify_server(connection.certificate)
    if isinstance(known, Refuse):
        raise RelayProblem(known.reason, f"{host}: {known.public}", "4.7.5", host=host)
    return known


def not_listed(connection: Connection, domain: str, peer: PeerName) -> RelayProblem:
    """The DN must be listed for the recipient's domain; a host name never counts (TRU-4, TRU-5)."""
    host = connection.host.name
    text = f"{host} showed {peer.dn_text}, which is not listed for {domain}"
    return RelayProblem("dn-not-listed", text, "4.7.5", host=host)


async def open_connection(host: Host, address: str, options: RelayOptions, trust: PeerCheck) -> Connection:
    """Connect, and come as far as the second EHLO; raises `RelayProblem`. Nothing is left open when it fails."""
    try:
        stream = await dial(address, host.port, options.deadlines.connect)
    except TimeoutError:
        raise RelayProblem(
            "connect-timeout", f"{host} [{address}] did not answer", "4.4.1", host=host.name
        ) from None
    except OSError as error:
        text = f"no connection to {host} [{address}] ({type(error).__name__})"
        raise RelayProblem("connect-refused", text, "4.4.1", host=host.name) from None
    connection = Connection(host, address, stream, options)
    try:
        await _secure(connection, options, trust)
    except BaseException:
        connection.abort()
        raise
    return connection


async def _secure(connection: Connection, options: RelayOptions, trust: PeerCheck) -> None:
    host = connection.host.name
    try:
        await _speak(connection, options, trust)
    except ProtocolViolation as violation:
        text = f"{host}: {violation.public}"
        raise RelayProblem("peer-broke-protocol", text, "4.5.0", host=host) from None
    except DeadlinePassed:
        raise RelayProblem("timeout", f"{host} did not answer in time", "4.4.2", host=host) from None
    except StreamClosed:
        raise _lost(host) from None


async def _speak(connection: Connection, options: RelayOptions, trust: PeerCheck) -> None:
    deadlines, core, host = options.deadlines, connection.core, connection.host.name
    ready = _expected(await connection.event(deadlines.greeting), host)
    if ready is None:  # the greeting is answered by EHLO within the core: this is the end of the stream
        raise _lost(host)
    if not core.capabilities.offers("STARTTLS"):
        raise RelayProblem("no-starttls", f"{host} does not offer STARTTLS", "4.7.10", host=host)
    core.start_tls()
    if _expected(await connection.event(deadlines.command), host) is None:
        raise _lost(host)
    connection.overhear()  # raises for what came in the clear behind the 220
    try:
        connection.certificate = await connection.stream.secure(trust.outbound_context(), deadlines.handshake)
    except (ssl.SSLError, StreamClosed) as error:
        raise _tls_failed(host, error, trust) from None
    except DeadlinePassed:
        text = f"{host} did not finish the TLS handshake in time"
        raise RelayProblem("tls-failure", text, "4.7.5", host=host) from None
    core.tls_started()
    # In TLS 1.3 the server has judged our certificate only when it answers to this.
    if _expected(await connection.event(deadlines.command), host) is None:
        raise _tls_failed(host, connection.stream.error or StreamClosed(), trust)


def _expected(event: ClientEvent | Signal, host: str) -> Ready | HandshakeDue | None:
    """The good answer to greeting, EHLO or STARTTLS, None at the end of the stream; raises `RelayProblem`."""
    if isinstance(event, Ready | HandshakeDue):
        return event
    if isinstance(event, Unwelcome | PeerCloses):
        # A host that wants nothing of us: another one may, and tomorrow it may too (TRU-5).
        reason = "peer-temporary" if event.reply.code < 500 else "peer-refused"
        status = f"4{(event.reply.enhanced or '4.4.1')[1:]}"
        raise RelayProblem(reason, f"{host}: {said(event.reply)}", status, host=host)
    assert event is CLOSED
    return None


def _lost(host: str) -> RelayProblem:
    return RelayProblem("lost", f"{host} closed the connection", "4.4.2", host=host)


def _tls_failed(host: str, error: BaseException, trust: PeerCheck) -> RelayProblem:
    """Whose certificate was refused: OpenSSL's own verdict is about theirs, an alert is theirs about ours."""
    if isinstance(error, StreamClosed):
        error = ConnectionResetError()
    reason, sentence = trust.explain_handshake(error)
    whose = ""
    if isinstance(error, ssl.SSLCertVerificationError):
        whose = "its certificate: "
    elif isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        whose = "its verdict on ours: "
    return RelayProblem(reason, f"TLS with {host}: {whose}{sentence}", "4.7.5", host=host)
