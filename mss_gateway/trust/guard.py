"""The trust space as the rest of the gateway uses it (TRU-2, TRU-3).

One object whose parts are swapped whole on reload, so that no connection ever sees half of a change.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.x509.oid import ObjectIdentifier

from mss_gateway.base.errors import Refuse

from . import dn
from .anchors import load_anchors, read_file
from .lastgood import ListDiff, ListShelf
from .listing import TrustedList, load_list
from .material import Alarm, Material, compose, material_alarms, read_material, stamps
from .options import TrustOptions
from .peer import CLIENT, SERVER, Analysis, PeerIdentity, check_peer
from .refusals import TrustProblem, refuse, tls_refusal
from .signature import ListSigner

MAX_SESSIONS = 500  # TLS 1.2 sessions that a context may remember before it is replaced


class Trust:
    """Holds contexts, authorities, CRLs and the trusted list; implements `ports.trust.TrustedDomains`.

    Opening raises `TrustProblem` with one sentence. `reload` and `poll` read files and may take half a
    second: call them in a thread. Everything else is quick and meant for the event loop.
    """

    def __init__(self, options: TrustOptions, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._signer_key = dn.key_of_text(options.list_signer, options.st_is_l)
        self._refused: dict[str, Alarm] = {}
        self._material = read_material(options, None, clock())
        self._shelf = ListShelf(options.state, self._verify_list, options.list_max_removed)
        self._shelf.restore()
        self._take_list()
        if self._shelf.current is None:
            alarm = self._refused["list"]
            raise TrustProblem(alarm.reason, f"{options.list_file}: {alarm.sentence}")
        self._list = self._shelf.current
        self._generation = 0
        self._seen = stamps(self.options)

    # --- what the trusted list says

    @property
    def trusted_list(self) -> TrustedList:
        """The list in force."""
        return self._list

    @property
    def generation(self) -> int:
        """Grows with every change of authorities, CRLs or list."""
        return self._generation

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
        reason = check_peer(known, usage, material.crls, self._now(), self.options.crl_grace_hours)
        if reason is None and known.identity is not None:
            return known.identity
        return refuse(reason or "certificate-malformed")

    def explain_handshake(self, error: BaseException) -> tuple[str, str]:
        """The slug and the sentence behind a failed TLS handshake."""
        return tls_refusal(error)

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
        due = self._clock() >= material.rebuild_at or material.sessions > MAX_SESSIONS
        # A reload under way in its thread replaces everything anyway; the loop never waits for it.
        if due and self._lock.acquire(blocking=False):
            try:
                material = self._material
                self._material = compose(
                    self.options, material.anchors, material.crls, material.peers, self._clock()
                )
            finally:
                self._lock.release()
        return self._material

    # --- reload

    def poll(self) -> bool:
        """Reload when a file has changed since the last look; True when it did. Blocking."""
        if stamps(self.options) == self._seen:
            return False
        self.reload()
        return True

    def reload(self) -> tuple[Alarm, ...]:
        """Read every file again; what cannot be used is reported and what was in force before stays.

        Connections are not dropped; new handshakes use the new contexts, whose empty session caches
        make every peer show its certificate again. Blocking.
        """
        with self._lock:
            self._seen = stamps(self.options)
            try:
                self._material = read_material(self.options, self._material, self._clock())
                self._refused.pop("material", None)
            except TrustProblem as problem:
                self._refused["material"] = Alarm(problem.reason, problem.sentence)
            self._take_list()
            self._list = self._shelf.current or self._list
            self._generation += 1
        return tuple(self._refused.values())

    def confirm_list(self) -> TrustedList:
        """Put in force a list held back for its mass removal; raises `ListRefused`. Blocking."""
        with self._lock:
            self._list = self._shelf.confirm()
            self._generation += 1
            self._refused.pop("list", None)
            return self._list

    def rollback_list(self) -> TrustedList:
        """Go back to the list before; raises `ListRefused`. Blocking."""
        with self._lock:
            self._list = self._shelf.rollback()
            self._generation += 1
            return self._list

    def held_list(self) -> ListDiff | None:
        """What the held list would change, None when none is held."""
        return self._shelf.held

    def alarms(self) -> tuple[Alarm, ...]:
        """What is wrong or about to be: refused reloads, list age, CRLs, our own certificates (TRU-3)."""
        now = self._now()
        found = list(self._refused.values())
        age = self._list.age_hours(now)
        if age > self.options.list_alarm_hours:
            found.append(Alarm("list-old", f"the trusted list is {age:.0f} hours old: fetch the current one"))
        found.extend(material_alarms(self.options, self._material, now))
        return tuple(found)

    # --- inside

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _verify_list(self, data: bytes, held: TrustedList | None, at: datetime | None) -> TrustedList:
        options, material = self.options, self._material
        anchors = material.anchors
        if options.list_signer_ca_files:
            anchors = load_anchors(options.list_signer_ca_files, test_authorities=options.test_authorities)
        signer = ListSigner(anchors, self._signer_key, material.crls, options.st_is_l, at)
        return load_list(
            data,
            signer,
            self._now(),
            held=held,
            max_bytes=options.list_max_bytes,
            st_is_l=options.st_is_l,
        )

    def _take_list(self) -> None:
        try:
            self._shelf.offer(read_file(self.options.list_file))
            self._refused.pop("list", None)
        except TrustProblem as problem:
            self._refused["list"] = Alarm(problem.reason, problem.sentence)
