"""Verifies the enveloped XML signature of the trusted list: one form, one signer, nothing else (TRU-3)."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from mss_gateway.base.errors import InvalidValue

from . import dn
from .anchors import Anchors, span
from .refusals import ListRefused
from .revocation import RevocationLists
from .xmlform import C14N, DS_NS, ENVELOPED, RSA_SHA256, SHA256, SIGNATURE

_DS = {"ds": DS_NS}


@dataclass(frozen=True, slots=True)
class ListSigner:
    """Who must have signed: a certificate of these authorities with this DN, never one fixed certificate.

    `at` overrides the time at which the signer's certificate must be valid: the last good copy was
    verified when it was taken, and stays good when the signer's certificate has since been renewed.
    """

    anchors: Anchors
    dn_key: str
    crls: RevocationLists
    st_is_l: bool = True
    at: datetime | None = None

    def revoked(self, certificate: bytes) -> bool:
        """True when a signer's certificate (DER), or its issuer, is on a CRL by now."""
        chain = self.anchors.path(x509.load_der_x509_certificate(certificate))
        return chain is not None and self.crls.revoked(chain)


def verify_signature(
    root: etree._Element, signer: ListSigner, now: datetime
) -> tuple[etree._Element, x509.Certificate]:
    """Return the signed content as a new tree without its signature, and who signed; raises `ListRefused`.

    Only what comes back is covered by the signature: a wrapped or added part is either in the digest
    or not in the result.
    """
    from signxml.algorithms import DigestAlgorithm, SignatureMethod
    from signxml.exceptions import SignXMLException
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    element = root.find(SIGNATURE)
    if element is None:
        raise ListRefused("list-unsigned", "the trusted list is not signed: fetch it from its publisher")
    _check_form(element)
    certificate = _certificate(element)
    _check_signer(certificate, signer, now)
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        verification_time=signer.at or now,
    )
    try:
        result = XMLVerifier().verify(root, x509_cert=certificate, expect_config=config)
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, UnsupportedAlgorithm):
        raise ListRefused(
            "list-signature", "the signature of the trusted list does not match its content: fetch it again"
        ) from None
    if isinstance(result, list) or result.signed_xml is None or result.signed_xml.tag != root.tag:
        raise ListRefused("list-signature", "the signature does not cover the whole trusted list")
    return result.signed_xml, certificate


def _check_form(signature: etree._Element) -> None:
    """Pin every algorithm and the one reference to the whole document (domain reference 6.3)."""

    def algorithms(path: str) -> list[str | None]:
        return [found.get("Algorithm") for found in signature.findall(path, _DS)]

    references = signature.findall("ds:SignedInfo/ds:Reference", _DS)
    expected = (
        len(references) == 1
        and references[0].get("URI") == ""
        and algorithms("ds:SignedInfo/ds:CanonicalizationMethod") == [C14N]
        and algorithms("ds:SignedInfo/ds:SignatureMethod") == [RSA_SHA256]
        and algorithms("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform") == [ENVELOPED, C14N]
        and algorithms("ds:SignedInfo/ds:Reference/ds:DigestMethod") == [SHA256]
        and not signature.findall("ds:Object", _DS)
        and not any(len(found) for found in signature.iter(f"{{{DS_NS}}}Transform"))
    )
    if not expected:
        raise ListRefused(
            "list-signature-form",
            "the trusted list is not signed in its published form"
            " (one enveloped reference to the whole document, exclusive C14N, RSA with SHA-256)",
        )


def _certificate(signature: etree._Element) -> x509.Certificate:
    found = signature.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _DS)
    if len(found) != 1:
        raise ListRefused("list-signer", "the signature must hold one certificate, that of its signer")
    try:
        return x509.load_der_x509_certificate(b64decode(found[0].text or ""))
    except (ValueError, Base64Error):
        raise ListRefused("list-signer", "the signer's certificate cannot be read") from None


def _check_signer(certificate: x509.Certificate, signer: ListSigner, now: datetime) -> None:
    try:
        subject = dn.subject_attributes(certificate.public_bytes(Encoding.DER))
        key = dn.key_of(subject, st_is_l=signer.st_is_l)
        fit = _may_sign(certificate)
        public = certificate.public_key()
    except (InvalidValue, ValueError, UnsupportedAlgorithm):
        raise ListRefused("list-signer", "the signer's certificate cannot be read") from None
    if key != signer.dn_key:
        raise ListRefused(
            "list-signer",
            f"the trusted list is signed by {dn.text_of_attributes(subject)}, not by the expected signer:"
            " correct list_signer if the publisher announced it",
        )
    chain = signer.anchors.path(certificate)
    if chain is None or len(chain) < 2:
        raise ListRefused(
            "list-signer-ca", "the signer's certificate was not issued by the configured authorities"
        )
    valid_from, valid_until = span(chain)
    if not valid_from <= (signer.at or now) <= valid_until:
        raise ListRefused(
            "list-signer-expired", "the signer's certificate is not valid at this time: fetch a newer list"
        )
    if not fit or not isinstance(public, rsa.RSAPublicKey) or public.key_size < 2048:
        raise ListRefused("list-signer-usage", "the signer's certificate may not sign, or its key is weak")
    if signer.crls.revoked(chain):
        raise ListRefused("list-signer-revoked", "the signer's certificate has been revoked")


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True
