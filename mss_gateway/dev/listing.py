"""Makes and signs a trusted list for the throw-away trust space, in the form of the real one (TRU-3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree
from signxml import methods
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from mss_gateway.dev.pki import EMAIL_ONLY, Authority, Issued, Subject
from mss_gateway.trust.xmlform import DATE, DOMAIN, DOMAINS, FIELDS, GENERATED, LIST_NS

SIGNER = Subject("alb.essai-mssante.fr", ou="300000000000027", o="EDITEUR DE LA LISTE ESSAI", st="Paris (75)")
"""The DN that signs the sample list."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One `Domaine`: a domain and one DN that may speak for it."""

    domain: str
    dn: str
    description: str = "Domaine MSSanté d'essai"
    contact: str = "01 00 00 00 00, contact@operateur-exemple.fr"
    support: str = "support@operateur-exemple.fr"
    updated: datetime | None = None


def new_signer(authority: Authority, subject: Subject = SIGNER) -> Issued:
    """An RSA signing certificate with the usage of the real signer's (emailProtection)."""
    return authority.issue(subject, usages=EMAIL_ONLY, hosts=(), key="rsa")


def unsigned_list(entries: Iterable[Entry], *, generated: datetime | None = None) -> etree._Element:
    """The list without its signature. `generated` defaults to now, UTC."""
    at = generated or datetime.now(UTC)
    root = etree.fromstring(f'<ListeBlancheMSSante xmlns="{LIST_NS}"/>')
    root.text = "\n  "
    stamp = etree.SubElement(root, GENERATED)
    stamp.text, stamp.tail = at.strftime(DATE), "\n  "
    domains = etree.SubElement(root, DOMAINS)
    domains.text, domains.tail = "\n    ", "\n  "
    for entry in entries:
        item = etree.SubElement(domains, DOMAIN)
        item.text, item.tail = "\n      ", "\n    "
        updated = (entry.updated or at).strftime(DATE)
        values = (entry.domain, entry.description, entry.dn, entry.contact, entry.support, updated)
        for tag, value in zip(FIELDS, values, strict=True):
            child = etree.SubElement(item, tag)
            child.text, child.tail = value, "\n      "
    return root


def sign_list(
    root: etree._Element, signer: Issued, *, signature: str = "RSA_SHA256", digest: str = "SHA256"
) -> bytes:
    """Sign a list (enveloped, exclusive C14N) and return the file. Other algorithms are for refusal tests."""
    made = XMLSigner(
        method=methods.enveloped,
        signature_algorithm=SignatureMethod[signature],
        digest_algorithm=DigestAlgorithm[digest],
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = made.sign(root, key=signer.key_pem, cert=signer.cert_pem.decode("ascii"))
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def signed_list(entries: Iterable[Entry], signer: Issued, *, generated: datetime | None = None) -> bytes:
    """A complete, signed trusted list."""
    return sign_list(unsigned_list(entries, generated=generated), signer)
