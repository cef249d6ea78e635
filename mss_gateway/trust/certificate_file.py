"""Reads the certificates of a file that somebody wants explained; a private key is never looked at (TRU-8)."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from .der import DerError, element
from .refusals import TrustProblem

MAX_FILE = 1024 * 1024
"""Octets of a file of certificates."""

MAX_LINKS = 16
"""Certificates that are taken of one file."""

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_SEQUENCE, _INTEGER, _OID, _EXPLICIT = 0x30, 0x02, 0x06, 0xA0


def read_certificates(path: Path) -> tuple[bytes, ...]:
    """Return the certificates of a PEM or DER file in DER, in their order; raises `TrustProblem` with one sentence."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise TrustProblem("file-unreadable", f"{path}: {error.strerror}: check path and rights") from None
    if len(data) > MAX_FILE:
        raise TrustProblem("file-too-large", f"{path}: larger than {MAX_FILE} octets: give one certificate")
    return certificates_of(data, str(path))


def certificates_of(data: bytes, name: str) -> tuple[bytes, ...]:
    """The same of octets; `name` stands in the sentence."""
    if b"PRIVATE KEY-----" in data:
        raise _key(name)
    if _BEGIN not in data:
        return (_der(data, name),)
    found: list[bytes] = []
    at = data.find(_BEGIN)
    while at >= 0 and len(found) < MAX_LINKS:
        end = data.find(_END, at)
        if end < 0:
            raise TrustProblem("file-malformed", f"{name}: a certificate is cut short: export it again")
        try:
            found.append(base64.b64decode(b"".join(data[at + len(_BEGIN) : end].split()), validate=True))
        except binascii.Error:
            raise TrustProblem(
                "file-malformed", f"{name}: a certificate is not base64: export it again"
            ) from None
        at = data.find(_BEGIN, end)
    return tuple(found)


def _der(data: bytes, name: str) -> bytes:
    """Told by its first elements: Certificate, PrivateKeyInfo, PFX and the rest begin differently."""
    try:
        tag, start, end = element(data, 0)
        first, inside, _ = element(data, start)
        second = element(data, inside)[0] if first == _SEQUENCE else 0
    except DerError:
        tag = first = second = end = 0
    if tag == _SEQUENCE and first == _INTEGER:
        if data[inside : inside + 1] == b"\x03":
            raise TrustProblem(
                "file-pkcs12",
                f"{name}: a PKCS#12 file holds a private key, so it is not read:"
                " export the certificate alone, as PEM or DER",
            )
        raise _key(name)
    if tag == _SEQUENCE and first == _OID:
        raise TrustProblem(
            "file-pkcs7",
            f"{name}: this is PKCS#7: turn it into PEM with `openssl pkcs7 -inform DER -print_certs`",
        )
    if tag == _SEQUENCE and first == _SEQUENCE and second == _OID:
        raise _key(name)  # encrypted PKCS#8
    if tag != _SEQUENCE or first != _SEQUENCE or second not in (_EXPLICIT, _INTEGER) or end != len(data):
        raise TrustProblem("file-malformed", f"{name}: not a certificate: give it as PEM or DER")
    return data


def _key(name: str) -> TrustProblem:
    return TrustProblem(
        "file-private-key",
        f"{name}: this holds a private key, so it is not read: give the file of the certificate alone",
    )
