"""A look at a live server as the relay would meet it: each phase with its time, and what certificate it shows (TRU-8).

Nothing of the certificate is verified here, so that a bad one can be seen and judged by `explain`; for the same reason
no mail and no credential ever passes over such a connection.
"""

from __future__ import annotations

import contextlib
import errno
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.net.alert import AlertingObject, shown_by
from mss_gateway.protocol.smtp import (
    CLOSED,
    NEED_DATA,
    ClientConfig,
    ClientEvent,
    HandshakeDue,
    PeerCloses,
    Ready,
    Signal,
    SmtpClient,
    Unwelcome,
)
from mss_gateway.rules.ins import mask_text

from .judgement import Step, Verdict
from .probe_wire import Ended, ProbeWire, Silent, chain_of
from .refusals import tls_refusal

_SECOND = 2.0  # seconds for each phase of a second look
_OF_NO_CERTIFICATE = frozenset({"tls-version", "tls-no-cipher", "tls-not-spoken", "tls-failed"})
_NO_EHLO = frozenset({500, 502, 504})  # a server of RFC 821
_LINE = 200  # characters of a server's text that are shown
_PHASES = ("connection", "greeting", "EHLO", "STARTTLS", "TLS", "our certificate")
_REMEDIES = {
    "connect-refused": "Is it the right host and port, does the server run, and does the firewall let us through?",
    "connect-timeout": "Nothing answers there: check address, port and the firewalls on both sides.",
    "no-starttls": "The server's operator switches STARTTLS on; nothing is ever sent without it.",
    "starttls-refused": "The server's operator finds out why TLS does not work there; nothing is ever sent without it.",
    "tls-version": "The server's operator switches TLS 1.2 or 1.3 on.",
    "tls-no-cipher": "The server's operator offers ECDHE with AES-GCM or ChaCha20-Poly1305.",
    "peer-refused": "Its words tell why; its operator may not know our address.",
    "peer-temporary": "It may take us later: ask again.",
    "peer-broke-protocol": "What answers there does not speak SMTP as RFC 5321 has it.",
    "timeout": "The server fell silent: its operator's log may tell why.",
    "lost": "The server closed the connection: its operator's log tells why.",
}
_STATUSES = {
    "connect-refused": "4.4.1",
    "connect-timeout": "4.4.1",
    "timeout": "4.4.2",
    "lost": "4.4.2",
    "no-starttls": "4.7.10",
    "peer-broke-protocol": "4.5.0",
}
_OURS = "Is our certificate current, is our DN on the trusted list that this operator uses, and are its CRLs current?"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: the name that people know, one address of it, and the port."""

    host: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """`hostname` is said in EHLO; with `implicit_tls` TLS comes first. Seconds for each phase."""

    hostname: str
    implicit_tls: bool = False
    connect: float = 5.0
    phase: float = 6.0


@dataclass(slots=True)
class Sight:
    """What was seen: the phases as steps, and the certificates in DER. `reason` is the relay's slug of a failure.

    `status` (RFC 3463) and `text` are what the queue would say with it.
    """

    steps: list[Step] = field(default_factory=list)
    chain: tuple[bytes, ...] = ()
    reason: str = ""
    status: str = ""
    text: str = ""

    def record_pass(self, name: str, *evidence: str) -> None:
        """A phase that went well."""
        self.steps.append(Step(name, Verdict.PASS, evidence))


class _Failed(Exception):
    """A phase came to nothing."""

    def __init__(self, phase: str, reason: str, text: str, status: str = "") -> None:
        super().__init__(reason)
        self.phase, self.reason, self.text = phase, reason, text
        self.status = status or _STATUSES.get(reason, "4.7.5")


Contexts = Callable[[bool], ssl.SSLContext]
"""Gives the context of a look: with True the lenient one (`contexts.probing_context`)."""


def probe(place: Place, contexts: Contexts, options: ProbeOptions) -> Sight:
    """Look at one address; never raises for what a server does. Blocking, for at most some phases' time."""
    sight = Sight()
    try:
        _Look(place, options, sight).take(contexts(False))
    except _Failed as failed:
        sight.reason, sight.status, sight.text = failed.reason, failed.status, failed.text
        remedy = _OURS if failed.phase == "our certificate" else _REMEDIES.get(failed.reason, "")
        sight.steps.append(Step(failed.phase, Verdict.FAIL, (failed.text,), remedy, failed.reason))
        reached = {step.name for step in sight.steps}
        after = _PHASES[_PHASES.index(failed.phase) + 1 :]
        sight.steps += [Step(name, Verdict.NOT_REACHED) for name in after if name not in reached]
        if not sight.chain and failed.phase == "TLS":
            sight.chain = _second_look(place, contexts(True), options)
    return sight


