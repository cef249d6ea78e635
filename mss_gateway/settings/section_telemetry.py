"""[telemetry]: spans for OpenTelemetry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .section import Seconds, Section


class TelemetrySection(Section):
    """[telemetry]: spans for OpenTelemetry."""

    endpoint: str = ""
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    ca: str = ""
    timeout: Seconds = 10.0
