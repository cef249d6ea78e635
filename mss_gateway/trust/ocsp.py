"""Whether a peer's certificate is revoked, asked of its issuer's OCSP responder and remembered (TRU-2, RFC 6960).

It comes on top of the CRLs, which stay in force always and alone cover intermediates: an OCSP responder speaks for
the leaves of one authority. Asking waits (`Statuses.ask`), judging never does (`Statuses.verdict`): every door asks
before it judges.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from .material import Alarm
from .ocsp_answer import Answer, Status, read_answer
from .ocsp_question import Question, Unanswered, responder_of
from .ocsp_wire import Wire
from .options import TrustOptions
from .peer import Analysis
from .revocation import RevocationLists

REVOKED, UNKNOWN, UNAVAILABLE = "certificate-revoked", "certificate-unknown", "ocsp-unavailable"
MOST = timedelta(hours=24)  # a good answer is believed no longer, whatever it promises
LEAST = timedelta(minutes=1)  # nor shorter, lest every letter asks again
UNPROMISED = timedelta(minutes=5)  # an answer without nextUpdate
STRANGE = timedelta(
    minutes=10
)  # "unknown" at most: a new certificate is known to its responder a little later
SILENT = 60.0  # seconds before a responder that gave no answer is asked again about the same certificate
AHEAD = 2.0  # seconds before its end at which an answer is renewed, so that it holds until the judgement
KEPT = 4096  # certificates remembered
MAX_ALARMS = 64  # responders remembered as silent

_Key = tuple[x509.Certificate, int]


@dataclass(slots=True)
class _Known:
    """What is known of one certificate; times are epoch seconds. `silent` is when a failure is forgotten."""

    answer: Answer | None = None
    until: float = 0.0
    silent: float = 0.0


class Statuses:
    """The answers of responders, by issuer and serial number, for all connections of one trust space.

    The mode is `try` or `require`; where OCSP is off there is no such object. A revocation, once known, holds until a
    newer answer lifts it, even when the responder falls silent. Asking belongs to one event loop; `verdict` and
    `alarms` may be called in any thread.
    """

    def __init__(self, options: TrustOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._wire = Wire()
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._asking: dict[_Key, asyncio.Event] = {}
        self._faults: dict[str, str] = {}

    def verdict(self, peer: Analysis) -> str | None:
        """The slug for which a peer is refused by what its responder has said, None when it is not; never waits.

        In the mode `try` a responder that gave no answer is passed over; one that was not asked is not.
        """
        if len(peer.chain) < 2:
            return None
        known, now = self._known.get(_key(peer)), self._clock()
        if known is None:
            return UNAVAILABLE
        if known.answer is not None:
            if known.answer.status is Status.REVOKED:
                return REVOKED
            if now < known.until:
                return UNKNOWN if known.answer.status is Status.UNKNOWN else None
        passed_over = self._options.ocsp == "try" and now < known.silent + AHEAD
        return None if passed_over else UNAVAILABLE

    async def ask(self, peer: Analysis, crls: RevocationLists) -> bool:
        """Have an answer at hand, if one can be had within `ocsp_timeout` seconds; True when the verdict has changed.

        Nothing is asked about a certificate that is refused anyway. Simultaneous questions about one certificate
        become one, and a failure is remembered for `SILENT` seconds.
        """
        if peer.flaw or len(peer.chain) < 2:
            return False
        key = _key(peer)
        if self._settled(key) or crls.revoked(peer.chain):
            return False
        before = self.verdict(peer)
        due = asyncio.get_running_loop().time() + self._options.ocsp_timeout
        while not self._settled(key):
            under_way = self._asking.get(key)
            if under_way is None:
                await self._lead(key, peer, crls, due)
                continue
            try:
                # Whoever asks may be cut off by its own peer: then the next one asks, in the time that is left.
                async with asyncio.timeout_at(due):
                    await under_way.wait()
            except TimeoutError:
                self._silent(key)
        return self.verdict(peer) != before

    def alarms(self) -> list[Alarm]:
        """The responders whose last answer was none, or none that could be used; in any thread."""
        return [
            Alarm(UNAVAILABLE, f"OCSP responder {url or '(none named)'}: {fault}", url)
            for url, fault in dict(self._faults).items()
        ]

    # --- inside

    def _settled(self, key: _Key) -> bool:
        """True when there is no need to ask: an answer still holds, or there was none just now."""
        known = self._known.get(key)
        if known is None:
            return False
        self._known.move_to_end(key)
        now = self._clock()
        return now < known.silent or (known.answer is not None and now < known.until - AHEAD)

    async def _lead(self, key: _Key, peer: Analysis, crls: RevocationLists, due: float) -> None:
        """Ask, and keep what came of it; `due` is loop time in seconds."""
        done = self._asking[key] = asyncio.Event()
        url = self._options.ocsp_url or responder_of(peer.chain[0])
        try:
            octets = await self._wire.ask(url, self._question(peer, crls).octets, due)
            self._take(key, read_answer(octets, self._question(peer, crls)))
            self._faults.pop(url, None)
        except Unanswered as fault:
            self._silent(key)
            self._blame(url, str(fault))
        finally:
            del self._asking[key]
            done.set()

    def _question(self, peer: Analysis, crls: RevocationLists) -> Question:
        now = datetime.fromtimestamp(self._clock(), UTC)
        options = self._options
        return Question(peer.chain, crls, now, options.crl_grace_hours, options.min_rsa_bits)

    def _take(self, key: _Key, answer: Answer) -> None:
        held = self._entry(key)
        before = held.answer
        if before is not None and before.status is Status.REVOKED and answer.this_update < before.this_update:
            raise Unanswered("the answer is older than the revocation that is known")
        now = self._clock()
        held.answer, held.silent = answer, 0.0
        held.until = now + _life(answer, datetime.fromtimestamp(now, UTC)).total_seconds()

    def _silent(self, key: _Key) -> None:
        self._entry(key).silent = self._clock() + SILENT

    def _entry(self, key: _Key) -> _Known:
        known = self._known.setdefault(key, _Known())
        self._known.move_to_end(key)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return known

    def _blame(self, url: str, fault: str) -> None:
        self._faults[url] = fault
        if len(self._faults) > MAX_ALARMS:
            del self._faults[next(iter(self._faults))]


def _key(peer: Analysis) -> _Key:
    return peer.chain[1], peer.chain[0].serial_number


def _life(answer: Answer, now: datetime) -> timedelta:
    """How long an answer is believed."""
    promised = UNPROMISED if answer.next_update is None else answer.next_update - now
    most = STRANGE if answer.status is Status.UNKNOWN else MOST
    return max(LEAST, min(most, promised))
