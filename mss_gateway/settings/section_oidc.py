"""[oidc]: tokens of Pro Santé Connect."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mss_gateway.identity.oidc_options import PSC_DOCUMENT

from .section import Seconds, Section

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures by a public key; those of `identity.oidc_options.ALGORITHMS`."""


class OidcSection(Section):
    """[oidc]: tokens of Pro Santé Connect (ACC-2)."""

    mode: Literal["off", "jwks", "introspection"] = "off"
    issuer: str = ""
    document: str = PSC_DOCUMENT
    jwks_url: str = ""
    introspection_url: str = ""
    userinfo_url: str = ""
    audience: list[str] = []
    clients: list[str] = []
    algorithms: list[Algorithm] = Field(default=["RS256", "PS256", "ES256"], min_length=1)
    subject: Annotated[str, Field(min_length=1)] = "SubjectNameID"
    userinfo: Literal["never", "missing", "always"] = "missing"
    scope: str = "openid scope_all"
    skew: Annotated[float, Field(ge=0, le=600)] = 60.0
    keys_every_hours: Annotated[float, Field(gt=0)] = 1.0
    keys_pause: Annotated[float, Field(ge=1)] = 30.0
    keys_max_age_hours: Annotated[float, Field(gt=0)] = 24.0
    timeout: Seconds = 5.0
    ca: list[str] = []
    client_id: str = ""
    client_secret_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    session: Literal["refresh", "token"] = "refresh"
    session_hours: Annotated[float, Field(gt=0)] = 4.0
