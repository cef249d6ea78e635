"""What is in force and where it came from, for `trust status` and `doctor` (TRU-2, TRU-3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.base.errors import InvalidValue

from . import dn
from .contexts import own_certificate
from .lastgood import ListDiff
from .material import Alarm, Material, own_files
from .options import TrustOptions
from .refusals import TrustProblem

if TYPE_CHECKING:
    from .schedule import Fetch


@dataclass(frozen=True, slots=True)
class ListStatus:
    """The list in force; `source` is `file`, an address, `applied` or `rollback`."""

    generated_at: datetime
    age_hours: float
    digest: str
    entries: int
    domains: int
    unreadable: int
    source: str
    held: ListDiff | None


@dataclass(frozen=True, slots=True)
class FetchStatus:
    """One address: when it was asked and answered last, when it is asked next, and what went wrong.

    `what` is `list` or `crl`; `reason` and `sentence` are those of the last failure, empty when there is none.
    """

    what: str
    url: str
    tried_at: datetime | None
    fetched_at: datetime | None
    next_at: datetime | None
    failures: int
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class CrlStatus:
    """One CRL in force; `serials` counts the certificates on it, `source` is the file or address."""

    issuer: str
    this_update: datetime
    next_update: datetime
    serials: int
    source: str


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """An authority, or a certificate of ours with its file in `source`; without dates when it cannot be read."""

    subject: str
    valid_from: datetime | None
    valid_until: datetime | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class TrustStatus:
    """All of the trust space at one moment."""

    list: ListStatus
    fetches: tuple[FetchStatus, ...]
    crls: tuple[CrlStatus, ...]
    authorities: tuple[CertificateStatus, ...]
    own: tuple[CertificateStatus, ...]
    generation: int
    alarms: tuple[Alarm, ...]


def fetch_status(what: str, record: Fetch) -> FetchStatus:
    """One record of the schedule, readable."""
    return FetchStatus(
        what,
        record.url,
        _moment(record.tried),
        _moment(record.fetched),
        _moment(record.due),
        record.failures,
        record.reason or record.refused,
        record.sentence or record.remark,
    )


def crl_statuses(material: Material) -> tuple[CrlStatus, ...]:
    """Every CRL in force."""
    return tuple(
        CrlStatus(one.issuer.rfc4514_string(), one.this_update, one.next_update, len(one.serials), one.source)
        for one in material.crls.by_issuer.values()
    )


def authority_statuses(certificates: Iterable[x509.Certificate]) -> tuple[CertificateStatus, ...]:
    """Every configured authority."""
    return tuple(_certificate(one) for one in certificates)


def own_statuses(options: TrustOptions) -> tuple[CertificateStatus, ...]:
    """Our certificates as their files are now."""
    found = []
    for files in dict.fromkeys(own_files(options)):
        where = str(files.certificate)
        try:
            found.append(_certificate(own_certificate(files), where))
        except TrustProblem:
            found.append(CertificateStatus("", None, None, where))
    return tuple(found)


def _certificate(one: x509.Certificate, source: str = "") -> CertificateStatus:
    try:
        subject = dn.text_of_attributes(dn.subject_attributes(one.public_bytes(Encoding.DER)))
    except InvalidValue:
        subject = one.subject.rfc4514_string()
    return CertificateStatus(subject, one.not_valid_before_utc, one.not_valid_after_utc, source)


def _moment(at: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None
