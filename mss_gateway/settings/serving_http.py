"""From the section [http] to the options of the ops door (ACC-4, OPS-4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_domain
from mss_gateway.net.gate import GateOptions
from mss_gateway.ops.http_options import (
    MIN_TOKEN,
    HttpLimits,
    HttpOptions,
    MailServices,
    Network,
    OAuth,
    Place,
)
from mss_gateway.relay.smarthost import is_loopback
from mss_gateway.trust import dn
from mss_gateway.trust.options import TrustOptions

from .checks import check_pair, endpoint
from .explain import ConfigError
from .schema import File

_UNIX = "unix:"


def http_options(
    path: Path,
    file: File,
    at: Callable[[str], Path],
    hostname: str,
    domains: frozenset[str],
    trust: TrustOptions,
) -> HttpOptions:
    """The ops door; raises `ConfigError`."""
    http = file.http
    certificate = at(http.certificate) if http.certificate else trust.client_certificate or trust.certificate
    if bool(http.certificate) != bool(http.key):
        raise ConfigError(f"{path}: http.certificate and http.key go together: give both or neither")
    key = at(http.key) if http.key else trust.client_key or trust.key
    if http.certificate:
        for name, one in (("certificate", certificate), ("key", key)):
            if not one.is_file():
                raise ConfigError(f"{path}: http.{name} = '{one}': there is no such file: put it there")
        check_pair(path, "http", certificate, key)
    places = (*_secure(path, file), *_plain(path, file, at))
    return HttpOptions(
        places=places,
        services=_services(path, file, hostname),
        domains=domains,
        certificate=certificate,
        key=key,
        token_file=_token_file(path, http.admin_token_file, at),
        admin_dns=frozenset(_dn(path, name, trust) for name in http.admin_dns),
        metrics_from=tuple(_network(path, name) for name in http.metrics_from),
        url=_url(path, http.url),
        oauth=_oauth(path, file),
        sign_profiles=http.sign_profiles,
        caps=GateOptions(http.connections, http.connections_per_address),
        limits=HttpLimits(http.header_size, http.body_size, http.request_timeout, http.idle_timeout),
    )


def _secure(path: Path, file: File) -> Iterator[Place]:
    for text in file.http.listen:
        host, port = endpoint(text)
        if not 1 <= port <= 65535:
            raise ConfigError(f"{path}: http.listen = {text!r}: a port is between 1 and 65535")
        if any(text in getattr(file.listen, door) for door in type(file.listen).model_fields):
            raise ConfigError(
                f"{path}: http.listen = {text!r}: a door of [listen] uses it already: choose another"
            )
        yield Place(host, port)


def _plain(path: Path, file: File, at: Callable[[str], Path]) -> Iterator[Place]:
    for text in file.http.plain:
        if text.startswith(_UNIX) and len(text) > len(_UNIX):
            yield Place(path=at(text.removeprefix(_UNIX)), secure=False)
            continue
        try:
            host, port = endpoint(text)
            loopback = is_loopback(host)
        except ValueError:
            loopback = False
        if not loopback or not 1 <= port <= 65535:
            raise ConfigError(
                f"{path}: http.plain = {text!r}: without TLS only a loopback address such as 127.0.0.1:8080,"
                " or a socket file such as unix:/run/mss-gateway/http.sock"
            )
        yield Place(host, port, secure=False)


def _services(path: Path, file: File, hostname: str) -> MailServices:
    http, listen = file.http, file.listen

    def seen(given: int, door: Sequence[str]) -> int:
        return (given or endpoint(door[0])[1]) if door else 0

    return MailServices(
        _host(path, "http.imap_host", http.imap_host) or hostname,
        _host(path, "http.submission_host", http.submission_host) or hostname,
        seen(http.imap_port, listen.imap),
        seen(http.imaps_port, listen.imaps),
        seen(http.submission_port, listen.submission),
        seen(http.submissions_port, listen.submissions),
    )


def _oauth(path: Path, file: File) -> OAuth | None:
    http = file.http
    if bool(http.oauth_authorize) != bool(http.oauth_token):
        raise ConfigError(
            f"{path}: http.oauth_authorize and http.oauth_token go together: give both or neither"
        )
    for key in ("oauth_authorize", "oauth_token"):
        if getattr(http, key) and not getattr(http, key).startswith("https://"):
            raise ConfigError(
                f"{path}: http.{key} = {getattr(http, key)!r}: write an address that begins with https://"
            )
    if file.oidc.mode == "off" or not http.oauth_token:
        return None
    return OAuth(file.oidc.issuer, file.oidc.scope, http.oauth_authorize, http.oauth_token)


def _host(path: Path, key: str, text: str) -> str:
    try:
        return _host_name(text) if text else ""
    except InvalidValue as invalid:
        raise ConfigError(
            f"{path}: {key} = {text!r}: {invalid.public}: write a host name such as imap.example.fr"
        ) from None


def _host_name(text: str) -> str:
    """A host name in A-labels; `localhost` is one for the sample space. Raises `InvalidValue`."""
    return text if text == "localhost" else parse_domain(text)


def _token_file(path: Path, name: str, at: Callable[[str], Path]) -> Path | None:
    if not name:
        return None
    try:
        token = at(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"{path}: http.admin_token_file = {name!r}: the file cannot be read: make it with"
            " `openssl rand -hex 32` and give it to the gateway's user, mode 0600"
        ) from None
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"{path}: http.admin_token_file = {name!r}: the token has fewer than {MIN_TOKEN} plain characters:"
            " make a new one with `openssl rand -hex 32`"
        )
    return at(name)


def _dn(path: Path, name: str, trust: TrustOptions) -> str:
    try:
        return dn.key_of_text(name, trust.st_is_l)
    except ValueError:
        raise ConfigError(
            f"{path}: http.admin_dns holds {name!r}: write the whole DN of a client certificate, such as"
            " CN=supervision,O=EXEMPLE,ST=Paris (75),C=FR"
        ) from None


def _network(path: Path, name: str) -> Network:
    try:
        return ipaddress.ip_network(name)
    except ValueError:
        raise ConfigError(
            f"{path}: http.metrics_from holds {name!r}: write an address or a network such as 192.0.2.0/24"
        ) from None


def _url(path: Path, text: str) -> str:
    if not text:
        return ""
    url = text.rstrip("/")
    try:
        parts = urlsplit(url)
        _host_name(parts.hostname or "")
        fits = parts.scheme == "https" and not (parts.path or parts.query or parts.username or parts.fragment)
        assert parts.port is None or parts.port
    except (ValueError, InvalidValue, AssertionError):
        fits = False
    if not fits:
        raise ConfigError(
            f"{path}: http.url = {text!r}: write https and the host name, such as"
            " https://autoconfig.example.mssante.fr"
        )
    return url
