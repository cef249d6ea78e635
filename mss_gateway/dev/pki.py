"""A throw-away PKI shaped like IGC-Santé, made at run time: for `mss-gateway dev` and for tests.

Root → "ELEMENTAIRE ORGANISATIONS" intermediate → leaves named by C, ST, O, OU and CN, with CRLs for both
authorities, and every odd certificate that the audit matrix asks for (TRU-6). Nothing here is ever trusted
in the production realm: the authorities call themselves TEST.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID, ObjectIdentifier

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CLIENT_AND_SERVER = (Usage.SERVER_AUTH, Usage.CLIENT_AUTH)
SERVER_ONLY = (Usage.SERVER_AUTH,)
EMAIL_ONLY = (Usage.EMAIL_PROTECTION,)
CLIENT_ONLY = (Usage.CLIENT_AUTH,)
UTF8, PRINTABLE, T61 = _ASN1Type.UTF8String, _ASN1Type.PrintableString, _ASN1Type.T61String
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The DN of an operator: common name, national structure id, organisation, département."""

    cn: str
    ou: str = "300000000000019"
    o: str = "OPERATEUR EXEMPLE"
    st: str = "Rhône (69)"
    c: str = "FR"
    locality: bool = False  # written as L instead of ST
    string: _ASN1Type = UTF8  # string type of O and ST

    def name(self) -> x509.Name:
        """The X.509 name, country first as IGC-Santé writes it."""
        place = NameOID.LOCALITY_NAME if self.locality else NameOID.STATE_OR_PROVINCE_NAME
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, self.c),
                x509.NameAttribute(place, self.st, _type=self.string),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.o, _type=self.string),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.ou),
                x509.NameAttribute(NameOID.COMMON_NAME, self.cn),
            ]
        )

    def listed(self) -> str:
        """The DN as the trusted list writes it."""
        place = "L" if self.locality else "ST"
        return f"CN={self.cn},OU={self.ou},O={self.o},{place}={self.st},C={self.c}"


def name_of(**parts: str) -> x509.Name:
    """A name from attributes in the order given, such as `C="FR", O="…", CN="…"`."""
    return x509.Name([x509.NameAttribute(_OIDS[kind], value) for kind, value in parts.items()])


def new_key(kind: str = "ec") -> PrivateKey:
    """A fresh key: `ec` (P-256), `rsa` (2048 bits) or `weak` (RSA of 1024 bits, to be refused)."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 1024 if kind == "weak" else 2048)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key. `chain` holds the PEM of the issuing CAs below the root."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: bytes = b""

    @property
    def cert_pem(self) -> bytes:
        """The certificate alone, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate alone, DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS#8 PEM, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def serial(self) -> int:
        """The serial number."""
        return self.certificate.serial_number

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `name.pem` (with the chain) and `name.key` (mode 0600); return both paths."""
        return (
            write_file(folder / f"{name}.pem", self.cert_pem + self.chain),
            write_file(folder / f"{name}.key", self.key_pem, private=True),
        )


def write_file(path: Path, data: bytes, *, private: bool = False) -> Path:
    """Write a file whole or not at all; a private one is never readable by others, not even for an instant."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
    temporary.replace(path)
    return path


def _names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in hosts:
        if "@" in host:
            found.append(x509.RFC822Name(host))
            continue
        try:
            found.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            found.append(x509.DNSName(host))
    return found


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


