"""[audit]: the functional trace."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .section import Count, Section


class AuditSection(Section):
    """[audit]: the functional trace (AUD-1)."""

    reads: Literal["all", "shared", "off"] = "all"
    keep_months: Annotated[int, Field(ge=0)] = 6
    seal_minutes: Count = 60
    seal_lines: Count = 10_000
    key: str = ""
