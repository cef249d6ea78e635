"""[telemetry]: spans for OpenTelemetry."""

from __future__ import annotations

from .section import Section


class TelemetrySection(Section):
    """[telemetry]: spans for OpenTelemetry."""
