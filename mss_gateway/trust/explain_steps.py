"""PURE. Each thing that is looked at in a peer's certificate, one step for each, by the code that judges (TRU-8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ObjectIdentifier

from mss_gateway.base.errors import InvalidValue

from . import dn
from .anchors import MAX_DEPTH, Anchors
from .explain_names import attribute_name, name_text, plain
from .judgement import Role, Step, Verdict
from .listing import TrustedList
from .peer import CLIENT, SERVER, Analysis, is_weak, may_sign
from .refusals import SENTENCES
from .revocation import RevocationList, RevocationLists

SOON = timedelta(days=30)
"""A certificate that ends within this time is a doubt."""

USAGES: dict[Role, ObjectIdentifier] = {Role.CLIENT: CLIENT, Role.SERVER: SERVER}
"""The extended key usage that each role needs."""

_USAGE_NAMES = {CLIENT.dotted_string: "clientAuth", SERVER.dotted_string: "serverAuth"}
_BROKEN = (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True)
class View:
    """What is in force at one moment: the material that a certificate is judged by."""

    anchors: Anchors
    crls: RevocationLists
    listed: TrustedList
    now: datetime
    grace_hours: float
    min_rsa_bits: int
    st_is_l: bool
    handshake_checks_crls: bool = True  # False while OpenSSL leaves them to us: a CRL is within its grace


@dataclass(frozen=True, slots=True)
class Subject:
    """A certificate under judgement: its analysis, itself when it can be read, and what the peer sent with it."""

    der: bytes
    known: Analysis
    leaf: x509.Certificate | None
    sent: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a chain: where it comes from, in words."""

    certificate: x509.Certificate
    origin: str


def remedy(reason: str) -> str:
    """What the peer's operator can do about a slug of `refusals`."""
    sentence = SENTENCES[reason].partition(":")[2].strip()
    return sentence[:1].upper() + sentence[1:] + "." if sentence else ""


def subject_of(known: Analysis, chain: tuple[bytes, ...]) -> Subject:
    """Read a chain of DER certificates, the peer's own first; what cannot be read of the others is left out."""
    leaf = _read(chain[0])
    sent = tuple(one for one in map(_read, chain[1:]) if one is not None)
    return Subject(chain[0], known, leaf, sent)


