"""From the sections [relay] and [queue] to the options of the rooms that send (TRU-5, QUE-2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address, parse_domain
from mss_gateway.pipeline.alerts import AlertOptions
from mss_gateway.pipeline.outbound import OutboundOptions
from mss_gateway.relay.options import DnsOptions, RelayDeadlines, RelayLimits, RelayOptions
from mss_gateway.relay.smarthost import SmarthostOptions

from .checks import endpoint
from .explain import ConfigError
from .schema import File

HOUR = 3600.0


FIRST_CONNECTIONS = 2
"""Letters at a time, and so connections, with which a domain begins; more follow while it answers and mail waits."""


def relay_options(path: Path, file: File, hostname: str) -> RelayOptions:
    """How other operators are reached; raises `ConfigError`."""
    relay = file.relay
    overrides: dict[str, tuple[tuple[str, int], ...]] = {}
    for route in relay.routes:
        domain, host = _route(path, route)
        overrides[domain] = (*overrides.get(domain, ()), host)
    return RelayOptions(
        hostname=hostname,
        port=relay.port,
        overrides=overrides,
        dns=DnsOptions(tuple(relay.nameservers)),
        deadlines=RelayDeadlines(
            connect=relay.connect_timeout, command=relay.command_timeout, answer=relay.data_timeout
        ),
        limits=RelayLimits(
            per_host=relay.connections_per_domain,
            messages=relay.messages_per_connection,
            idle=relay.keep_idle,
        ),
    )


def _route(path: Path, text: str) -> tuple[str, tuple[str, int]]:
    domain, equals, place = text.partition("=")
    try:
        name = parse_domain(domain.strip())
        host, port = endpoint(place.strip())
    except (InvalidValue, ValueError):
        host = ""
    if not equals or not host or not 0 < port < 65536:
        raise ConfigError(
            f"{path}: relay.routes holds {text!r}: write domain=host:port, such as"
            " operateur.mssante.fr=mx.operateur.example:25"
        )
    return name, (host, port)


def outbound_options(path: Path, file: File) -> OutboundOptions:
    """How long and how often a message is tried again; raises `ConfigError`."""
    queue = file.queue
    if queue.warn_after_hours >= queue.lifetime_hours:
        raise ConfigError(
            f"{path}: queue.warn_after_hours = {queue.warn_after_hours:g} is not before the end of"
            f" queue.lifetime_hours = {queue.lifetime_hours:g}: lower the one or raise the other"
        )
    if queue.retry_first > queue.retry_most:
        raise ConfigError(
            f"{path}: queue.retry_first = {queue.retry_first:g} is longer than queue.retry_most ="
            f" {queue.retry_most:g}: lower the one or raise the other"
        )
    return OutboundOptions(
        retry_first=queue.retry_first,
        retry_most=queue.retry_most,
        lifetime=queue.lifetime_hours * HOUR,
        warn_after=queue.warn_after_hours * HOUR,
        per_domain=file.relay.connections_per_domain,
        first=FIRST_CONNECTIONS,
    )


def alert_options(path: Path, file: File) -> AlertOptions | None:
    """What patients are told outside, None when switched off; raises `ConfigError`."""
    alerts = file.alerts
    if alerts.mode == "off":
        return None
    try:
        parse_address(alerts.sender)
    except InvalidValue as invalid:
        raise ConfigError(
            f"{path}: alerts.sender = {alerts.sender!r}: {invalid.public}: write the address that alerts come from"
        ) from None
    return AlertOptions(alerts.mode, alerts.sender, alerts.link, alerts.digest_hour)


def smarthost_options(
    path: Path, file: File, hostname: str, at: Callable[[str], Path]
) -> SmarthostOptions | None:
    """The server that takes alerts, None when they are switched off; raises `ConfigError`."""
    alerts = file.alerts
    if alerts.mode == "off":
        return None
    try:
        host, port = endpoint(alerts.smarthost)
    except ValueError:
        raise ConfigError(
            f'{path}: alerts.smarthost = {alerts.smarthost!r}: write host:port, or alerts.mode = "off"'
        ) from None
    if bool(alerts.login) != bool(alerts.password_file):
        raise ConfigError(f"{path}: alerts.login and alerts.password_file go together: give both or neither")
    for key in ("ca", "password_file"):
        name = getattr(alerts, key)
        if name and not at(name).is_file():
            raise ConfigError(f"{path}: alerts.{key} = {name!r}: there is no such file")
    try:
        return SmarthostOptions(
            host,
            port,
            hostname,
            alerts.security,
            at(alerts.ca) if alerts.ca else None,
            alerts.login,
            at(alerts.password_file) if alerts.password_file else None,
        )
    except InvalidValue as invalid:
        raise ConfigError(
            f"{path}: alerts.security = {alerts.security!r}: {invalid.public}: write tls or starttls"
        ) from None
