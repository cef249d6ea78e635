"""What is asked of an OCSP responder, and where; octets only, no network and no clock (RFC 6960, TRU-2).

No nonce is sent: responders of public authorities give answers made in advance, which cannot repeat one
(RFC 5019 section 4), and many refuse a question that holds one. What protects against an old answer is its own
time (`ocsp_answer`), and that none undoes a revocation which is newer (`ocsp.Statuses`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from mss_gateway.base.errors import GatewayError

from .revocation import RevocationLists

MAX_URL = 2000
"""Characters of a responder's address."""
BROKEN = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the reader of certificates and answers raises for octets that are none."""
_HASHES = (hashes.SHA1, hashes.SHA256)


class Unanswered(GatewayError):
    """The status of a certificate could not be learnt; the text says what came instead."""


@dataclass(frozen=True, slots=True)
class Question:
    """A certificate whose status is asked: the chain runs from it to a configured root, every signature checked.

    `crls` say which delegated responders are revoked at `now`; `min_rsa_bits` holds for them as for peers.
    """

    chain: tuple[x509.Certificate, ...]
    crls: RevocationLists
    now: datetime
    grace_hours: float = 0.0
    min_rsa_bits: int = 2048

    @property
    def octets(self) -> bytes:
        """The request in DER, its CertID with SHA-1: the one that every responder must know (RFC 5019, 2.1.1)."""
        return self._request(hashes.SHA1()).public_bytes(Encoding.DER)

    def concerns(self, single: ocsp.OCSPSingleResponse) -> bool:
        """True when a single answer is about this certificate of this issuer."""
        if single.serial_number != self.chain[0].serial_number:
            return False
        algorithm = single.hash_algorithm
        if not isinstance(algorithm, _HASHES):
            return False
        ours = self._request(algorithm)
        return (single.issuer_name_hash, single.issuer_key_hash) == (
            ours.issuer_name_hash,
            ours.issuer_key_hash,
        )

    def _request(self, algorithm: hashes.SHA1 | hashes.SHA256) -> ocsp.OCSPRequest:
        builder = ocsp.OCSPRequestBuilder()
        return builder.add_certificate(self.chain[0], self.chain[1], algorithm).build()


def responder_of(certificate: x509.Certificate) -> str:
    """The address of the responder that a certificate names (RFC 5280 section 4.2.2.1), empty when it names none."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        for one in access:
            if one.access_method == AuthorityInformationAccessOID.OCSP:
                place = one.access_location
                if isinstance(place, x509.UniformResourceIdentifier) and len(place.value) <= MAX_URL:
                    return place.value
    except (*BROKEN, x509.ExtensionNotFound):
        pass
    return ""