def _read(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except _BROKEN:
        return None


def readable(subject: Subject) -> Step:
    """The certificate can be read, and says what a certificate must."""
    if subject.leaf is None:
        evidence: tuple[str, ...] = (f"{len(subject.der)} octets that are no X.509 certificate",)
        return _failed("certificate", "certificate-malformed", evidence)
    serial = subject.leaf.serial_number
    evidence = (
        f"serial number {serial:x}"
        if serial > 0
        else f"serial number {serial}: RFC 5280 wants a positive one",
        f"SHA-256 {subject.leaf.fingerprint(hashes.SHA256()).hex()}",
    )
    if subject.known.identity is None:
        why = () if serial <= 0 else (_why(subject.der),)
        return _failed("certificate", "certificate-malformed", (*evidence, *why))
    return Step("certificate", Verdict.PASS, evidence)


def _why(der: bytes) -> str:
    try:
        dn.key_of(dn.subject_attributes(der))
    except InvalidValue as invalid:
        return invalid.public
    return "its key or an extension cannot be read"


def links_of(view: View, subject: Subject) -> tuple[tuple[Link, ...], bool]:
    """The chain as far as it is known, leaf first, and whether it is the one that the gateway trusts."""
    leaf = subject.leaf
    if leaf is None:
        return (), False
    path = view.anchors.path(leaf)
    if path is not None and len(path) > 1:
        told = ["shown by the peer", *(["configured authority"] * (len(path) - 2)), "configured root"]
        return tuple(Link(one, origin) for one, origin in zip(path, told, strict=True)), True
    found = [Link(leaf, "shown by the peer")]
    while len(found) < MAX_DEPTH:
        last = found[-1].certificate
        up = _signer(last, view.anchors.issuers(issuer_of(last)), "configured authority") or _signer(
            last, subject.sent, "sent by the peer, not configured here"
        )
        if up is None or up.certificate in [one.certificate for one in found]:
            break
        found.append(up)
    return tuple(found), False


def issuer_of(certificate: x509.Certificate) -> x509.Name:
    """The issuer's name, an empty one when it cannot be read."""
    try:
        return certificate.issuer
    except ValueError:
        return x509.Name([])


def _signer(
    certificate: x509.Certificate, candidates: Iterable[x509.Certificate], origin: str
) -> Link | None:
    for candidate in candidates:
        try:
            certificate.verify_directly_issued_by(candidate)
        except _BROKEN:
            continue
        return Link(candidate, origin)
    return None


def chain(view: View, subject: Subject, links: tuple[Link, ...], trusted: bool) -> Step:
    """The certificate leads to a configured authority, every signature checked."""
    if not links:
        return Step("chain", Verdict.NOT_REACHED)
    evidence = [f"{name_text(subject_name(one.certificate))} ({one.origin})" for one in links]
    if trusted:
        return Step("chain", Verdict.PASS, tuple(evidence))
    last = links[-1].certificate
    if subject_name(last) == issuer_of(last) and len(links) == 1:
        evidence.append("it is its own issuer")
        return _failed("chain", "self-signed", tuple(evidence))
    missing = issuer_of(last)
    if subject_name(last) != missing:
        evidence.append(f"missing: {name_text(missing)}")
        if view.anchors.issuers(missing):
            evidence.append("an authority of that name is configured, but its key has not signed this")
    if any("not configured" in one.origin for one in links):
        evidence.append("what a peer sends is never made an authority")
    own = any(one.origin == "configured authority" for one in links)
    step = _failed("chain", "issuer-unknown", tuple(evidence))
    if own:
        advice = "If that authority belongs to the trust space, add it to trust.ca and its CRL to trust.crl."
        return Step(step.name, step.verdict, step.evidence, f"{step.remedy} {advice}", step.reason)
    return step


def subject_name(certificate: x509.Certificate) -> x509.Name:
    """The subject's name, an empty one when it cannot be read."""
    try:
        return certificate.subject
    except ValueError:
        return x509.Name([])


def dates(view: View, links: tuple[Link, ...]) -> Step:
    """Every link is within its dates now."""
    if not links:
        return Step("dates", Verdict.NOT_REACHED)
    evidence, reasons, soon = [], [], False
    for link in links:
        start, end = link.certificate.not_valid_before_utc, link.certificate.not_valid_after_utc
        if view.now < start:
            said = f"starts in {_span(start - view.now)}"
            reasons.append("certificate-not-yet-valid")
        elif view.now > end:
            said = f"ended {_span(view.now - end)} ago"
            reasons.append("certificate-expired")
        else:
            said = f"{_span(end - view.now)} left"
            soon = soon or end - view.now < SOON
        evidence.append(
            f"{short(link.certificate)}: {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z, {said}"
        )
    if reasons:
        # The gateway looks at all starts before it looks at an end.
        return _failed("dates", max(reasons), tuple(evidence))
    if soon:
        return Step("dates", Verdict.DOUBT, tuple(evidence), "It is still good: have it renewed in time.")
    return Step("dates", Verdict.PASS, tuple(evidence))


def strength(view: View, links: tuple[Link, ...]) -> Step:
    """Key and signature of the certificate, and of what is above it, are strong enough."""
    if not links:
        return Step("strength", Verdict.NOT_REACHED)
    evidence = [f"{short(link.certificate)}: {_strength(link.certificate)}" for link in links]
    above = [link.certificate for link in links[1:]]
    if weak(links[0].certificate, view.min_rsa_bits):
        return _failed("strength", "weak-key", tuple(evidence))
    if any(weak(one, view.min_rsa_bits) for one in above[:-1]) or any(
        small(one, view.min_rsa_bits) for one in above
    ):
        advice = "The certificate itself is good, but OpenSSL refuses such an authority in the handshake."
        return Step("strength", Verdict.DOUBT, tuple(evidence), advice)
    return Step("strength", Verdict.PASS, tuple(evidence))


def weak(certificate: x509.Certificate, min_rsa_bits: int) -> bool:
    """True when key or signature are too weak, or of a kind that nobody knows."""
    try:
        return is_weak(certificate, min_rsa_bits)
    except _BROKEN:
        return True


def small(certificate: x509.Certificate, min_rsa_bits: int) -> bool:
    """True for an RSA key that is too short; a root's own signature proves nothing, so only its key counts."""
    key = certificate.public_key()
    return isinstance(key, rsa.RSAPublicKey) and key.key_size < min_rsa_bits


def _strength(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
        algorithm = certificate.signature_hash_algorithm
        signed = certificate.signature_algorithm_oid._name if algorithm is None else algorithm.name.upper()
    except _BROKEN:
        return "an unknown kind of key"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA of {key.key_size} bits, signed with {signed}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}, signed with {signed}"
    return f"{type(key).__name__.removesuffix('PublicKey')}, signed with {signed}"


def usage(subject: Subject, roles: Sequence[Role]) -> Step:
    """What the certificate may be used for, against the roles asked about."""
    if subject.leaf is None or subject.known.identity is None:
        return Step("usage", Verdict.NOT_REACHED)
    signs, usages = may_sign(subject.leaf), subject.known.usages
    named = ", ".join(sorted(map(_usage_name, usages))) if usages is not None else "not limited"
    evidence = [
        f"key usage: {'allows' if signs else 'does not allow'} a digital signature",
        f"extended key usage: {named or 'none'}",
    ]
    fits = {role: signs and (usages is None or needed in usages) for role, needed in USAGES.items()}
    evidence += [f"as a {role.value}: {'yes' if good else 'no'}" for role, good in fits.items()]
    if not all(fits[role] for role in roles):
        return _failed("usage", "wrong-usage", tuple(evidence))
    return Step("usage", Verdict.PASS, tuple(evidence))


def _usage_name(usage: ObjectIdentifier) -> str:
    return _USAGE_NAMES.get(usage.dotted_string) or (
        usage._name if usage._name != "Unknown OID" else usage.dotted_string
    )


def revocation(view: View, links: tuple[Link, ...], trusted: bool) -> Step:
    """Every link below the root is on the good side of a current CRL of its issuer."""
    if not trusted:
        return Step(
            "revocation", Verdict.NOT_REACHED, ("no trusted chain, so no CRL to ask",) if links else ()
        )
    evidence: list[str] = []
    reasons: list[str] = []
    grace = False
    for link in links[:-1]:
        crl = view.crls.by_issuer.get(issuer_of(link.certificate))
        reason, said, in_grace = _revoked(view, link.certificate, crl)
        evidence.append(f"{short(link.certificate)}: {said}")
        grace = grace or in_grace
        if reason:
            reasons.append(reason)
    if reasons:
        return _failed("revocation", reasons[0], tuple(evidence))
    if grace:
        return Step("revocation", Verdict.DOUBT, tuple(evidence), "Fetch a current CRL: the grace will end.")
    return Step("revocation", Verdict.PASS, tuple(evidence))


def _revoked(view: View, certificate: x509.Certificate, crl: RevocationList | None) -> tuple[str, str, bool]:
    """The slug of one link, what is said of it, and whether its CRL lives on grace."""
    if crl is None:
        return "crl-missing", f"no CRL of {name_text(issuer_of(certificate))}", False
    span = f"CRL of {crl.this_update:%Y-%m-%d %H:%M}Z, next due {crl.next_update:%Y-%m-%d %H:%M}Z"
    late = view.now - crl.next_update
    stale = crl.this_update > view.now or late.total_seconds() > view.grace_hours * 3600
    if crl.this_update > view.now:
        span += ", which is in the future"
    elif late > timedelta():
        span += f", {_span(late)} late"
        span += f" (grace {view.grace_hours:g} h)" if view.grace_hours else ""
    if certificate.serial_number in crl.serials:
        return "certificate-revoked", f"revoked; {span}", False
    return "crl-stale" if stale else "", f"not revoked; {span}", late > timedelta() and not stale


def name(view: View, subject: Subject) -> Step:
    """The DN of the certificate, attribute by attribute, as it is compared with the list (TRU-4)."""
    try:
        attributes = dn.subject_attributes(subject.der)
        kinds = {part.partition("=")[0] for part in dn.key_of(attributes, st_is_l=False).split(",")}
    except InvalidValue:
        return Step("name", Verdict.NOT_REACHED)
    evidence = [f"{attribute_name(kind)} = {plain(value)}" for kind, value in reversed(attributes)]
    if view.st_is_l and "l" in kinds:
        evidence.append("L counts as ST")
    return Step("name", Verdict.PASS, tuple(evidence))


def short(certificate: x509.Certificate) -> str:
    """The CN of a certificate, or its whole name when it has none."""
    text = name_text(subject_name(certificate))
    first = next((part for part in text.split(", ") if part.startswith("CN=")), text)
    return first or "an empty name"


def _span(span: timedelta) -> str:
    """A time as people say it: `423 days`, `5 h`, `12 min`."""
    minutes = int(span.total_seconds() // 60)
    if minutes >= 2 * 1440:
        return f"{minutes // 1440} days"
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"


def _failed(name: str, reason: str, evidence: tuple[str, ...]) -> Step:
    return Step(name, Verdict.FAIL, evidence, remedy(reason), reason)
