"""What an OCSP answer is worth: who signed it, what it is about, when it holds (RFC 6960 section 3.2, TRU-2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from .ocsp_question import BROKEN, Question, Unanswered
from .peer import is_weak, may_sign

SKEW = timedelta(minutes=10)
"""How far a responder's clock may be ahead of ours."""
FRESH = timedelta(minutes=15)
"""How old an answer without nextUpdate may be: it promises nothing, so it must have been made for this question."""
MAX_SIGNERS = 4
"""Certificates of an answer that are looked at as its signer."""
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512)


class Status(Enum):
    """What the issuer says of a certificate (RFC 6960 section 2.2)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified answer about one certificate. `next_update` None means that newer news may exist at any time."""

    status: Status
    this_update: datetime
    next_update: datetime | None


def read_answer(data: bytes, question: Question) -> Answer:
    """Return what a signed answer says of the certificate in question; raises `Unanswered`, never anything else."""
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Unanswered(f"the responder said {response.response_status.name.lower()}")
        if not any(_signed(response, key) for key in _keys(response, question)):
            raise Unanswered(
                "the answer is not signed by the issuer, nor by a responder that it has appointed"
            )
        return _newest(response, question)
    except BROKEN:
        raise Unanswered("what came is not an OCSP answer") from None


def _keys(response: ocsp.OCSPResponse, question: Question) -> Iterator[object]:
    """The keys that may have signed: the issuer's, and those of responders that this issuer has appointed.

    The ResponderID is not looked at: it names a key, and only the signature proves one.
    """
    yield question.chain[1].public_key()
    for certificate in response.certificates[:MAX_SIGNERS]:
        if _appointed(certificate, question):
            yield certificate.public_key()


def _appointed(certificate: x509.Certificate, question: Question) -> bool:
    """RFC 6960 section 4.2.2.2: issued by the issuer itself, for OCSP signing, and good now."""
    issuer, now = question.chain[1], question.now
    try:
        certificate.verify_directly_issued_by(issuer)
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (*BROKEN, x509.ExtensionNotFound):
        return False
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usages or not may_sign(certificate):
        return False
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return False
    return not is_weak(certificate, question.min_rsa_bits) and _in_office(certificate, question)


def _in_office(certificate: x509.Certificate, question: Question) -> bool:
    """Its own revocation: by CRL alone, since asking it about itself would prove nothing."""
    chain = (certificate, *question.chain[1:])
    try:
        certificate.extensions.get_extension_for_class(x509.OCSPNoCheck)
    except x509.ExtensionNotFound:
        return question.crls.check(chain, question.now, question.grace_hours) is None
    return not question.crls.revoked(chain)


def _signed(response: ocsp.OCSPResponse, key: object) -> bool:
    signature, signed = response.signature, response.tbs_response_bytes
    try:
        algorithm = response.signature_hash_algorithm
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        elif not isinstance(algorithm, _STRONG):
            return False
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(algorithm))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _newest(response: ocsp.OCSPResponse, question: Question) -> Answer:
    """The newest single answer about the certificate that is in force now; raises `Unanswered`."""
    found: Answer | None = None
    fault = "the answer is about another certificate"
    for single in response.responses:
        if not question.concerns(single):
            continue
        wrong = _out_of_time(single, response.produced_at_utc, question.now)
        if wrong:
            fault = wrong
        elif found is None or single.this_update_utc > found.this_update:
            status = Status[single.certificate_status.name]
            found = Answer(status, single.this_update_utc, single.next_update_utc)
    if found is None:
        raise Unanswered(fault)
    return found


def _out_of_time(single: ocsp.OCSPSingleResponse, produced_at: datetime, now: datetime) -> str:
    """What is wrong with the times of an answer, empty when nothing is (RFC 6960 section 3.2)."""
    until = single.next_update_utc
    if single.this_update_utc > now + SKEW or produced_at > now + SKEW:
        return "the answer is of the future: check both clocks"
    if until is not None and until < now:
        return "the answer is out of date"
    if until is None and produced_at < now - FRESH:
        return "the answer is old and names no end"
    return ""