def _second_look(place: Place, context: ssl.SSLContext, options: ProbeOptions) -> tuple[bytes, ...]:
    """Only to see the certificate of a server whose TLS is not good enough; it has to be quick."""
    sight = Sight()
    options = replace(options, connect=min(options.connect, _SECOND), phase=min(options.phase, _SECOND))
    with contextlib.suppress(_Failed):
        _Look(place, options, sight).take(context)
    return sight.chain


class _Look:
    """One connection."""

    def __init__(self, place: Place, options: ProbeOptions, sight: Sight) -> None:
        self._place = place
        self._options = options
        self._sight = sight
        self._core = SmtpClient(ClientConfig(options.hostname))
        self._greeting = b""
        self._greeted = 0.0

    def take(self, context: ssl.SSLContext) -> None:
        """Go through the phases; raises `_Failed`."""
        place, start = self._place, time.perf_counter()
        try:
            wire = ProbeWire.connect(place.address, place.port, self._options.connect)
        except TimeoutError:
            text = f"no connection to {place.host}: [{place.address}] did not answer"
            raise _Failed("connection", "connect-timeout", text) from None
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, type(error).__name__)
            text = f"no connection to {place.host}: [{place.address}] refused ({name})"
            raise _Failed("connection", "connect-refused", text) from None
        try:
            self._sight.record_pass("connection", f"{place.address} port {place.port}, {_took(start)}")
            if self._options.implicit_tls:
                self._secure(wire, context)
                self._hello(wire, "our certificate")
            else:
                self._hello(wire, "")
                self._start_tls(wire)
                self._secure(wire, context)
                self._core.tls_started()
                self._hello(wire, "our certificate")
            self._core.quit()
            self._flush(wire)
        except (Silent, Ended, ssl.SSLError):
            pass  # it has told all that we wanted to know, and then did not wait for QUIT
        finally:
            wire.close()

    def _hello(self, wire: ProbeWire, first: str) -> None:
        """Greeting and EHLO; under TLS the first answer tells what the server thinks of our certificate."""
        start = time.perf_counter()
        self._greeted = 0.0
        self._expect(wire, Ready, first or "greeting")
        greeted = self._greeted or start
        keywords = sorted(self._core.capabilities.keywords)
        size = self._core.capabilities.max_size
        offers = ", ".join(keywords) or "no extension"
        evidence = [f"offers {offers}", *([f"messages of at most {size} octets"] if size else [])]
        if first != "our certificate":
            self._sight.record_pass("greeting", _shown(self._greeting), _took(start, greeted))
            self._sight.record_pass("EHLO", *evidence, _took(greeted))
            return
        self._ours(wire, _took(start))
        self._sight.record_pass("EHLO under TLS", *evidence)

    def _ours(self, wire: ProbeWire, took: str) -> None:
        asked = wire.tls.asked if isinstance(wire.tls, AlertingObject) else None
        if asked is False:
            evidence = ("the server did not ask for our certificate, and talks to us without", took)
            advice = "Its operator should ask for one: the trust space wants both ends to show theirs."
            self._sight.steps.append(Step("our certificate", Verdict.DOUBT, evidence, advice))
            return
        said = "the server asked for our certificate and accepted it" if asked else "the server talks to us"
        self._sight.record_pass("our certificate", said, took)

    def _start_tls(self, wire: ProbeWire) -> None:
        start = time.perf_counter()
        if not self._core.capabilities.offers("STARTTLS"):
            text = f"{self._place.host} does not offer STARTTLS"
            raise _Failed("STARTTLS", "no-starttls", text)
        self._core.start_tls()
        self._expect(wire, HandshakeDue, "STARTTLS")
        self._sight.record_pass("STARTTLS", _took(start))

    def _secure(self, wire: ProbeWire, context: ssl.SSLContext) -> None:
        start = time.perf_counter()
        host = self._place.host
        try:
            tls = wire.secure(context, self._options.phase)
        except ssl.SSLError as error:
            self._sight.chain = shown_by(error).chain
            raise self._tls_failed(error) from None
        except Silent:
            text = f"{host} did not finish the TLS handshake in time"
            raise _Failed("TLS", "tls-failure", text) from None
        except Ended:
            raise self._tls_failed(ConnectionResetError()) from None
        self._sight.chain = chain_of(tls)
        cipher = tls.cipher()
        count = len(self._sight.chain)
        self._sight.record_pass(
            "TLS",
            f"{tls.version()} with {cipher[0] if cipher else 'an unknown suite'}",
            f"{count} certificate{'s' if count != 1 else ''} shown",
            _took(start),
        )

    def _tls_failed(self, error: BaseException, phase: str = "TLS") -> _Failed:
        """An alert is the server's verdict on us; nothing else can fail, since nothing of theirs is verified."""
        reason, sentence = tls_refusal(error)
        alert = isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")
        ours = alert and reason not in _OF_NO_CERTIFICATE
        whose = "its verdict on ours: " if ours else ""
        text = f"TLS with {self._place.host}: {whose}{sentence}"
        if ours and phase == "TLS":
            self._sight.record_pass("TLS", "as far as the certificates")
            phase = "our certificate"
        return _Failed(phase, reason, text)

    def _expect(self, wire: ProbeWire, kind: type[Ready | HandshakeDue], phase: str) -> None:
        host = self._place.host
        try:
            event = self._event(wire)
        except ProtocolViolation as violation:
            raise _Failed(phase, "peer-broke-protocol", f"{host}: {violation.public}") from None
        except Silent:
            raise _Failed(phase, "timeout", f"{host} did not answer in time") from None
        except ssl.SSLError as error:
            raise self._tls_failed(error, phase) from None
        except Ended:
            if phase == "our certificate":
                raise self._tls_failed(ConnectionResetError(), phase) from None
            raise _Failed(phase, "lost", f"{host} closed the connection") from None
        if isinstance(event, kind):
            return
        if isinstance(event, Unwelcome) and event.verb == "EHLO" and event.reply.code in _NO_EHLO:
            raise _Failed("EHLO", "no-starttls", f"{host} knows no EHLO, and so no STARTTLS")
        if isinstance(event, Unwelcome | PeerCloses):
            reason, usual = "peer-temporary" if event.reply.code < 500 else "peer-refused", "4.4.1"
            if isinstance(event, Unwelcome) and event.verb == "STARTTLS":
                reason, usual = "starttls-refused", "4.7.10"
            said = " ".join(filter(None, (str(event.reply.code), event.reply.enhanced, event.reply.text)))
            status = f"4{(event.reply.enhanced or usual)[1:]}"
            raise _Failed(phase, reason, f"{host}: {_shown(said.encode())}", status)
        raise _Failed(phase, "lost", f"{host} closed the connection")

    def _event(self, wire: ProbeWire) -> ClientEvent | Signal:
        due = time.monotonic() + self._options.phase
        while (event := self._core.next_event()) is NEED_DATA:
            if self._flush(wire) and not self._greeted:
                self._greeted = time.perf_counter()
            try:
                data = wire.receive(due - time.monotonic())
            except Ended:
                self._core.receive_eof()
                event = self._core.next_event()
                if event is CLOSED:
                    raise
                return event
            self._greeting = self._greeting or data
            self._core.receive_data(data)
        return event

    def _flush(self, wire: ProbeWire) -> bool:
        data = self._core.data_to_send()
        if data:
            wire.send(data, self._options.phase)
        return bool(data)


def _took(start: float, end: float | None = None) -> str:
    seconds = (time.perf_counter() if end is None else end) - start
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _shown(octets: bytes) -> str:
    """The first line of what a server said, printable and without an INS."""
    line = octets.split(b"\n", 1)[0][: 2 * _LINE].decode("utf-8", "replace").strip()
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    return mask_text(plain)[:_LINE]
