"""One SMTP session with another operator's host: opened, secured, checked, and fit for several letters (TRU-5)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from mss_gateway.base.errors import ProtocolViolation, Refuse
from mss_gateway.net.alert import Shown, shown_by
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

from .dialled import Dialled
from .options import RelayOptions
from .places import Host
from .problems import RelayProblem, said
from .race import reach

_NO_EHLO = frozenset({500, 502, 504})  # a server of RFC 821: HELO would do, but cannot lead to TLS

_MOMENT = 1.0  # seconds; dates pass and OCSP answers come in without a new generation


class Connection:
    """A session under mutual TLS; `messages` counts the letters begun on it, `born` is loop time in seconds."""

    def __init__(self, host: Host, address: str, stream: Dialled, options: RelayOptions) -> None:
        self.host = host
        self.address = address
        self.messages = 0
        self.went_whole = False  # the letter under way, in one flight
        self._row = 0  # letters taken, one right after the other
        self._taken = 0  # the number of the last of them
        self._heard = 0.0  # when that was, in the loop's time
        self.born = asyncio.get_running_loop().time()
        self.certificate = b""
        self.looked: tuple[int, float, PeerName] | None = None  # generation, until when, who
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

    def served(self) -> None:
        """The letter begun last was taken."""
        self._row = self._row + 1 if self._taken == self.messages - 1 else 1
        self._taken = self.messages
        self._heard = asyncio.get_running_loop().time()

    def flows(self, letters: int, seconds: float) -> bool:
        """Whether so many letters in a row were taken right before the one begun, the last one within these seconds."""
        if self._row < letters or self._taken != self.messages - 1 or not self.stream.alive:
            return False
        return asyncio.get_running_loop().time() - self._heard <= seconds

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

    @property
    def shown(self) -> Shown:
        """The certificate that the server has shown, and what was agreed."""
        tls = self.stream.tls
        version, cipher = (tls.version, tls.cipher) if tls is not None else ("", "")
        return Shown((self.certificate,) if self.certificate else (), version, cipher)

    def part(self) -> None:
        """Take leave politely, without waiting for the answer."""
        self.core.quit()
        self.stream.part(self.core.data_to_send(), self._options.deadlines.farewell)

    def abort(self) -> None:
        """Cut the connection now."""
        self.stream.abort()


def identified(connection: Connection, trust: PeerCheck) -> PeerName:
    """Whom the certificate shown speaks for, by what is in force at this letter (TRU-5); raises `RelayProblem`.

    What was found good a moment ago, and nothing was loaded since, is not looked at again.
    """
    host, now = connection.host.name, asyncio.get_running_loop().time()
    looked = connection.looked
    if looked is not None and looked[0] == trust.generation and looked[1] > now:
        return looked[2]
    known = trust.identify_server(connection.certificate)
    if isinstance(known, Refuse):
        text = f"{host}: {known.public}"
        raise RelayProblem(known.reason, text, "4.7.5", host=host, shown=connection.shown)
    connection.looked = trust.generation, now + _MOMENT, known
    return known


def not_listed(connection: Connection, domain: str, peer: PeerName) -> RelayProblem:
    """The DN must be listed for the recipient's domain; a host name never counts (TRU-4, TRU-5)."""
    host = connection.host.name
    text = f"{host} showed {peer.dn_text}, which is not listed for {domain}"
    return RelayProblem("dn-not-listed", text, "4.7.5", host=host, shown=connection.shown)


_OF_NO_CERTIFICATE = frozenset({"tls-version", "tls-no-cipher", "tls-not-spoken", "tls-failed"})


class ServiceFailed(Exception):
    """An address that took the connection and came to nothing: `problem` tells why."""

    def __init__(self, address: str, problem: RelayProblem) -> None:
        super().__init__(problem.reason)
        self.address = address
        self.problem = problem


async def open_connection(
    host: Host, addresses: Sequence[str], options: RelayOptions, trust: PeerCheck
) -> tuple[Connection, tuple[str, ...]]:
    """Connect to the first address that answers, and come as far as the second EHLO.

    With it come the addresses that were tried before in vain. Raises `Unreached` when none answers, otherwise
    `ServiceFailed`; nothing is left open then.
    """
    reached = await reach(addresses, host.port, options.deadlines.connect)
    connection = Connection(host, reached.address, reached.stream, options)
    try:
        await _secure(connection, options, trust)
    except RelayProblem as problem:
        connection.abort()
        raise ServiceFailed(reached.address, problem) from None
    except BaseException:
        connection.abort()
        raise
    return connection, reached.behind


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
    await trust.ask_status(connection.certificate)
    core.tls_started()
    # In TLS 1.3 the server has judged our certificate only when it answers to this.
    if _expected(await connection.event(deadlines.command), host) is None:
        raise _tls_failed(host, connection.stream.error or StreamClosed(), trust)


def _expected(event: ClientEvent | Signal, host: str) -> Ready | HandshakeDue | None:
    """The good answer to greeting, EHLO or STARTTLS, None at the end of the stream; raises `RelayProblem`."""
    if isinstance(event, Ready | HandshakeDue):
        return event
    if isinstance(event, Unwelcome) and event.verb == "EHLO" and event.reply.code in _NO_EHLO:
        raise RelayProblem("no-starttls", f"{host} knows no EHLO, and so no STARTTLS", "4.7.10", host=host)
    if isinstance(event, Unwelcome) and event.verb == "STARTTLS":
        status = f"4{(event.reply.enhanced or '4.7.10')[1:]}"
        raise RelayProblem("starttls-refused", f"{host}: {said(event.reply)}", status, host=host)
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
    elif (
        isinstance(error, ssl.SSLError)
        and "ALERT" in (error.reason or "")
        and reason not in _OF_NO_CERTIFICATE
    ):
        whose = "its verdict on ours: "
    text = f"TLS with {host}: {whose}{sentence}"
    return RelayProblem(reason, text, "4.7.5", host=host, shown=shown_by(error))
