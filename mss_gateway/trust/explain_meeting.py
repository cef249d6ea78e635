"""PURE. What a peer meets in the end: a TLS alert, an SMTP reply, or the reason of a letter in the queue (TRU-8).

OpenSSL and the gateway's own check refuse the same certificates, but of several faults each tells the one that it looks
at first; here the order is that of OpenSSL's X509_verify_cert.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mss_gateway.base.errors import Refuse
from mss_gateway.rules.ins import mask_text

from .explain_steps import USAGES, Link, Subject, View, issuer_of, links_of, subject_name
from .judgement import Meeting, Role
from .peer import PeerIdentity
from .refusals import SENTENCES

ALERTS = {
    "certificate-expired": "certificate expired",
    "crl-stale": "certificate expired",
    "certificate-revoked": "certificate revoked",
    "issuer-unknown": "unknown CA",
    "self-signed": "unknown CA",
    "crl-missing": "unknown CA",
    "wrong-usage": "unsupported certificate",
    "weak-key": "bad certificate",
    "certificate-not-yet-valid": "bad certificate",
    "certificate-malformed": "bad certificate",
}
"""Slug → the TLS alert (RFC 8446 section 6.2) by which a peer is told, as OpenSSL chooses it."""

NOT_LISTED = Refuse(
    550, "5.7.1", "The DN of the client certificate is not on the trusted list", "dn-not-listed"
)
"""A good certificate that no domain lists (TRU-4)."""

SENDER_OUTSIDE = Refuse(550, "5.7.1", "The sender's domain is not on the trusted list", "sender-outside")
DN_MISMATCH = Refuse(
    550, "5.7.1", "The sender's domain does not list the DN of your certificate", "sender-dn-mismatch"
)
RCPT_OUTSIDE = Refuse(
    550, "5.7.1", "The recipient's domain is outside the trust space", "outside-trust-space"
)
"""As the rules BAL-7 and RTE-3 word them."""


def inbound(view: View, subject: Subject, judged: PeerIdentity | Refuse, domain: str | None) -> Meeting:
    """What a client with this certificate meets at our port 25, writing from `domain`."""
    met = handshake_reason(view, subject, Role.CLIENT)
    if met:
        return Meeting(Role.CLIENT, False, _told(met, judged), "handshake", f"TLS alert: {ALERTS[met]}")
    refused = judged if isinstance(judged, Refuse) else _sender(view, judged, domain)
    if refused is not None:
        reply = f"{refused.code} {refused.enhanced} {refused.public}"
        return Meeting(Role.CLIENT, False, refused.reason, "dialogue", reply)
    whose = domain or "the domains that list its DN"
    return Meeting(Role.CLIENT, True, "", "dialogue", f"mail from {whose} is taken")


def _sender(view: View, peer: PeerIdentity, domain: str | None) -> Refuse | None:
    domains = view.listed.domains_of(peer.dn_key)
    if not domains:
        return NOT_LISTED
    if domain is None or domain in domains:
        return None
    return DN_MISMATCH if view.listed.knows(domain) else SENDER_OUTSIDE


def outbound(
    view: View, subject: Subject, judged: PeerIdentity | Refuse, domain: str | None, peer: str
) -> Meeting:
    """What becomes of a letter to `domain` at a server with this certificate; `peer` names the host."""
    host = peer or "the server"
    if domain is not None and not view.listed.knows(domain):
        said = f"{RCPT_OUTSIDE.code} {RCPT_OUTSIDE.enhanced} {RCPT_OUTSIDE.public}"
        return Meeting(Role.SERVER, False, RCPT_OUTSIDE.reason, "dialogue", f"to our sender: {said}")
    met = handshake_reason(view, subject, Role.SERVER)
    if met:
        told = _told(met, judged)
        return _queued(told, f"TLS with {host}: its certificate: {SENTENCES[told]}")
    if isinstance(judged, Refuse):
        return _queued(judged.reason, f"{host}: {judged.public}")
    domains = view.listed.domains_of(judged.dn_key)
    if not domains or (domain is not None and domain not in domains):
        whom = domain or "any domain"
        return _queued("dn-not-listed", f"{host} showed {judged.dn_text}, which is not listed for {whom}")
    whose = domain or "the domains that list its DN"
    return Meeting(Role.SERVER, True, "", "queue", f"letters to {whose} are handed over")


def _told(met: str, judged: PeerIdentity | Refuse) -> str:
    """Without its CRL an authority is refused before anybody asks whether it is ours: what is told is the latter."""
    return judged.reason if met == "crl-missing" and isinstance(judged, Refuse) else met


def _queued(reason: str, text: str) -> Meeting:
    return Meeting(Role.SERVER, False, reason, "queue", f"4.7.5 {mask_text(text)}")


def handshake_reason(view: View, subject: Subject, role: Role) -> str:
    """The slug for which OpenSSL ends the handshake, empty when it lets the certificate through."""
    if subject.leaf is None:
        return "certificate-malformed"
    links, trusted = links_of(view, subject)
    chain = [link.certificate for link in links]
    top = chain[-1]
    if _small(chain[0]):
        return "weak-key"
    if not trusted and (len(chain) < 2 or top not in view.anchors.certificates):
        return "self-signed" if len(chain) == 1 and subject_name(top) == issuer_of(top) else "issuer-unknown"
    if not _fits(subject, role):
        return "wrong-usage"
    if any(map(_small, chain)) or any(map(_weakly_signed, chain[:-1])):
        return "weak-key"
    return _revoked(view, chain) or _dated(view, links)


def _fits(subject: Subject, role: Role) -> bool:
    """OpenSSL's own view of a purpose: the extended key usage, and a key usage for a signature or an agreement."""
    usages = subject.known.usages
    assert subject.leaf is not None
    if usages is not None and USAGES[role] not in usages:
        return False
    try:
        allowed = subject.leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return (
        allowed.digital_signature
        or allowed.key_agreement
        or (role is Role.SERVER and allowed.key_encipherment)
    )


def _small(certificate: x509.Certificate) -> bool:
    """A key of less than 112 bits of security, as security level 2 has it."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return True
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < 2048
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 224


def _weakly_signed(certificate: x509.Certificate) -> bool:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return True
    return algorithm is not None and algorithm.digest_size < 28


def _revoked(view: View, chain: list[x509.Certificate]) -> str:
    """OpenSSL looks at a CRL's dates before its entries, and knows no grace."""
    if not view.handshake_checks_crls:
        return ""
    for one in chain:
        crl = view.crls.by_issuer.get(issuer_of(one))
        if crl is None:
            return "crl-missing"
        if not crl.this_update <= view.now <= crl.next_update:
            return "crl-stale"
        if one.serial_number in crl.serials:
            return "certificate-revoked"
    return ""


def _dated(view: View, links: tuple[Link, ...]) -> str:
    for link in reversed(links):
        if view.now < link.certificate.not_valid_before_utc:
            return "certificate-not-yet-valid"
        if view.now > link.certificate.not_valid_after_utc:
            return "certificate-expired"
    return ""
