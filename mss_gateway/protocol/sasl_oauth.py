"""PURE. Client responses of OAUTHBEARER (RFC 7628) and XOAUTH2, its older sister."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret

OAUTHBEARER, XOAUTH2 = "OAUTHBEARER", "XOAUTH2"
"""The mechanisms that carry a bearer token (ACC-2)."""

TOKEN_MECHANISMS = (OAUTHBEARER, XOAUTH2)
"""Both, the standard one first."""

MALFORMED = Refuse(501, "5.5.2", "The authentication response is malformed", "sasl-malformed")
"""What a response that cannot be read is answered with."""

TOO_LONG = Refuse(535, "5.7.8", "The token is not accepted here", "token-too-long")
"""A token over `MAX_TOKEN`; the text is that of every token that is not accepted."""

MAX_TOKEN = 16 * 1024
"""Octets of a token; those of Pro Santé Connect have two to four thousand."""

MAX_RESPONSE = MAX_TOKEN + 8 * 1024
"""Octets of a whole response."""

MAX_LOGIN = 1024
"""Octets of a login or a host name."""

_KVSEP = b"\x01"
_FIELDS = 16  # key-value pairs; two are known to be used beside `auth`
_KEY = re.compile(rb"[A-Za-z]{1,32}\Z")
_VALUE = re.compile(rb"[\x21-\x7e \t\r\n]*\Z")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")  # b64token of RFC 6750 section 2.1
_COMMA_OR_EQUALS = {"=2C": ",", "=3D": "="}
_ESCAPED = re.compile("=(?:2C|3D)?")


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """A token and the mailbox or login that it is shown for, empty when the client names none.

    `host` and `port` (0: not told) are what the client believes to be connected to. An empty token asks where
    tokens are given (RFC 7628 section 4.3).
    """

    login: str
    token: Secret
    host: str = ""
    port: int = 0


def parse_token(mechanism: str, data: bytes) -> TokenCredentials | Refuse:
    """Read the client response of one of `TOKEN_MECHANISMS`."""
    if len(data) > MAX_RESPONSE:
        return TOO_LONG
    return parse_oauthbearer(data) if mechanism == OAUTHBEARER else parse_xoauth2(data)


def parse_xoauth2(data: bytes) -> TokenCredentials | Refuse:
    """Read `user=LOGIN ^A auth=Bearer TOKEN ^A ^A`; the login is UTF-8."""
    if not data.startswith(b"user="):
        return MALFORMED
    user, separator, rest = data[5:].partition(_KVSEP)
    fields = _fields(rest)
    if not separator or fields is None:
        return MALFORMED
    return _credentials(user, fields)


def parse_oauthbearer(data: bytes) -> TokenCredentials | Refuse:
    """Read the GS2 header and the key-value pairs of RFC 7628 section 3.1; channel binding is not offered."""
    header, separator, rest = data.partition(_KVSEP)
    flag, first, after = header.partition(b",")
    identity, second, surplus = after.partition(b",")
    fields = _fields(rest)
    if not (separator and first and second) or surplus or flag not in (b"n", b"y") or fields is None:
        return MALFORMED
    if not identity:
        return _credentials(b"", fields)
    if not identity.startswith(b"a=") or len(identity) == 2:
        return MALFORMED
    return _credentials(identity[2:], fields, saslname=True)


def _fields(data: bytes) -> dict[bytes, bytes] | None:
    """The pairs before the empty one that ends them, None when they break the grammar or name a key twice."""
    if (
        not data.endswith(_KVSEP)
        or (len(data) > 1 and data[-2:] != _KVSEP * 2)
        or data.count(_KVSEP) > _FIELDS
    ):
        return None
    fields: dict[bytes, bytes] = {}
    for pair in data.split(_KVSEP)[:-2]:
        key, equals, value = pair.partition(b"=")
        name = key.lower()
        if not equals or not _KEY.match(key) or not _VALUE.match(value) or name in fields:
            return None
        fields[name] = value
    return fields


def _credentials(
    login: bytes, fields: dict[bytes, bytes], *, saslname: bool = False
) -> TokenCredentials | Refuse:
    host, port = fields.get(b"host", b""), fields.get(b"port", b"")
    if b"auth" not in fields or max(len(login), len(host)) > MAX_LOGIN or len(port) > 5:
        return MALFORMED
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        return MALFORMED
    try:
        name, auth = login.decode(), fields[b"auth"].decode("ascii")
    except UnicodeDecodeError:
        return MALFORMED
    if saslname:
        # RFC 5801 section 4: a comma and an equals sign are written as =2C and =3D, and no others are escaped.
        if any(mark == "=" for mark in _ESCAPED.findall(name)):
            return MALFORMED
        name = _ESCAPED.sub(lambda found: _COMMA_OR_EQUALS[found[0]], name)
    if not name.isprintable():
        return MALFORMED
    number = int(port) if port else 0
    if not auth:
        return TokenCredentials(name, Secret(""), host.decode("ascii"), number)
    scheme, _, token = auth.partition(" ")
    if scheme.lower() != "bearer" or not _TOKEN.match(token := token.strip(" ")):
        return MALFORMED
    if len(token) > MAX_TOKEN:
        return TOO_LONG
    return TokenCredentials(name, Secret(token), host.decode("ascii"), number)
