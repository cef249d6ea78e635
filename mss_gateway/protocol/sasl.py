"""PURE. Client responses of the SASL mechanisms we offer (RFC 4616, RFC 4422 appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret

MALFORMED = Refuse(501, "5.5.2", "The authentication response is malformed", "sasl-malformed")
"""What a response that cannot be read is answered with."""

MAX_FIELD = 1024
"""Octets of a login or a password; RFC 4616 asks for at least 255."""


@dataclass(frozen=True, slots=True)
class PlainCredentials:
    """PLAIN: who logs in, with what, and as whom (`acting_as`, empty: as themselves)."""

    acting_as: str
    login: str
    password: Secret


def parse_plain(data: bytes) -> PlainCredentials | Refuse:
    """Read `authzid NUL authcid NUL passwd` (RFC 4616)."""
    fields = data.split(b"\0")
    if len(fields) != 3 or not fields[1] or any(len(field) > MAX_FIELD for field in fields):
        return MALFORMED
    try:
        acting_as, login, password = (field.decode() for field in fields)
    except UnicodeDecodeError:
        return MALFORMED
    return PlainCredentials(acting_as, login, Secret(password))


def parse_external(data: bytes) -> str | Refuse:
    """Read the authorization identity of EXTERNAL; empty leaves the choice to the certificate."""
    if len(data) > MAX_FIELD or b"\0" in data:
        return MALFORMED
    try:
        return data.decode()
    except UnicodeDecodeError:
        return MALFORMED


def parse_text(data: bytes) -> str | None:
    """Read one answer of LOGIN, None when it cannot be one; raises nothing."""
    if len(data) > MAX_FIELD or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
