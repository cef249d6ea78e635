"""The configured authorities: which chain a certificate has among them. Nothing a peer sends is ever added (TRU-2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from .refusals import TrustProblem

MAX_DEPTH = 6  # certificates of a chain; IGC-Santé has three
MAX_FILE = 32 * 1024 * 1024  # octets of a certificate or CRL file
_PIECE = 64 * 1024  # octets read at once
_BROKEN = (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm)


class Anchors:
    """An immutable set of CA certificates in which every one leads to a self-signed root of the set."""

    __slots__ = ("_by_subject", "certificates", "pem")

    def __init__(self, certificates: Iterable[x509.Certificate], pem: str) -> None:
        self.certificates = tuple(certificates)
        self.pem = pem
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}
        for certificate in self.certificates:
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def issuers(self, name: x509.Name) -> list[x509.Certificate]:
        """The CA certificates of this subject."""
        return self._by_subject.get(name, [])

    def path(self, leaf: x509.Certificate) -> tuple[x509.Certificate, ...] | None:
        """The chain from `leaf` to a root, both included, every signature checked; None when there is none.

        Dates are not looked at (`span` tells them), so that a chain can be kept for a known certificate.
        """
        chain = [leaf]
        while len(chain) < MAX_DEPTH:
            issuer = self._issuer(chain[-1])
            if issuer is None:
                return None
            if issuer is chain[-1]:
                return tuple(chain)
            chain.append(issuer)
            if _is_root(issuer):
                return tuple(chain)
        return None

    def _issuer(self, certificate: x509.Certificate) -> x509.Certificate | None:
        try:
            candidates = self.issuers(certificate.issuer)
        except ValueError:
            return None
        for candidate in candidates:
            try:
                certificate.verify_directly_issued_by(candidate)
            except _BROKEN:
                continue
            return candidate
        return None


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def span(chain: Iterable[x509.Certificate]) -> tuple[datetime, datetime]:
    """From when until when every certificate of a chain is valid."""
    links = tuple(chain)
    return max(one.not_valid_before_utc for one in links), min(one.not_valid_after_utc for one in links)


def read_file(path: Path) -> bytes:
    """Return a file's octets; raises `TrustProblem` naming the file when it cannot be read or is huge."""
    try:
        data = _octets(path)
    except OSError as error:
        raise TrustProblem(
            "file-unreadable", f"{path}: {error.strerror}: check the path and rights"
        ) from None
    if len(data) > MAX_FILE:
        raise TrustProblem("file-too-large", f"{path}: larger than {MAX_FILE} octets: not what it should be")
    return data


def _octets(path: Path) -> bytes:
    """All of a file, or a bit more than is allowed; in pieces, because one read sets aside all that it may give."""
    pieces, size = [], 0
    with path.open("rb") as file:
        while size <= MAX_FILE and (piece := file.read(_PIECE)):
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)


def load_anchors(paths: Iterable[Path], *, test_authorities: bool) -> Anchors:
    """Read CA files; raises `TrustProblem` when one holds no CA, or a CA that must not be trusted here."""
    found: dict[bytes, x509.Certificate] = {}
    blocks: list[str] = []
    for path in paths:
        data = read_file(path)
        try:
            certificates = x509.load_pem_x509_certificates(data)
            for certificate in certificates:
                _check_authority(path, certificate, test_authorities=test_authorities)
                der = certificate.public_bytes(Encoding.DER)
                if der not in found:
                    found[der] = certificate
                    blocks.append(certificate.public_bytes(Encoding.PEM).decode("ascii"))
        except ValueError:
            raise TrustProblem(
                "ca-malformed", f"{path}: not a PEM file of CA certificates: install the chain again"
            ) from None
    anchors = Anchors(found.values(), "".join(blocks))
    for certificate in anchors.certificates:
        if anchors.path(certificate) is None:
            name = certificate.subject.rfc4514_string()
            raise TrustProblem(
                "ca-incomplete", f"the issuer of the authority {name} is not in ca_files: add its root"
            )
    if not anchors.certificates:
        raise TrustProblem("ca-missing", "ca_files is empty: name the files of the root and issuing CAs")
    return anchors


def _check_authority(path: Path, certificate: x509.Certificate, *, test_authorities: bool) -> None:
    name = certificate.subject.rfc4514_string()
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_ca = constraints.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if not is_ca:
        raise TrustProblem("ca-wrong", f"{path}: {name} is not an authority: remove it from ca_files")
    words = " ".join(str(part.value) for part in certificate.subject).upper().split()
    if not test_authorities and "TEST" in words:
        raise TrustProblem(
            "ca-test", f"{path}: {name} is a test authority: remove it, or set the realm to test"
        )
