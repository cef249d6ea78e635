"""Who a certificate speaks for, and whether it may: the application's own checks after the handshake.

OpenSSL refuses bad certificates in the handshake. These checks repeat it from the CRLs and authorities in
force now, so that neither a resumed session, a connection that outlived a reload, nor the grace policy
lets a revoked peer in (TRU-2).
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from mss_gateway.base.errors import InvalidValue

from . import dn
from .anchors import Anchors, span
from .revocation import RevocationLists

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
KEPT = 4096  # certificates whose analysis is kept
# A strange certificate of a peer is refused with its reason; it must not fill the daemon's error output too.
warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning)
_WEAK_HASHES = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What a peer certificate says: `dn_key` compares, `dn_text` shows, `emails` are its RFC 822 names."""

    dn_key: str
    dn_text: str
    serial: int
    not_after: datetime
    emails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """All about one certificate that does not change with time or CRLs. `flaw` is a slug, or empty.

    `chain` runs from the leaf to a configured root; `usages` are the extended key usages, None when the
    certificate does not limit them.
    """

    identity: PeerIdentity | None
    chain: tuple[x509.Certificate, ...]
    valid_from: datetime | None
    valid_until: datetime | None
    usages: frozenset[ObjectIdentifier] | None
    flaw: str


class PeerBook:
    """Analyses of the certificates seen, by SHA-256 of the DER; one set of authorities, least recent out."""

    def __init__(self, anchors: Anchors, *, min_rsa_bits: int, st_is_l: bool) -> None:
        self._anchors = anchors
        self._min_rsa_bits = min_rsa_bits
        self._st_is_l = st_is_l
        self._known: OrderedDict[bytes, Analysis] = OrderedDict()

    def analysis(self, der: bytes) -> Analysis:
        """Return what is known of a certificate, reading it when it is new; never raises."""
        digest = sha256(der).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._known[digest] = self._analyse(der)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(digest)
        return known

    def _analyse(self, der: bytes) -> Analysis:
        try:
            certificate = x509.load_der_x509_certificate(der)
            if certificate.serial_number <= 0:
                raise ValueError("RFC 5280 section 4.1.2.2: serial numbers are positive")
            attributes = dn.subject_attributes(der)
            identity = PeerIdentity(
                dn.key_of(attributes, st_is_l=self._st_is_l),
                dn.text_of_attributes(attributes),
                certificate.serial_number,
                certificate.not_valid_after_utc,
                _emails(certificate),
            )
            usages = _usages(certificate)
            weak = is_weak(certificate, self._min_rsa_bits)
            unfit = not may_sign(certificate)
        except (ValueError, TypeError, InvalidValue, UnsupportedAlgorithm):
            return Analysis(None, (), None, None, None, "certificate-malformed")
        chain = self._anchors.path(certificate)
        if chain is None or len(chain) < 2:
            flaw = "self-signed" if _self_issued(certificate) else "issuer-unknown"
            return Analysis(identity, (), None, None, usages, flaw)
        flaw = "weak-key" if weak else "wrong-usage" if unfit else ""
        return Analysis(identity, chain, *span(chain), usages, flaw)


def check_peer(
    known: Analysis,
    usage: ObjectIdentifier,
    crls: RevocationLists,
    now: datetime,
    grace_hours: float,
    status: Callable[[Analysis], str | None] | None = None,
) -> str | None:
    """Return the slug for which a peer is refused now, or None. The DN is not looked at (TRU-4 is apart).

    `status` tells what the issuer's responder has said: it can only add to the CRLs, never overrule them.
    """
    if known.flaw:
        return known.flaw
    if known.valid_from is None or known.valid_until is None:
        return "certificate-malformed"
    if now < known.valid_from:
        return "certificate-not-yet-valid"
    if now > known.valid_until:
        return "certificate-expired"
    if known.usages is not None and usage not in known.usages:
        return "wrong-usage"
    said = status(known) if status is not None else None
    if said == "certificate-revoked":
        return said  # more telling than a CRL out of date
    return crls.check(known.chain, now, grace_hours) or said


def _emails(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.RFC822Name))


def _usages(certificate: x509.Certificate) -> frozenset[ObjectIdentifier] | None:
    try:
        found = frozenset(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None
    # anyExtendedKeyUsage says nothing about this use, and OpenSSL does not accept it either.
    return found


def may_sign(certificate: x509.Certificate) -> bool:
    """True when keyUsage allows signatures, which TLS with ECDHE needs; absent means all (RFC 5280, 4.2.1.3)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True


def is_weak(certificate: x509.Certificate, min_rsa_bits: int) -> bool:
    """True when the key or the signature of a certificate is too weak to be believed."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None and algorithm.name in _WEAK_HASHES:
        return True
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < min_rsa_bits
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.key_size < 256
    return not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)


def _self_issued(certificate: x509.Certificate) -> bool:
    try:
        return certificate.subject == certificate.issuer
    except ValueError:
        return False
