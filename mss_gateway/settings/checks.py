"""What a type cannot say: files that are there and fit together, ports that exist, no port twice (OPS-6)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.trust.dn import parse
from mss_gateway.trust.options import TrustOptions

from .explain import ConfigError
from .schema import File

DOORS = ("mta", "submission", "submissions", "imap", "imaps")
"""Names of the listeners, as keys of [listen]."""


def endpoint(text: str) -> tuple[str, int]:
    """Host and port of `host:port`; IPv6 hosts stand in brackets."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def is_address(text: str, *schemes: str) -> bool:
    """Whether a text is an address with a host, of one of these schemes and without a login in it."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text
    return plain and named and parts.scheme in schemes and "@" not in parts.netloc


def check_endpoints(path: Path, file: File) -> None:
    """Raise `ConfigError` for a port out of range or used twice."""
    used: dict[str, str] = {}
    for door in DOORS:
        for text in getattr(file.listen, door):
            host, port = endpoint(text)
            if not 1 <= port <= 65535:
                raise ConfigError(f"{path}: listen.{door} = {text!r}: a port is between 1 and 65535")
            other = used.get(f"{host}:{port}")
            if other is not None:
                raise ConfigError(
                    f"{path}: listen.{door} = {text!r}: listen.{other} uses this port already: choose another"
                )
            used[f"{host}:{port}"] = door
    if not used:
        raise ConfigError(f"{path}: listen: every door is switched off: open at least one")


def check_probe(path: Path, file: File, hosted: frozenset[str]) -> None:
    """Raise `ConfigError` when the mailbox of the doctor's round trip cannot be one of ours."""
    text = file.gateway.probe
    if not text:
        return
    try:
        domain = parse_address(text).domain
    except InvalidValue as invalid:
        raise ConfigError(
            f"{path}: gateway.probe = {text!r}: {invalid.public}: write the address of an APP mailbox of ours"
        ) from None
    if domain not in hosted:
        raise ConfigError(
            f"{path}: gateway.probe = {text!r}: {domain} is not among domains.hosted:"
            " the round trip needs a mailbox of ours"
        )


def check_files(path: Path, trust: TrustOptions) -> None:
    """Raise `ConfigError` for a file that is missing, unreadable, or does not fit its partner."""
    for key, file in _named(trust):
        try:
            with file.open("rb") as opened:
                opened.read(1)
        except FileNotFoundError:
            raise ConfigError(f"{path}: {key} = '{file}': there is no such file: put it there") from None
        except IsADirectoryError:
            raise ConfigError(f"{path}: {key} = '{file}': this is a folder: name a file") from None
        except PermissionError:
            raise ConfigError(f"{path}: {key} = '{file}': the file cannot be read: check its owner") from None
    check_pair(path, "tls", trust.certificate, trust.key)
    if trust.client_certificate is not None:
        if trust.client_key is None:
            raise ConfigError(f"{path}: tls.client_key is missing: tls.client_certificate needs its key")
        check_pair(path, "tls.client", trust.client_certificate, trust.client_key)
    try:
        signer = parse(trust.list_signer)
    except ValueError:
        signer = ()
    if not signer:
        raise ConfigError(
            f"{path}: trust.list_signer = {trust.list_signer!r}: write the signer's whole DN, such as"
            " CN=alb.mssante.fr,OU=…,O=…,ST=…,C=FR"
        )


def _named(trust: TrustOptions) -> Iterator[tuple[str, Path]]:
    yield "tls.certificate", trust.certificate
    yield "tls.key", trust.key
    if trust.client_certificate is not None:
        yield "tls.client_certificate", trust.client_certificate
    if trust.client_key is not None:
        yield "tls.client_key", trust.client_key
    yield from (("trust.ca", file) for file in trust.ca_files)
    yield from (("trust.crl", file) for file in trust.crl_files)
    yield from (("trust.list_signer_ca", file) for file in trust.list_signer_ca_files)
    yield from (("trust.fetch_ca", file) for file in trust.fetch_ca_files)
    if trust.list_file is not None:
        yield "trust.list", trust.list_file


def check_pair(path: Path, section: str, certificate: Path, key: Path) -> None:
    """Raise `ConfigError` unless both are PEM and belong together."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            raise ConfigError(
                f"{path}: {section}.key = '{key}': it is not the key of '{certificate}': use the pair issued together"
            ) from None
        raise ConfigError(
            f"{path}: {section}.certificate = '{certificate}': certificate or key is not PEM: convert it"
        ) from None
