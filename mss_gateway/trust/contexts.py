"""TLS contexts, built explicitly so that no Python version changes what they check (TRU-1, TRU-2, TRU-5).

Traps kept out on purpose: no tickets (a revoked peer would come back with one), no SNI switch (it does not
change the verification), no post-handshake authentication (it would ask for no certificate at all).
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.net.alert import overhear
from mss_gateway.net.binding import OwnContext

from .anchors import read_file
from .refusals import TrustProblem
from .refusals import tls_refusal as tls_refusal

TLS12_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "@SECLEVEL=2"
)
"""TLS 1.2 suites (domain reference 5.1); security level 2 refuses RSA below 2048 bits and SHA-1."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one end: `certificate` holds the leaf and its issuing CAs."""

    certificate: Path
    key: Path


def mta_server_context(files: TlsFiles, ca_pem: str, crl_pem: str | None) -> ssl.SSLContext:
    """The port 25 role: a bad client certificate fails the handshake, an absent one is left to the dialogue.

    `crl_pem` None leaves revocation to the application's own check (grace policy), otherwise leaf and
    intermediate must be on a current CRL's good side. Raises `TrustProblem`.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    _verify(context, ssl.CERT_OPTIONAL, ca_pem, crl_pem)
    return context


def client_server_context(files: TlsFiles, ca_pem: str, crl_pem: str | None) -> ssl.SSLContext:
    """The submission and IMAP roles: our certificate, and a client's one where it wants EXTERNAL (ACC-2)."""
    return mta_server_context(files, ca_pem, crl_pem)


def outbound_context(files: TlsFiles, ca_pem: str, crl_pem: str | None) -> ssl.SSLContext:
    """Towards another operator: ours presented, theirs required; the DN match stands for the host name (TRU-5)."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, files)
    context.check_hostname = False
    _verify(context, ssl.CERT_REQUIRED, ca_pem, crl_pem)
    return context


def probing_context(files: TlsFiles, *, lenient: bool = False) -> ssl.SSLContext:
    """To look at a server whose certificate may be bad: nothing is verified, so nothing may be sent over it (TRU-8).

    Otherwise as `outbound_context`; a `lenient` one takes any version and suite, and shows no certificate of ours.
    Raises `TrustProblem`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if lenient else _context(ssl.PROTOCOL_TLS_CLIENT, files)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if lenient:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:@SECLEVEL=0")
        overhear(context)
    return context


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = OwnContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_CIPHERS)
    context.options |= (
        ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    overhear(context)
    for path in (files.certificate, files.key):
        read_file(path)  # OpenSSL's own error names no file
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        raise TrustProblem(
            "own-certificate",
            f"{files.certificate}: cannot be used with {files.key} ({(error.reason or 'not PEM').lower()}):"
            " the certificate must be PEM and belong to the key",
        ) from None
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.show(own_certificate(files).public_bytes(Encoding.DER))
    return context


def _no_password() -> bytes:
    # Without this OpenSSL would ask on the terminal, and a daemon would hang.
    raise TrustProblem("own-key-encrypted", "the private key is encrypted: store it decrypted with mode 0600")


def _verify(context: ssl.SSLContext, mode: ssl.VerifyMode, ca_pem: str, crl_pem: str | None) -> None:
    context.verify_mode = mode
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    context.load_verify_locations(cadata=ca_pem)
    if crl_pem is None:
        return
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if crl_pem:
        _load_crls(context, crl_pem)


def _load_crls(context: ssl.SSLContext, crl_pem: str) -> None:
    """Give OpenSSL the CRLs: only its file loader reads them, so they pass through a memory file."""
    handle = os.memfd_create("crls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(crl_pem.encode("ascii"))
        context.load_verify_locations(cafile=f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def own_certificate(files: TlsFiles) -> x509.Certificate:
    """Our own leaf, for its dates and DN; raises `TrustProblem`."""
    try:
        return x509.load_pem_x509_certificates(read_file(files.certificate))[0]
    except (ValueError, IndexError):
        raise TrustProblem(
            "own-certificate", f"{files.certificate}: not a PEM certificate: install it again"
        ) from None
