"""Channel bindings of a TLS connection, for SCRAM-SHA-256-PLUS (RFC 5929).

`tls-exporter` (RFC 9266) would be the one for TLS 1.3; Python's ssl cannot export keying material, so it is not
claimed.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

END_POINT = "tls-server-end-point"
UNIQUE = "tls-unique"


class OwnContext(ssl.SSLContext):
    """A server's context that knows the binding of the certificate it shows; empty when there is none."""

    end_point = b""

    def show(self, der: bytes) -> None:
        """Note the certificate (DER) that was loaded."""
        self.end_point = end_point(der)


def end_point(der: bytes) -> bytes:
    """The digest of a server's certificate (RFC 5929 section 4.1); empty where that section defines none (EdDSA)."""
    try:
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return b""
    if algorithm is None:
        return b""
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, der).digest()


def channel_bindings(session: ssl.SSLObject, context: ssl.SSLContext) -> Mapping[str, bytes]:
    """By type, what this connection can be bound to.

    `tls-unique` does not exist in TLS 1.3, and in TLS 1.2 it names a connection only after a full handshake: resumed
    sessions could have been made equal by somebody in between (RFC 7627 section 1). Our contexts renegotiate nothing.
    """
    found: dict[str, bytes] = {}
    if isinstance(context, OwnContext) and context.end_point:
        found[END_POINT] = context.end_point
    if session.version() == "TLSv1.2" and not session.session_reused:
        unique = session.get_channel_binding(UNIQUE)
        if unique:
            found[UNIQUE] = unique
    return found
