"""What is believed of which OpenID provider, and for how long (ACC-2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PSC_DOCUMENT = "/.well-known/wallet-openid-configuration"
"""Where Pro Santé Connect describes itself, below its issuer; not the standard name (domain 9.1)."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that a setting may pin: public keys only, never `none`, never a shared secret."""


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """One provider. Times in seconds; addresses empty when the provider's document tells them.

    `mode` is `jwks` (signatures are verified here) or `introspection` (the provider is asked about every token).
    A token must be for one of `audience` and from one of `clients`, each when not empty. `userinfo` is `never`,
    `missing` (asked when the token has no `subject_claim`) or `always`. `session` is `refresh` (a session lasts
    `session_seconds`, whatever becomes of its token) or `token` (it ends with the token).
    """

    mode: str
    issuer: str
    document_url: str = ""
    jwks_url: str = ""
    introspection_url: str = ""
    userinfo_url: str = ""
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    audience: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    subject_claim: str = "SubjectNameID"
    userinfo: str = "missing"
    scope: str = "openid scope_all"
    skew: float = 60.0
    keys_every: float = 3600.0
    keys_pause: float = 30.0
    keys_max_age: float = 86400.0
    timeout: float = 5.0
    ca_files: tuple[Path, ...] = ()
    client_id: str = ""
    client_secret_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    session: str = "refresh"
    session_seconds: float = 4 * 3600.0
