"""Step 3 of the line: who speaks, by certificate or by login, for both doors (TRU-1, BAL-4, ACC-1)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.net.alert import shown_by
from mss_gateway.net.stream import Stream
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ports.identity import Accounts, Principal
from mss_gateway.ports.people import LastLogins
from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.refused import INBOUND, Refusal, RefusalNotes
from mss_gateway.ports.store import StoreError
from mss_gateway.ports.trust import Peers
from mss_gateway.rules.facts import Caller, CallerKind
from mss_gateway.rules.ins import mask_text

from .notes import Notes
from .repeated import Repeated
from .sasl import NOT_A_CLIENT, Challenge, Exchange, Visit
from .sasl_mechanisms import MECHANISMS, TOKENS, offered

NO_CERTIFICATE = Refuse(
    550, "5.7.1", "A client certificate of the trust space is required (mutual TLS)", "no-certificate"
)
UNKNOWN_MECHANISM = Refuse(504, "5.5.4", "This authentication mechanism is not offered", "unknown-mechanism")

JUDGED_FOR = 1.0  # seconds; a certificate may expire that much late
OPERATORS = 1000  # certificates remembered

PACE = 0.01
"""Seconds: an answer that lets nobody in takes a whole number of these. Who is known is found with less work than who
is not, which over a local network would tell which patients have a mailbox here (ACC-3)."""


class Login:
    """Turns certificates and credentials into callers. Refusals are values and never tell which part was wrong."""

    def __init__(
        self,
        trust: Peers,
        accounts: Accounts,
        notes: Notes,
        log: Log,
        refused: RefusalNotes,
        without: frozenset[str] = TOKENS,
        last: LastLogins | None = None,
        *,
        plus_tls13: bool = False,
    ) -> None:
        """`without` names the mechanisms that are switched off, `last` keeps when people were last here."""
        self._last = last
        self._plus_tls13 = plus_tls13
        self.mechanisms = tuple(name for name in MECHANISMS if name not in without)
        self._trust = trust
        self._refused = refused
        self._accounts = accounts
        self._notes = notes
        self._log = log
        self._operators: dict[bytes, tuple[float, int, Caller | Refuse]] = {}
        self._waiting = Repeated()
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
        """The mechanisms that this connection may use now (ACC-1)."""
        return offered(self.mechanisms, stream.tls, plus_tls13=self._plus_tls13)

    async def password(self, stream: Stream, user: str, password: Secret) -> Principal | Refuse:
        """IMAP's LOGIN command."""
        began = time.monotonic()
        outcome = await self._accounts.plain(user, password, stream.host)
        outcome = await self._traced(stream, "password", user, outcome)
        if isinstance(outcome, Refuse):
            await _paced(began)
        return outcome

    def exchange(self, stream: Stream, mechanism: str) -> Exchange | Refuse:
        """Begin a SASL exchange; its end is traced. `mechanism` is in upper case."""
        names = self.offered(stream)
        begin = MECHANISMS.get(mechanism)
        if begin is None or mechanism not in names:
            return NOT_A_CLIENT if mechanism == "EXTERNAL" else UNKNOWN_MECHANISM
        visit = Visit(self._accounts, self._trust, stream, "SCRAM-SHA-256-PLUS" in names)
        return _Followed(begin(visit), partial(self._traced, stream, mechanism))

    def directory_changed(self) -> None:
        """Boxes, persons or members have changed: who is in must be looked at anew (BAL-5)."""
        self.generation += 1

    def still_shown(self, stream: Stream, principal: Principal) -> bool:
        """Whether the certificate by which software came in is still good: its dates, its revocation (TRU-2)."""
        if principal.auth != "external":
            return True
        der = stream.tls.peer if stream.tls else None
        return der is not None and not isinstance(self._trust.identify(der), Refuse)

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

    async def _traced(
        self, stream: Stream, how: str, login: str, outcome: Principal | Refuse
    ) -> Principal | Refuse:
        detail: dict[str, str | int] = {"result": "ok", "peer": stream.host, "mechanism": how.lower()}
        if stream.door:
            detail["door"] = stream.door
        if isinstance(outcome, Refuse):
            detail["result"] = outcome.reason
            # What was typed may be a password in the wrong field: only the login of somebody we know is written.
            detail["login"] = mask_text(await self._accounts.whose(login)) or "unknown"
            line = TraceLine(time.time(), "login-refused", "", actor=stream.host, detail=detail)
        else:
            main = outcome.boxes[0].id if outcome.boxes else None
            who = mask_text(outcome.login)
            line = TraceLine(time.time(), "login", "", box_id=main, actor=who, detail=detail)
            await self._note_last(outcome)
        self._log.info(Event.LOGIN, peer=stream.host, mechanism=how.lower(), result=detail["result"])
        if isinstance(outcome, Refuse) and outcome.temporary:
            # Whoever is told to wait may try a thousand times a second: the trace is not theirs to fill.
            more = self._waiting.left_out((stream.host, outcome.reason), time.monotonic())
            if more is None:
                return outcome
            detail |= {"others": more} if more else {}
        self._notes.add(line)
        return outcome

    async def _note_last(self, principal: Principal) -> None:
        if self._last is None:
            return
        box_id = 0 if principal.person_id else principal.primary.id
        with contextlib.suppress(StoreError):  # a full disk must keep nobody from reading
            await self._last.note_login(principal.person_id, time.time(), box_id)


async def _paced(began: float) -> None:
    await asyncio.sleep(PACE - (time.monotonic() - began) % PACE)


class _Followed:
    """An exchange whose outcome is traced."""

    def __init__(
        self, exchange: Exchange, trace: Callable[[str, Principal | Refuse], Awaitable[Principal | Refuse]]
    ) -> None:
        self._exchange = exchange
        self._trace = trace

    @property
    def opening(self) -> bytes:
        return self._exchange.opening

    @property
    def login(self) -> str:
        return self._exchange.login

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        began = time.monotonic()
        outcome = await self._exchange.step(data)
        if not isinstance(outcome, Challenge):
            outcome = await self._trace(self.login, outcome)
        if not isinstance(outcome, Principal):
            await _paced(began)
        return outcome
