"""[directory]: the national directory."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .section import Seconds, Section, Size


class DirectorySection(Section):
    """[directory]: the national directory."""

    file: str = ""
    url: str = ""
    every_hours: Annotated[float, Field(gt=0)] = 24.0
    ca: list[str] = []
    timeout: Seconds = 900.0
    max_bytes: Size = 400 * 1024 * 1024
    max_removed: Annotated[float, Field(ge=0, le=1)] = 0.1
    alarm_days: Annotated[float, Field(gt=0)] = 7.0
    fhir_url: str = ""
    fhir_key_file: str = ""
    fhir_ca: list[str] = []
    fhir_timeout: Seconds = 30.0
