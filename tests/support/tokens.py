"""Tokens good and bad, and the options of a gateway that looks at them."""

from __future__ import annotations

import hmac
import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from joserfc.jwk import RSAKey

from mss_gateway.dev.provider import SECRET, OpenIdProvider
from mss_gateway.dev.provider_names import CLIENT, DOCUMENT, SUBJECT
from mss_gateway.dev.provider_tokens import Issuer, SigningKey, new_signing_key
from mss_gateway.dev.space import make_space
from mss_gateway.identity.oidc_options import OidcOptions


@cache
def trust_folder() -> Path:
    """A trust space with the provider's certificate; made once for a test run."""
    return Path(make_space(Path(mkdtemp(prefix="mss-tokens-"))).folder)


def options(provider: OpenIdProvider, folder: Path | None = None, **changes: Any) -> OidcOptions:
    """How a gateway believes this provider."""
    issuer = provider.issuer.issuer
    given: dict[str, Any] = {
        "mode": "jwks",
        "issuer": issuer,
        "document_url": issuer + DOCUMENT,
        "clients": frozenset({CLIENT}),
        "ca_files": ((folder or trust_folder()) / "ca.pem",),
        "timeout": 60.0,
        **changes,
    }
    return OidcOptions(**given)


def secret_file(folder: Path) -> Path:
    """What a gateway proves itself with."""
    path = folder / "client.secret"
    path.write_text(SECRET + "\n")
    return path


def coded(value: object) -> str:
    """A segment of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: object, signature: bytes = b"x") -> str:
    """A token with any header and any signature."""
    return f"{coded(header)}.{coded(claims)}.{coded(signature)}"


def unsigned(issuer: Issuer) -> str:
    """`alg: none`."""
    return by_hand({"alg": "none", "typ": "JWT"}, issuer.claims(), b"").rstrip("x")


def signed_with_public_key(issuer: Issuer) -> str:
    """HS256 whose secret is the PEM of the provider's public key."""
    key = issuer.keys[-1]
    text = by_hand({"alg": "HS256", "typ": "JWT", "kid": key.kid}, issuer.claims()).rpartition(".")[0]
    mac = hmac.new(key.key.as_pem(private=False), text.encode(), sha256).digest()
    return f"{text}.{coded(mac)}"


def of_a_stranger(issuer: Issuer, kid: str | None = None) -> str:
    """A whole token under a key that the provider never had; `kid` pretends one."""
    key = new_signing_key(kid or "inconnue", issuer.algorithm)
    return issuer.signed(issuer.claims(), key=key)


def with_its_own_key(issuer: Issuer) -> str:
    """A stranger's token that brings its key in `jwk` and points to others."""
    key = new_signing_key(issuer.keys[-1].kid, issuer.algorithm)
    elsewhere = "https://localhost:1/keys"
    public = dict(key.key.as_dict(private=False))
    return issuer.signed(issuer.claims(), key=key, jwk=public, jku=elsewhere, x5u=elsewhere)


def weak_key(kid: str = "faible") -> SigningKey:
    """RSA with 1024 bits."""
    with warnings.catch_warnings(action="ignore"):
        return SigningKey(kid, "RS256", RSAKey.generate_key(1024))


def critical(issuer: Issuer) -> str:
    """A header that must be understood and is not; signed by hand, since no library signs what it does not know."""
    good = issuer.token()
    _, claims, signature = good.split(".")
    header = {
        "alg": issuer.algorithm,
        "typ": "JWT",
        "kid": issuer.keys[-1].kid,
        "crit": ["essai"],
        "essai": 1,
    }
    return f"{coded(header)}.{claims}.{signature}"


def encrypted() -> str:
    """Five segments: a JWE."""
    return ".".join([coded({"alg": "RSA-OAEP", "enc": "A256GCM"}), *("AAAA" for _ in range(4))])


BAD: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "expired": (lambda p: p.token(exp=int(time.time()) - 61), "token-expired"),
    "ends never": (lambda p: p.token(exp=None), "token-no-expiry"),
    "end is text": (lambda p: p.token(exp="demain"), "token-malformed"),
    "end is true": (lambda p: p.token(exp=True), "token-malformed"),
    "not yet valid": (lambda p: p.token(nbf=int(time.time()) + 120), "token-not-yet-valid"),
    "issued tomorrow": (lambda p: p.token(iat=int(time.time()) + 86400), "token-not-yet-valid"),
    "other client": (lambda p: p.token(azp="autre-logiciel"), "token-audience"),
    "no client": (lambda p: p.token(azp=None), "token-audience"),
    "two clients": (lambda p: p.token(client_id="autre-logiciel"), "token-audience"),
    "other issuer": (lambda p: p.token(iss="https://localhost/autre"), "token-issuer"),
    "no issuer": (lambda p: p.token(iss=None), "token-issuer"),
    "ID token": (lambda p: p.token(typ="ID"), "token-type"),
    "refresh token": (lambda p: p.token(typ="Refresh"), "token-type"),
    "typ of a header": (lambda p: p.signed(p.claims(), typ="logout+jwt"), "token-type"),
    "alg none": (unsigned, "token-algorithm"),
    "alg None": (lambda p: by_hand({"alg": "None"}, p.claims()), "token-algorithm"),
    "HS256 with the public key": (signed_with_public_key, "token-algorithm"),
    "alg absent": (lambda p: by_hand({"typ": "JWT"}, p.claims()), "token-malformed"),
    "alg is a list": (lambda p: by_hand({"alg": ["ES256"]}, p.claims()), "token-malformed"),
    "unknown kid": (of_a_stranger, "token-key-unknown"),
    "a stranger's key under our kid": (lambda p: of_a_stranger(p, p.keys[-1].kid), "token-signature"),
    "brings its own key": (with_its_own_key, "token-signature"),
    "signature changed": (lambda p: p.token()[:-8] + "AAAAAAAA", "token-signature"),
    "signature cut": (lambda p: p.token()[:-20], "token-signature"),
    "claims changed": (lambda p: _changed(p.token()), "token-signature"),
    "critical header": (critical, "token-critical"),
    "encrypted": (lambda p: encrypted(), "token-encrypted"),
    "huge": (lambda p: p.token(bourrage="x" * 65536), "token-too-long"),
    "huge header": (lambda p: by_hand({"alg": "ES256", "x": "y" * 5000}, {}), "token-malformed"),
    "garbage": (lambda p: "n'importe quoi", "token-malformed"),
    "two segments": (lambda p: "AAAA.BBBB", "token-malformed"),
    "truncated base64": (lambda p: "eyJhb.eyJpc.QUFB", "token-malformed"),
    "header is no JSON": (lambda p: "AAAA.AAAA.AAAA", "token-malformed"),
    "header is a list": (lambda p: by_hand([], {}), "token-malformed"),  # type: ignore[arg-type]
    "deep header": (lambda p: f"{coded(b'[' * 3000)}.AAAA.AAAA", "token-malformed"),
    "claims are a list": (lambda p: p.signed([]), "token-malformed"),  # type: ignore[arg-type]
    "empty": (lambda p: "", "token-malformed"),
    "no subject anywhere": (lambda p: p.token(subject=" "), "token-no-subject"),
    "subject of another": (lambda p: p.token(sub="f:essai:autre"), "token-revoked"),
    "subject is a number": (lambda p: p.token(SubjectNameID=int(SUBJECT)), "token-no-subject"),
}
"""By what is wrong: a maker, and the slug under which it is refused."""


def _changed(token: str) -> str:
    header, claims, signature = token.split(".")
    return f"{header}.{claims[:-4]}AAAA.{signature}"
