"""The throw-away PKI for tests: the same one that `mss-gateway dev` uses, made at run time."""

from __future__ import annotations

from mss_gateway.dev.pki import (
    CLIENT_AND_SERVER,
    CLIENT_ONLY,
    EMAIL_ONLY,
    PRINTABLE,
    SERVER_ONLY,
    T61,
    UTF8,
    Authority,
    Issued,
    Pki,
    Subject,
    name_of,
    new_key,
    new_pki,
    self_signed,
    write_file,
)

__all__ = [
    "CLIENT_AND_SERVER",
    "CLIENT_ONLY",
    "EMAIL_ONLY",
    "PRINTABLE",
    "SERVER_ONLY",
    "T61",
    "UTF8",
    "Authority",
    "Issued",
    "Pki",
    "Subject",
    "name_of",
    "new_key",
    "new_pki",
    "self_signed",
    "write_file",
]
