"""Step 3 of the line: who speaks, by certificate or by login, for both doors (TRU-1, BAL-4, ACC-1)."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.net.alert import shown_by
from mss_gateway.net.stream import Stream
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.identity import Accounts, Principal
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.refused import INBOUND, Refusal, RefusalNotes
from mss_gateway.ports.trust import Peers
from mss_gateway.protocol.sasl import parse_external, parse_plain
from mss_gateway.rules.facts import Caller, CallerKind
from mss_gateway.rules.ins import mask_text

from .notes import Notes

NO_CERTIFICATE = Refuse(
    550, "5.7.1", "A client certificate of the trust space is required (mutual TLS)", "no-certificate"
)
NOT_A_CLIENT = Refuse(
    535, "5.7.8", "This login needs a client certificate in the TLS handshake", "no-certificate"
)
UNKNOWN_MECHANISM = Refuse(504, "5.5.4", "This authentication mechanism is not offered", "unknown-mechanism")

JUDGED_FOR = 1.0  # seconds; a certificate may expire that much late
OPERATORS = 1000  # certificates remembered


class Login:
    """Turns certificates and credentials into callers. Refusals are values and never tell which part was wrong."""

    mechanisms = ("PLAIN", "EXTERNAL")

    def __init__(
        self, trust: Peers, accounts: Accounts, notes: Notes, log: Log, refused: RefusalNotes
    ) -> None:
        self._trust = trust
        self._refused = refused
        self._accounts = accounts
        self._notes = notes
        self._log = log
        self._operators: dict[bytes, tuple[float, int, Caller | Refuse]] = {}
        self.generation = 0  # grows with every change of the directory

    async def operator(self, stream: Stream) -> Caller | Refuse:
        """The operator behind the peer's certificate (TRU-1, TRU-2, TRU-4).

        Judged anew for each transaction, so that a reloaded list or CRL holds at once; a judgement on
        unchanged material is good for `JUDGED_FOR` seconds. Its responder is asked first, where OCSP is in use.
        """
        der = stream.tls.peer if stream.tls else None
        if der is None:
            return NO_CERTIFICATE
        if await self._trust.ask_status(der):
            self._operators.pop(der, None)
        now, generation = time.monotonic(), self._trust.generation
        known = self._operators.get(der)
        if known is not None and known[0] > now and known[1] == generation:
            return known[2]
        caller = self._judged(der)
        if len(self._operators) >= OPERATORS:
            self._operators.clear()
        self._operators[der] = (now + JUDGED_FOR, generation, caller)
        return caller

    def _judged(self, der: bytes) -> Caller | Refuse:
        peer = self._trust.identify(der)
        if isinstance(peer, Refuse):
            return peer
        domains = self._trust.domains_of(peer.dn_key)
        if not domains:
            return Refuse(
                550, "5.7.1", "The DN of the client certificate is not on the trusted list", "dn-not-listed"
            )
        return Caller(CallerKind.OPERATOR, peer.dn_key, peer.dn_text, "mtls", domains=domains)

    def offered(self, stream: Stream) -> tuple[str, ...]:
        """What this peer may use: clients try EXTERNAL first, and fail, when it is offered without a certificate."""
        has_certificate = stream.tls is not None and stream.tls.peer is not None
        return self.mechanisms if has_certificate else ("PLAIN",)

    async def password(self, stream: Stream, user: str, password: Secret) -> Principal | Refuse:
        """A login with a password."""
        return self._traced(stream, "password", await self._accounts.plain(user, password, stream.host))

    async def authenticate(self, stream: Stream, mechanism: str, data: bytes) -> Principal | Refuse:
        """A SASL exchange whose client response is `data` (RFC 4616, RFC 4422 appendix A)."""
        if mechanism == "PLAIN":
            credentials = parse_plain(data)
            if isinstance(credentials, Refuse):
                return self._traced(stream, mechanism, credentials)
            return await self.password(stream, credentials.login, credentials.password)
        if mechanism == "EXTERNAL":
            return self._traced(stream, mechanism, await self._external(stream, data))
        return self._traced(stream, mechanism, UNKNOWN_MECHANISM)

    async def _external(self, stream: Stream, data: bytes) -> Principal | Refuse:
        der = stream.tls.peer if stream.tls else None
        if der is None:
            return NOT_A_CLIENT
        await self._trust.ask_status(der)
        peer = self._trust.identify(der)
        if isinstance(peer, Refuse):
            # RFC 4954 section 4.7 knows these two.
            code, status = (454, "4.7.0") if peer.temporary else (535, "5.7.8")
            return Refuse(code, status, peer.public, peer.reason)
        wanted = parse_external(data)
        return wanted if isinstance(wanted, Refuse) else await self._accounts.certificate(peer.dn_key, wanted)

    def directory_changed(self) -> None:
        """Boxes, persons or members have changed: who is in must be looked at anew (BAL-5)."""
        self.generation += 1

    async def still(self, principal: Principal) -> bool:
        """Whether somebody who came in before may go on."""
        return await self._accounts.still(principal)

    def refused(self, stream: Stream, refuse: Refuse, *, helo: str = "", domain: str = "") -> Refuse:
        """Note a refusal for a reason of trust; the reply names the session, for `trust explain` (TRU-8)."""
        tls = stream.tls
        chain = (tls.peer,) if tls is not None and tls.peer is not None else ()
        version, cipher = (tls.version, tls.cipher) if tls is not None else ("", "")
        told = Refusal(INBOUND, stream.host, refuse.reason, domain, version, cipher, chain, helo)
        session = self._refused.note(told)
        self._log.info(
            Event.PEER_REFUSED, session=session, direction=INBOUND, peer=stream.host, reason=refuse.reason
        )
        return replace(refuse, public=f"{refuse.public} (session {session})")

    def handshake_failed(self, stream: Stream, error: ssl.SSLError) -> None:
        """Note why a TLS handshake was refused; the peer has seen only an alert."""
        reason, sentence = self._trust.explain_handshake(error)
        shown = shown_by(error)
        session = self._refused.note(
            Refusal(
                INBOUND,
                stream.host,
                reason,
                tls_version=shown.version,
                tls_cipher=shown.cipher,
                chain=shown.chain,
            )
        )
        self._log.info(Event.TLS_REFUSED, session=session, peer=stream.host, reason=reason, sentence=sentence)
        detail: dict[str, str | int] = {"reason": reason, "session": session}
        self._notes.add(TraceLine(time.time(), "tls-refused", "", actor=stream.host, detail=detail))

    def _traced(self, stream: Stream, how: str, outcome: Principal | Refuse) -> Principal | Refuse:
        refused = isinstance(outcome, Refuse)
        reason = outcome.reason if isinstance(outcome, Refuse) else "ok"
        actor = stream.host if isinstance(outcome, Refuse) else mask_text(outcome.login)
        self._log.info(Event.LOGIN, peer=stream.host, mechanism=how.lower(), result=reason)
        self._notes.add(
            TraceLine(
                time.time(),
                "login-refused" if refused else "login",
                "",
                actor=actor,
                detail={"result": reason, "peer": stream.host},
            )
        )
        return outcome
