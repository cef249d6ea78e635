"""Why a certificate, a CRL or a list is not trusted: one slug and one sentence for each reason (TRU-1)."""

from __future__ import annotations

import ssl

from mss_gateway.base.errors import GatewayError, Refuse

SENTENCES = {
    "no-certificate": "a client certificate of the trust space is required: configure your operator certificate",
    "certificate-expired": "the certificate has expired: renew it",
    "certificate-not-yet-valid": "the certificate is not valid yet: check its dates and both clocks",
    "certificate-revoked": "the certificate, or its issuer, has been revoked: use a valid one",
    "certificate-malformed": "the certificate cannot be read: have it issued again",
    "issuer-unknown": "the certificate was not issued by an authority of the trust space:"
    " use an IGC-Sante one, and send its issuing CA with it",
    "self-signed": "the certificate is self-signed: use one issued by an authority of the trust space",
    "wrong-usage": "the certificate is not meant for this use:"
    " its extended key usage must allow client or server authentication",
    "weak-key": "the key or signature of the certificate is too weak:"
    " use RSA of 2048 bits or more, or EC P-256, with SHA-256",
    "crl-stale": "the revocation list of the issuer is out of date: fetch a current CRL",
    "crl-missing": "no revocation list of the issuer is at hand: fetch its CRL",
    "certificate-unknown": "the OCSP responder of the issuer does not know the certificate:"
    " have the issuer register it, or have it issued again",
    "ocsp-unavailable": "whether the certificate is revoked cannot be learnt now:"
    " the OCSP responder of its issuer gives no usable answer; try again later",
    "dn-not-listed": "the DN of the certificate is not listed for this domain: have the trusted list corrected",
    "tls-version": "TLS 1.2 or later is required",
    "tls-no-cipher": "no common cipher suite: offer ECDHE with AES-GCM or ChaCha20-Poly1305",
    "tls-not-spoken": "what was received is not TLS",
    "tls-aborted": "the peer ended the TLS handshake: its log tells why it refused our certificate",
    "tls-failed": "the TLS handshake failed",
}
"""Reason slug → what it means and what the peer's operator can do about it."""

_PASSING = frozenset({"ocsp-unavailable"})


class TrustProblem(GatewayError):
    """Something of the trust space cannot be used; the text says file, fault and remedy."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


class ListRefused(TrustProblem):
    """A trusted list that must not be used; what was in force before stays in force (TRU-3)."""


def refuse(reason: str) -> Refuse:
    """The SMTP refusal of a peer for one of the slugs of `SENTENCES` (TRU-1).

    Permanent, but for what is no fault of the peer and passes: 4.7.5, "necessary information is not available"
    (RFC 3463 section 3.8).
    """
    code, status = (451, "4.7.5") if reason in _PASSING else (550, "5.7.1")
    return Refuse(code, status, SENTENCES[reason], reason)


# X509_V_ERR_* of OpenSSL's x509_vfy.h; the numbers are part of its stable interface.
_VERIFY = {
    2: "issuer-unknown",  # unable to get issuer certificate
    3: "crl-missing",  # unable to get CRL
    4: "certificate-malformed",  # unreadable signature
    6: "certificate-malformed",  # unreadable issuer key
    7: "issuer-unknown",  # certificate signature failure
    8: "crl-missing",  # CRL signature failure
    9: "certificate-not-yet-valid",
    10: "certificate-expired",
    11: "crl-stale",  # CRL not yet valid
    12: "crl-stale",  # CRL has expired
    13: "certificate-malformed",  # notBefore
    14: "certificate-malformed",  # notAfter
    15: "crl-stale",  # lastUpdate
    16: "crl-stale",  # nextUpdate
    18: "self-signed",
    19: "issuer-unknown",  # self-signed certificate in chain
    20: "issuer-unknown",  # unable to get local issuer certificate
    21: "issuer-unknown",  # unable to verify the first certificate
    22: "issuer-unknown",  # chain too long
    23: "certificate-revoked",
    24: "issuer-unknown",  # issuer without public key
    25: "issuer-unknown",  # path length exceeded
    26: "wrong-usage",  # unsuitable certificate purpose
    27: "issuer-unknown",  # not trusted
    28: "wrong-usage",  # rejected for this use
    32: "issuer-unknown",  # key usage does not include certificate signing
    33: "crl-missing",  # unable to get CRL issuer certificate
    34: "certificate-malformed",  # unhandled critical extension
    35: "crl-missing",  # key usage does not include CRL signing
    36: "crl-missing",  # unhandled critical CRL extension
    37: "certificate-malformed",  # invalid non-CA certificate
    39: "wrong-usage",  # key usage does not include digital signature
    41: "certificate-malformed",  # inconsistent extension
    44: "crl-missing",  # different CRL scope
    54: "crl-missing",  # CRL path validation error
    66: "weak-key",  # end entity key too small
    67: "weak-key",  # CA key too small
    68: "weak-key",  # CA digest too weak
    79: "issuer-unknown",  # invalid CA certificate
    94: "weak-key",  # explicit curve parameters
}

_REASONS = {
    "UNSUPPORTED_PROTOCOL": "tls-version",
    "WRONG_VERSION_NUMBER": "tls-version",
    "VERSION_TOO_LOW": "tls-version",
    "UNKNOWN_PROTOCOL": "tls-version",
    "NO_PROTOCOLS_AVAILABLE": "tls-version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls-version",
    "NO_SHARED_CIPHER": "tls-no-cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "tls-no-cipher",
    "NO_SUITABLE_KEY_SHARE": "tls-no-cipher",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls-no-cipher",
    "HTTP_REQUEST": "tls-not-spoken",
    "HTTPS_PROXY_REQUEST": "tls-not-spoken",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no-certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "no-certificate",
    "EE_KEY_TOO_SMALL": "weak-key",
    "CA_KEY_TOO_SMALL": "weak-key",
    "CA_MD_TOO_WEAK": "weak-key",
    "UNEXPECTED_EOF_WHILE_READING": "tls-aborted",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "certificate-expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "certificate-revoked",
    "TLSV1_ALERT_UNKNOWN_CA": "issuer-unknown",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "wrong-usage",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls-aborted",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "tls-aborted",
}


def tls_refusal(error: BaseException) -> tuple[str, str]:
    """Return (reason slug, sentence with its remedy) of a failed TLS handshake, on either side.

    A verification error speaks of the peer's certificate, an alert of ours, as the peer saw it.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _VERIFY.get(error.verify_code, "issuer-unknown")
    elif isinstance(error, ssl.SSLEOFError | ConnectionError):
        reason = "tls-aborted"
    elif isinstance(error, ssl.SSLError):
        reason = _REASONS.get(error.reason or "", "tls-failed")
    else:
        reason = "tls-failed"
    return reason, SENTENCES[reason]
