"""From the section [telemetry] to the options of the spans (OPS-4)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mss_gateway.relay.smarthost import is_loopback

from .explain import ConfigError
from .schema import File

EXTRA = "opentelemetry.exporter.otlp.proto.http"
"""What must be installed for spans to be sent."""


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """Where spans go (OTLP over HTTP), what share of the messages has some, and seconds for one sending.

    `ca` are the authorities of the collector; None: those of this machine.
    """

    endpoint: str
    share: float
    ca: Path | None
    timeout: float


def telemetry_options(path: Path, file: File, at: Callable[[str], Path]) -> TelemetryOptions | None:
    """None without a collector; raises `ConfigError`."""
    section = file.telemetry
    if not section.endpoint:
        return None
    parts = urlsplit(section.endpoint)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ConfigError(
            f"{path}: telemetry.endpoint = {section.endpoint!r} is no address:"
            " write one such as https://collector.example:4318/v1/traces"
        )
    if parts.scheme == "http" and not (parts.hostname == "localhost" or is_loopback(parts.hostname)):
        raise ConfigError(
            f"{path}: telemetry.endpoint = {section.endpoint!r} leaves this machine in the clear: write https://"
        )
    ca = at(section.ca) if section.ca else None
    if ca is not None and not ca.is_file():
        raise ConfigError(f"{path}: telemetry.ca = '{ca}': there is no such file: put it there")
    if importlib.util.find_spec("opentelemetry") is None or importlib.util.find_spec(EXTRA) is None:
        raise ConfigError(
            f"{path}: telemetry.endpoint is set, but OpenTelemetry is not installed:"
            " install mss-gateway[telemetry], or leave it empty"
        )
    return TelemetryOptions(section.endpoint, section.share, ca, section.timeout)
