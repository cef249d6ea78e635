"""Sessions refused for a trust reason: as those who refuse tell them, and as those who explain read them (TRU-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

INBOUND, OUTBOUND = "inbound", "outbound"

OF_TRUST = frozenset(
    {
        "no-certificate",
        "certificate-expired",
        "certificate-not-yet-valid",
        "certificate-revoked",
        "certificate-malformed",
        "certificate-unknown",
        "ocsp-unavailable",
        "issuer-unknown",
        "self-signed",
        "wrong-usage",
        "weak-key",
        "crl-stale",
        "crl-missing",
        "dn-not-listed",
        "sender-outside",
        "sender-dn-mismatch",
        "from-dn-mismatch",
        "no-starttls",
        "starttls-refused",
        "peer-distrusts-us",
        "tls-version",
        "tls-no-cipher",
        "tls-not-spoken",
        "tls-aborted",
        "tls-failed",
        "tls-failure",
    }
)
"""Slugs of refusals that are about trust, in both directions; others are not noted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a session with a peer came to nothing, and what the peer showed.

    `direction` is `INBOUND` or `OUTBOUND`, `peer` a host or address, `domain` the sender's or recipient's, `reason`
    a slug of `trust.refusals` or of the rule that refused; `chain` holds the certificates shown in DER, the peer's own
    first, empty when they are not known.
    """

    direction: str
    peer: str
    reason: str
    domain: str = ""
    tls_version: str = ""
    tls_cipher: str = ""
    chain: tuple[bytes, ...] = ()
    helo: str = ""


@dataclass(frozen=True, slots=True)
class RefusedSession:
    """A refusal under its id; the same one again within the hour is counted and keeps the id. Epoch seconds."""

    id: str
    at: float
    refusal: Refusal
    last_at: float
    count: int = 1


class RefusalNotes(Protocol):
    """Where refusals are told; quick, for the event loop."""

    def note(self, refusal: Refusal) -> str:
        """Keep a refusal and return the id of its session, to be shown in logs and replies; never raises."""


class RefusedSessions(RefusalNotes, Protocol):
    """What was told, for `trust sessions` and `trust explain`."""

    def find(self, session: str) -> RefusedSession | None:
        """The session of an id, case ignored; None when it is not, or no longer, known."""

    def latest(self, limit: int) -> Sequence[RefusedSession]:
        """The last refused sessions, the latest first."""