class Authority:
    """One certification authority: issues certificates and CRLs. Times are aware UTC datetimes."""

    def __init__(self, issued: Issued, parent: Authority | None = None) -> None:
        self.issued = issued
        self.parent = parent
        self._crl_number = 0
        self._crl_at: datetime | None = None

    @classmethod
    def root(cls, name: x509.Name, *, key: str = "ec", now: datetime | None = None) -> Authority:
        """A self-signed root of ten years."""
        private = new_key(key)
        start = now or datetime.now(UTC)
        builder = _builder(name, name, private, start - timedelta(days=1), start + timedelta(days=3650))
        builder = _as_authority(builder, private, private)
        return cls(Issued(builder.sign(private, hashes.SHA256()), private))

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's own certificate."""
        return self.issued.certificate

    @property
    def chain(self) -> bytes:
        """PEM of the authorities from this one up, without the root."""
        return self.issued.cert_pem + self.parent.chain if self.parent else b""

    @property
    def bundle(self) -> bytes:
        """PEM of this authority and all above it, the root last."""
        return self.issued.cert_pem + (self.parent.bundle if self.parent else b"")

    def authority(self, name: x509.Name, *, key: str = "ec", now: datetime | None = None) -> Authority:
        """A subordinate authority of ten years."""
        private = new_key(key)
        start = now or datetime.now(UTC)
        span = (start - timedelta(days=1), start + timedelta(days=3649))
        builder = _as_authority(
            _builder(name, self.certificate.subject, private, *span), private, self.issued.key
        )
        return Authority(Issued(builder.sign(self.issued.key, hashes.SHA256()), private), self)

    def issue(
        self,
        subject: Subject | x509.Name,
        *,
        hosts: Sequence[str] = LOCAL_HOSTS,
        usages: Sequence[ObjectIdentifier] = CLIENT_AND_SERVER,
        key: str = "ec",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Issued:
        """A leaf, valid from an hour ago for 90 days unless said otherwise.

        `hosts` become subject alternative names: DNS names, IP addresses, or mail addresses. No
        `usages` leaves the extended key usage out.
        """
        name = subject.name() if isinstance(subject, Subject) else subject
        private = new_key(key)
        now = datetime.now(UTC)
        span = (not_before or now - timedelta(hours=1), not_after or now + timedelta(days=90))
        builder = _builder(name, self.certificate.subject, private, *span)
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(_issuer_key(self.issued.key), critical=False)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
        return Issued(builder.sign(self.issued.key, hashes.SHA256()), private, self.chain)

    def expired(self, subject: Subject) -> Issued:
        """A leaf that ended yesterday."""
        now = datetime.now(UTC)
        return self.issue(subject, not_before=now - timedelta(days=90), not_after=now - timedelta(days=1))

    def not_yet_valid(self, subject: Subject) -> Issued:
        """A leaf that starts tomorrow."""
        now = datetime.now(UTC)
        return self.issue(subject, not_before=now + timedelta(days=1), not_after=now + timedelta(days=90))

    def crl(
        self,
        revoked: Iterable[Issued | Authority | int] = (),
        *,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
    ) -> bytes:
        """A CRL in PEM with these certificates or serial numbers; each one is newer than the one before.

        Valid from an hour ago, or from a second after the one before, to seven days from now unless said otherwise.
        """
        self._crl_number += 1
        now = datetime.now(UTC)
        start = this_update or self._next_crl(now)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(start)
            .next_update(next_update or now + timedelta(days=7))
            .add_extension(x509.CRLNumber(self._crl_number), critical=False)
            .add_extension(_issuer_key(self.issued.key), critical=False)
        )
        for entry in revoked:
            if isinstance(entry, Authority):
                entry = entry.issued
            serial = entry if isinstance(entry, int) else entry.serial
            line = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start)
            builder = builder.add_revoked_certificate(line.build())
        signed = builder.sign(self.issued.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def _next_crl(self, now: datetime) -> datetime:
        """Whole seconds tell two of them apart; however many are made, those of an hour are none of the future."""
        found = now - timedelta(hours=1)
        if self._crl_at is not None:
            found = max(found, self._crl_at + timedelta(seconds=1))
        self._crl_at = found
        return found

    def stale_crl(self, revoked: Iterable[Issued | Authority | int] = (), *, hours: float = 1.0) -> bytes:
        """A CRL whose nextUpdate passed `hours` ago."""
        now = datetime.now(UTC)
        return self.crl(
            revoked,
            this_update=now - timedelta(days=8),
            next_update=now - timedelta(hours=hours),
        )


def self_signed(subject: Subject, *, key: str = "ec") -> Issued:
    """A leaf that nobody vouches for."""
    private = new_key(key)
    now = datetime.now(UTC)
    name = subject.name()
    builder = _builder(name, name, private, now - timedelta(hours=1), now + timedelta(days=90))
    builder = builder.add_extension(x509.ExtendedKeyUsage(CLIENT_AND_SERVER), critical=False)
    return Issued(builder.sign(private, hashes.SHA256()), private)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _as_authority(
    builder: x509.CertificateBuilder, key: PrivateKey, issuer: PrivateKey
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(_issuer_key(issuer), critical=False)
    )


def _issuer_key(issuer: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())


@dataclass(frozen=True, slots=True)
class Pki:
    """A whole hierarchy: root and the intermediate that issues to organisations."""

    root: Authority
    organisations: Authority

    @property
    def ca_pem(self) -> bytes:
        """What a trusting party installs: intermediate and root."""
        return self.organisations.bundle

    def crls(self, revoked: Iterable[Issued | Authority | int] = ()) -> bytes:
        """Fresh CRLs of both authorities in one PEM, the given leaves revoked."""
        return self.organisations.crl(revoked) + self.root.crl()


def new_pki(*, key: str = "ec", label: str = "ESSAI") -> Pki:
    """A fresh hierarchy like IGC-Santé's Élémentaire one; `label` tells two of them apart."""
    unit = f"IGC-{label} TEST"
    root = Authority.root(
        name_of(C="FR", O="MSS-GATEWAY", OU=unit, CN=f"TEST AC RACINE {label} ELEMENTAIRE"), key=key
    )
    organisations = root.authority(
        name_of(C="FR", O="MSS-GATEWAY", OU=unit, CN=f"TEST AC {label} ELEMENTAIRE ORGANISATIONS"), key=key
    )
    return Pki(root, organisations)
