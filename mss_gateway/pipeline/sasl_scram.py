"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the password never reaches us."""

from __future__ import annotations

import secrets

from mss_gateway.base.errors import Refuse
from mss_gateway.ports.identity import Principal, Trial
from mss_gateway.protocol.sasl import MALFORMED
from mss_gateway.protocol.scram import Dialogue, First, Keys, read_first, refused_binding

from .sasl import Challenge, Visit

ENDED = Refuse(535, "5.7.8", "Login or password is wrong, or the mailbox is not active", "login-ended")
"""The person was disabled, or given another password, between the proof and the end of the exchange."""

NONCE = 18  # octets of chance in our part of the nonce


class ScramExchange:
    """Three steps: names and salt, proof and signature, and an empty answer to the signature (RFC 5802 section 5)."""

    opening = b""
    plus = False

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.login = ""
        self._first: First | None = None
        self._trial: Trial | None = None
        self._dialogue: Dialogue | None = None
        self._principal: Principal | None = None

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        """Take the client's next message."""
        if self._principal is not None:
            return MALFORMED if data else await self._entered(self._principal)
        if self._first is None or self._trial is None or self._dialogue is None:
            return await self._begin(data)
        final = self._dialogue.server_final(data)
        if isinstance(final, Refuse):
            return final
        outcome = await self._visit.accounts.proved(self._trial, final is not None, self._first.acting_as)
        if isinstance(outcome, Refuse) or final is None:
            return outcome
        self._principal = outcome
        return Challenge(final)

    async def _entered(self, principal: Principal) -> Principal | Refuse:
        """The client may take its time over the empty answer: what has changed meanwhile holds (BAL-5)."""
        return principal if await self._visit.accounts.still(principal) else ENDED

    async def _begin(self, data: bytes) -> Challenge | Refuse:
        first = read_first(data)
        if isinstance(first, Refuse):
            return first
        self.login = first.login
        tls = self._visit.stream.tls
        bindings = tls.bindings if tls is not None else {}
        wrong = refused_binding(first, plus=self.plus, offered=self._visit.plus, bindings=bindings)
        if wrong is not None:
            return wrong
        trial = await self._visit.accounts.scram(first.login, self._visit.host)
        if isinstance(trial, Refuse):
            return trial
        keys = Keys(trial.keys.stored_key, trial.keys.server_key)
        nonce = secrets.token_urlsafe(NONCE).encode()
        binding = bindings[first.bound] if self.plus else b""
        self._dialogue = Dialogue(first, keys, trial.keys.salt, trial.keys.iterations, nonce, binding)
        self._first, self._trial = first, trial
        return Challenge(self._dialogue.server_first())


class ScramPlusExchange(ScramExchange):
    """The same, bound to the TLS connection (RFC 5929)."""

    plus = True
