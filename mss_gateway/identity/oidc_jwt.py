"""One signed token, judged without any I/O: form, algorithm, signature, then its claims (RFC 7519, RFC 9068)."""

from __future__ import annotations

import binascii
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from mss_gateway.base.errors import Refuse

from . import oidc_refusals as refusals
from .oidc_keys import PublicKey
from .oidc_options import OidcOptions

MAX_TOKEN = 16 * 1024
"""Octets of a token."""

MAX_HEADER = 4096
"""Octets of its coded header."""

Claims = Mapping[str, Any]
"""What a token, an introspection or a userinfo says."""

_LATEST = 1 << 53  # seconds; a JSON number beyond is no time, and neither is NaN
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+\Z")
_TYPES = ("jwt", "at+jwt", "application/jwt", "application/at+jwt")
_OTHER_TOKENS = (
    "id",
    "refresh",
    "offline",
    "logout",
)  # Keycloak writes the use of a token into its claim `typ`


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """What a signature says of itself. Keys and addresses of keys in the header are never looked at."""

    algorithm: str
    kid: str


class _Registry(JWSRegistry):
    """Room for a header with a key in it, which is not used."""

    max_header_length = MAX_HEADER


def read_header(token: str, algorithms: Sequence[str]) -> TokenHeader | Refuse:
    """Look at the form and the header, before any key is touched."""
    if len(token) > MAX_TOKEN:
        return refusals.TOO_LONG
    segments = token.split(".")
    if len(segments) == 5:
        return refusals.ENCRYPTED
    if len(segments) != 3 or len(segments[0]) > MAX_HEADER or not all(map(_SEGMENT.match, segments[:2])):
        return refusals.MALFORMED
    header = decoded(segments[0])
    if header is None:
        return refusals.MALFORMED
    algorithm, kid, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or not isinstance(kid, str) or not isinstance(kind, str):
        return refusals.MALFORMED
    if algorithm not in algorithms:
        return refusals.ALGORITHM
    if not _SEGMENT.match(segments[2]):
        return refusals.MALFORMED
    if "crit" in header:
        return refusals.CRITICAL
    return TokenHeader(algorithm, kid) if kind.lower() in _TYPES else refusals.TYPE


def decoded(segment: str) -> dict[str, Any] | None:
    """The JSON object of a base64url segment, None when it is none."""
    try:
        found = orjson.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def verified(token: str, header: TokenHeader, keys: Sequence[PublicKey]) -> Claims | Refuse:
    """The claims under a signature of one of these keys."""
    for one in keys:
        try:
            # The algorithm is that of the header, which was compared with the pinned ones; the key must fit it.
            found = jws.deserialize_compact(
                token, one.key, registry=_Registry(algorithms=[header.algorithm], strict_check_header=False)
            )
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        try:
            claims = orjson.loads(found.payload or b"")
        except orjson.JSONDecodeError:
            return refusals.MALFORMED
        return claims if isinstance(claims, dict) else refusals.MALFORMED
    return refusals.SIGNATURE


def check_claims(claims: Claims, options: OidcOptions, now: float, *, signed: bool) -> Refuse | None:
    """Issuer, audience, client, times, use. What the provider answers itself (not `signed`) may leave out
    the issuer and the end."""
    issuer = claims.get("iss")
    if issuer != options.issuer and (signed or issuer is not None):
        return refusals.ISSUER
    use = claims.get("typ", "Bearer")
    if not isinstance(use, str) or use.lower() in _OTHER_TOKENS:
        return refusals.TYPE
    return _times(claims, options.skew, now, signed=signed) or _parties(claims, options)


def _times(claims: Claims, skew: float, now: float, *, signed: bool) -> Refuse | None:
    times: dict[str, float] = {}
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
            return refusals.MALFORMED
        times[name] = value
    if "exp" not in times and signed:
        return refusals.NO_EXPIRY
    if times.get("exp", math.inf) + skew <= now:
        return refusals.EXPIRED
    if max(times.get("nbf", 0.0), times.get("iat", 0.0)) > now + skew:
        return refusals.NOT_YET
    return None


def _parties(claims: Claims, options: OidcOptions) -> Refuse | None:
    audience = claims.get("aud")
    meant = {one for one in (audience if isinstance(audience, list) else [audience]) if isinstance(one, str)}
    if options.audience and not meant & options.audience:
        return refusals.AUDIENCE
    # Keycloak names the client in `azp`, RFC 9068 and RFC 7662 in `client_id`; who names both names one.
    named = {claims[name] for name in ("azp", "client_id") if isinstance(claims.get(name), str)}
    if options.clients and not (named and named <= options.clients):
        return refusals.AUDIENCE
    return None
