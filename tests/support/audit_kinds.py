"""What a row of the audit matrix is made of (TRU-6): authorities, links, certificates, outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.pki import (
    Authority,
    Issued,
    Pki,
    Subject,
)

AUDIT = "audit.mssante.fr"
"""The domain below which the rows of the first half have theirs."""

NATIONAL = "espacedeconfiance.mssante.fr"
"""The domain below which the national test tool has its own."""


SESSION = re.compile(r" \(session (\w+)\)\Z")
"""How the words of a refusal for a reason of trust name the session behind it (TRU-8)."""


class Link(Enum):
    """What the peer can do before it shows a certificate."""

    TLS = "TLS 1.2 and 1.3"
    OLD = "TLS 1.1 at most"
    PLAIN = "no STARTTLS"
    UNREADY = "STARTTLS offered, answered by 454"
    UNWILLING = "STARTTLS offered, answered by 554"


class Space(Enum):
    """The state of the trust space: all CRLs of the organisations in time, or an hour too old."""

    CURRENT = "policy hard; one authority's CRL is stale"
    GRACE = "grace of 6 hours, CRL stale for 1"
    LATE = "grace of 6 hours, CRL stale for 8"


@dataclass(frozen=True, slots=True)
class Authorities:
    """Who issues: the organisations, and others below the same root or another one.

    `revoked` is an authority whose own certificate is; of `stale` the CRL is, `silent` has none, and `unlisted` is not
    among those that we trust. `stranger` has a root of its own.
    """

    pki: Pki
    revoked: Authority
    stale: Authority
    silent: Authority
    unlisted: Authority
    stranger: Pki

    @property
    def organisations(self) -> Authority:
        """The one in force."""
        return self.pki.organisations


Make = Callable[[Authorities, Subject], Issued | None]


@dataclass(frozen=True, slots=True)
class Accepted:
    """In: the message is stored. Out: it is taken by the peer and leaves the queue."""


@dataclass(frozen=True, slots=True)
class Reply:
    """In: the reply in the dialogue, whole, at the command that it answers, and the reason slug that we keep.

    A refusal for a reason of trust names the `session` behind it, for `trust explain` (TRU-8).
    """

    line: str
    reason: str
    at: str = "MAIL"
    session: bool = True


@dataclass(frozen=True, slots=True)
class Alert:
    """In: the TLS alert that the peer reads; the reason slug and the sentence are in our log, figures and timeline."""

    alert: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Waits:
    """Out: the row stays, for the lifetime of the queue; nothing was transmitted. `text` is that of the row."""

    reason: str
    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One peer. `subject` and `listed` None: a DN of its own, listed for its domain; `sender` None: its domain's."""

    name: str
    make: Make
    inbound: Accepted | Reply | Alert | None
    outbound: Accepted | Waits | None
    link: Link = Link.TLS
    space: Space = Space.CURRENT
    revoked: bool = False
    subject: Subject | None = None
    listed: tuple[str, ...] | None = None
    null_sender: bool = False
    report: bool = False
    under: str = AUDIT
    at: str = ""

    @property
    def domain(self) -> str:
        """The domain that the peer speaks for, and that mail is sent to."""
        return f"{self.at or self.name}.{self.under}"

    @property
    def shown(self) -> Subject:
        """The DN in its certificate."""
        return self.subject or Subject(f"mx.{self.domain}")

    @property
    def entries(self) -> tuple[str, ...]:
        """The DNs that the list gives to the domain."""
        return (self.shown.listed(),) if self.listed is None else self.listed


def issued(found: Authorities, subject: Subject) -> Issued | None:
    """A certificate as an operator should have it."""
    return found.organisations.issue(subject)


_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # AlgorithmIdentifier of ecdsa-with-SHA256
_SHA1 = bytes.fromhex("300906072a8648ce3d0401")  # that of ecdsa-with-SHA1


def _sequence(content: bytes, tag: int = 0x30) -> bytes:
    """DER of anything that is longer than 255 octets."""
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


def signed_with_sha1(found: Authorities, subject: Subject) -> Issued:
    """A good one signed with SHA-1, put together by hand: no library of today makes one."""
    good = found.organisations.issue(subject)
    key = found.organisations.issued.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signed = _sequence(good.certificate.tbs_certificate_bytes[4:].replace(_SHA256, _SHA1, 1))
    signature = b"\0" + key.sign(signed, ec.ECDSA(hashes.SHA1()))
    der = _sequence(signed + _SHA1 + bytes((0x03, len(signature))) + signature)
    return replace(good, certificate=x509.load_der_x509_certificate(der))
