"""The trust space as the rest of the gateway uses it (TRU-2, TRU-3)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from cryptography.x509.oid import ObjectIdentifier

from mss_gateway.base.errors import Refuse
from mss_gateway.net.alert import shown_by

from .anchors import Anchors
from .listing import TrustedList
from .material import Material
from .peer import CLIENT, SERVER, Analysis, PeerIdentity, check_peer
from .refusals import SENTENCES, refuse, tls_refusal
from .space import TrustSpace

if TYPE_CHECKING:
    from .ocsp import Statuses

MAX_SESSIONS = 500  # TLS 1.2 sessions that a context may remember before it is replaced


class Trust(TrustSpace):
    """Answers from what is in force; implements `ports.trust.TrustedDomains`. All of it is for the event loop."""

    # --- what the trusted list says

    @property
    def trusted_list(self) -> TrustedList:
        """The list in force."""
        return self._list

    @property
    def generation(self) -> int:
        """Grows with every change of authorities, CRLs or list."""
        return self._generation

    @property
    def material(self) -> Material:
        """Authorities, CRLs, contexts and known peers in force, of one moment."""
        return self._material

    @property
    def statuses(self) -> Statuses | None:
        """What responders have said, None when they are not asked (`trust.ocsp`)."""
        return self._statuses

    @property
    def anchors(self) -> Anchors:
        """The authorities in force."""
        return self._material.anchors

    def knows(self, domain: str) -> bool:
        """True when the domain (lower-case A-label form) is on the list."""
        return self._list.knows(domain)

    def domains_of(self, dn_key: str) -> frozenset[str]:
        """Every domain that lists this DN (TRU-4)."""
        return self._list.domains_of(dn_key)

    def lists(self, domain: str, dn_key: str) -> bool:
        """True when the domain lists this DN (TRU-4, TRU-5)."""
        return self._list.lists(domain, dn_key)

    def is_operator(self, dn_key: str) -> bool:
        """True when any domain lists this DN (TRU-7)."""
        return self._list.is_operator(dn_key)

    # --- what a peer's certificate is worth

    def identify(self, der: bytes) -> PeerIdentity | Refuse:
        """Who a client's certificate speaks for, or why it is refused by what is in force now (TRU-1, TRU-2).

        Dates, issuer, usage, key and revocation are checked each time; the certificate is parsed once.
        Whether its DN is listed is another question (`domains_of`, `check_operator`).
        """
        return self._judge(der, CLIENT)

    def identify_server(self, der: bytes) -> PeerIdentity | Refuse:
        """The same for the server that we deliver to (TRU-5)."""
        return self._judge(der, SERVER)

    def check_operator(self, der: bytes | None) -> Refuse | None:
        """Refuse a peer without a certificate, with a bad one, or with a DN that no domain lists (TRU-1, TRU-4)."""
        if der is None:
            return refuse("no-certificate")
        peer = self._judge(der, CLIENT)
        if isinstance(peer, Refuse):
            return peer
        return None if self._list.is_operator(peer.dn_key) else refuse("dn-not-listed")

    def _judge(self, der: bytes, usage: ObjectIdentifier) -> PeerIdentity | Refuse:
        material = self._material
        known = material.peers.analysis(der)
        said = self._statuses.verdict if self._statuses is not None else None
        reason = check_peer(known, usage, material.crls, self.now(), self.options.crl_grace_hours, said)
        if reason is None and known.identity is not None:
            return known.identity
        return refuse(reason or "certificate-malformed")

    async def ask_status(self, der: bytes) -> bool:
        """Have the responder asked about a certificate before it is judged; True when that changes the judgement.

        Without OCSP (the default) it returns at once.
        """
        if self._statuses is None:
            return False
        material = self._material
        return await self._statuses.ask(material.peers.analysis(der), material.crls)

    def explain_handshake(self, error: BaseException) -> tuple[str, str]:
        """The slug and the sentence behind a failed TLS handshake."""
        reason, sentence = tls_refusal(error)
        chain = shown_by(error).chain
        if reason == "crl-missing" and chain:
            # OpenSSL looks for the CRL before the issuer: an authority that is not ours to trust has none here.
            flaw = self.analysis(chain[0]).flaw
            if flaw:
                return flaw, SENTENCES[flaw]
        return reason, sentence

    def analysis(self, der: bytes) -> Analysis:
        """All that is known of a certificate, for `trust explain`."""
        return self._material.peers.analysis(der)

    # --- TLS contexts; ask again for every connection

    def mta_context(self) -> ssl.SSLContext:
        """The server context of the port 25 role."""
        return self._current().mta

    def client_context(self) -> ssl.SSLContext:
        """The server context of the submission and IMAP roles."""
        return self._current().client

    def outbound_context(self) -> ssl.SSLContext:
        """The client context towards other operators."""
        return self._current().outbound

    def _current(self) -> Material:
        material = self._material
        due = self.clock() >= material.rebuild_at or material.sessions > MAX_SESSIONS
        # A reload under way in its thread replaces everything anyway; the loop never waits for it.
        if due and self._lock.acquire(blocking=False):
            try:
                self._compose(self._material)
            finally:
                self._lock.release()
        return self._material
