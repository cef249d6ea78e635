"""CRLs as sets of serial numbers, read once; OpenSSL gets the same files (TRU-2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from .anchors import Anchors, read_file
from .refusals import TrustProblem

_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One CRL whose signature holds. `next_update` None (no promise) counts as already passed."""

    issuer: x509.Name
    this_update: datetime
    next_update: datetime
    serials: frozenset[int]
    pem: str
    source: str = ""  # the file or the address that gave it


class RevocationLists:
    """The newest CRL of each authority; immutable."""

    __slots__ = ("by_issuer",)

    def __init__(self, by_issuer: Mapping[x509.Name, RevocationList]) -> None:
        self.by_issuer = dict(by_issuer)

    @property
    def pem(self) -> str:
        """All of them as PEM, for OpenSSL."""
        return "".join(one.pem for one in self.by_issuer.values())

    def check(self, chain: tuple[x509.Certificate, ...], now: datetime, grace_hours: float) -> str | None:
        """Return the slug of what is wrong with a chain (leaf first, root last), or None.

        Every certificate below the root needs a CRL of its issuer, current or within the grace.
        """
        for certificate in chain[:-1]:
            found = self.by_issuer.get(certificate.issuer)
            if found is None:
                return "crl-missing"
            if certificate.serial_number in found.serials:
                return "certificate-revoked"
            if found.this_update > now or (now - found.next_update).total_seconds() > grace_hours * 3600:
                return "crl-stale"
        return None

    def revoked(self, chain: tuple[x509.Certificate, ...]) -> bool:
        """True when a certificate of the chain is on the list of its issuer, whatever that list's age."""
        return any(
            found is not None and certificate.serial_number in found.serials
            for certificate in chain[:-1]
            for found in [self.by_issuer.get(certificate.issuer)]
        )


def load_revocation(
    paths: Iterable[Path],
    anchors: Anchors,
    held: RevocationLists | None = None,
    fetched: Iterable[RevocationList] = (),
) -> RevocationLists:
    """Read CRL files (PEM, several in one file, or DER); of each issuer the newest counts, `fetched` ones included.

    A CRL older than the one in force (`held`) does not replace it. Raises `TrustProblem` when a file cannot
    be read or a CRL is not signed by a configured authority.
    """
    newest: dict[x509.Name, RevocationList] = dict(held.by_issuer) if held else {}
    # An authority that is no longer configured takes its list with it.
    newest = {issuer: one for issuer, one in newest.items() if anchors.issuers(issuer)}
    files = [one for path in paths for one in read_crls(str(path), read_file(path), anchors)]
    for one in (*fetched, *files):
        before = newest.get(one.issuer)
        if before is None or one.this_update >= before.this_update:
            newest[one.issuer] = one
    return RevocationLists(newest)


def read_crls(source: str, data: bytes, anchors: Anchors) -> list[RevocationList]:
    """Read what a file or an address gave; raises `TrustProblem` naming it unless every CRL in it is genuine."""
    return [_read(source, block, anchors) for block in _blocks(source, data)]


def _blocks(source: str, data: bytes) -> list[bytes]:
    if _BEGIN not in data:
        return [data]
    blocks = []
    at = data.find(_BEGIN)
    while at >= 0:
        end = data.find(_END, at)
        if end < 0:
            raise TrustProblem("crl-malformed", f"{source}: a CRL is cut short: fetch it again")
        blocks.append(data[at : end + len(_END)] + b"\n")
        at = data.find(_BEGIN, end)
    return blocks


def _read(source: str, block: bytes, anchors: Anchors) -> RevocationList:
    try:
        load = x509.load_pem_x509_crl if block.startswith(_BEGIN) else x509.load_der_x509_crl
        crl = load(block)
        issuer, this_update = crl.issuer, crl.last_update_utc
        serials = frozenset(entry.serial_number for entry in crl)
        next_update = crl.next_update_utc or this_update
        partial = _is_partial(crl)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TrustProblem("crl-malformed", f"{source}: not a CRL: fetch it again") from None
    if not any(_signed(crl, authority) for authority in anchors.issuers(issuer)):
        raise TrustProblem(
            "crl-foreign",
            f"{source}: the CRL of {issuer.rfc4514_string()} is not signed by a configured authority:"
            " fetch it again, or remove it from trust.crl and trust.crl_urls",
        )
    if partial:
        raise TrustProblem(
            "crl-partial",
            f"{source}: the CRL of {issuer.rfc4514_string()} names only some of the revoked certificates:"
            " fetch the complete one",
        )
    pem = crl.public_bytes(Encoding.PEM).decode("ascii")
    return RevocationList(issuer, this_update, next_update.astimezone(UTC), serials, pem, source)


def _is_partial(crl: x509.CertificateRevocationList) -> bool:
    """True for a delta, or for some reasons or attribute certificates only (RFC 5280, sections 5.2.4 and 5.2.5)."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return True
        if isinstance(value, x509.IssuingDistributionPoint) and (
            value.indirect_crl or value.only_contains_attribute_certs or value.only_some_reasons
        ):
            return True
    return False


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
