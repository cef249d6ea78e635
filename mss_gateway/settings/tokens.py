"""From the section [oidc] to the options of the token book (ACC-2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, SSLError

from mss_gateway.identity.oidc_options import OidcOptions

from .checks import check_pair, is_address
from .explain import ConfigError
from .schema import File
from .section_oidc import OidcSection

HOUR = 3600.0


def oidc_options(path: Path, file: File, at: Callable[[str], Path]) -> OidcOptions | None:
    """The provider whose tokens are accepted, None when there is none; raises `ConfigError`."""
    oidc = file.oidc
    if oidc.mode == "off":
        return None
    _check_addresses(path, oidc)
    _check_parties(path, oidc)
    _check_files(path, oidc, at)
    document = oidc.document
    if document.startswith("/"):
        document = oidc.issuer.rstrip("/") + document
    return OidcOptions(
        mode=oidc.mode,
        issuer=oidc.issuer,
        document_url=document,
        jwks_url=oidc.jwks_url,
        introspection_url=oidc.introspection_url,
        userinfo_url=oidc.userinfo_url,
        algorithms=tuple(oidc.algorithms),
        audience=frozenset(oidc.audience),
        clients=frozenset(oidc.clients),
        subject_claim=oidc.subject,
        userinfo=oidc.userinfo,
        scope=oidc.scope,
        skew=oidc.skew,
        keys_every=oidc.keys_every_hours * HOUR,
        keys_pause=oidc.keys_pause,
        keys_max_age=oidc.keys_max_age_hours * HOUR,
        timeout=oidc.timeout,
        ca_files=tuple(at(name) for name in oidc.ca),
        client_id=oidc.client_id,
        client_secret_file=at(oidc.client_secret_file) if oidc.client_secret_file else None,
        client_certificate=at(oidc.client_certificate) if oidc.client_certificate else None,
        client_key=at(oidc.client_key) if oidc.client_key else None,
        session=oidc.session,
        session_seconds=oidc.session_hours * HOUR,
    )


def _check_addresses(path: Path, oidc: OidcSection) -> None:
    for key in ("issuer", "document", "jwks_url", "introspection_url", "userinfo_url"):
        text = getattr(oidc, key)
        below_issuer = key == "document" and text.startswith("/") and text.isascii() and text.isprintable()
        if not below_issuer and (text or key == "issuer") and not is_address(text, "https"):
            raise ConfigError(
                f"{path}: oidc.{key} = {text!r}: write an address such as https://host/path, without a login in it"
            )
    needed = "jwks_url" if oidc.mode == "jwks" else "introspection_url"
    if not oidc.document and not getattr(oidc, needed):
        raise ConfigError(
            f"{path}: oidc.document and oidc.{needed} are both empty: name the provider's document or that address"
        )
    if not oidc.document and oidc.userinfo != "never" and not oidc.userinfo_url:
        raise ConfigError(
            f"{path}: oidc.userinfo = {oidc.userinfo!r} without oidc.userinfo_url and oidc.document: name one of them,"
            ' or write userinfo = "never"'
        )


def _check_parties(path: Path, oidc: OidcSection) -> None:
    if not oidc.audience and not oidc.clients:
        raise ConfigError(
            f"{path}: oidc.audience and oidc.clients are both empty: name the client ids whose tokens are accepted, or"
            " every token of the provider would be"
        )
    if oidc.mode != "introspection":
        return
    if not oidc.client_id or bool(oidc.client_secret_file) == bool(oidc.client_certificate):
        raise ConfigError(
            f"{path}: oidc.client_id with either oidc.client_secret_file or oidc.client_certificate is needed for"
            " introspection: the provider answers only to those it knows"
        )


def _check_files(path: Path, oidc: OidcSection, at: Callable[[str], Path]) -> None:
    named = [("client_secret_file", oidc.client_secret_file), *(("ca", name) for name in oidc.ca)]
    for key, name in named:
        if name and not at(name).is_file():
            raise ConfigError(f"{path}: oidc.{key} = {name!r}: there is no such file: put it there")
    for name in oidc.ca:
        try:
            SSLContext(PROTOCOL_TLS_CLIENT).load_verify_locations(at(name))
        except (SSLError, OSError):
            raise ConfigError(
                f"{path}: oidc.ca = {name!r}: no PEM file of certificates that can be read: install it again"
            ) from None
    if bool(oidc.client_certificate) != bool(oidc.client_key):
        raise ConfigError(
            f"{path}: oidc.client_certificate and oidc.client_key go together: give both or neither"
        )
    if oidc.client_certificate:
        for key, name in (("client_certificate", oidc.client_certificate), ("client_key", oidc.client_key)):
            if not at(name).is_file():
                raise ConfigError(f"{path}: oidc.{key} = {name!r}: there is no such file: put it there")
        check_pair(path, "oidc.client", at(oidc.client_certificate), at(oidc.client_key))
