"""[keep]: what is kept of what was deleted, and backups."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .section import Section


class KeepSection(Section):
    """[keep]: what is kept of what was deleted, and backups."""

    deleted_days: Annotated[float, Field(ge=0)] = 30.0
    expunged_days: Annotated[float, Field(ge=0)] = 90.0
    compact_below: Annotated[float, Field(ge=0, le=0.9)] = 0.5
    backup_to: str = ""
    backup_every_hours: Annotated[float, Field(gt=0)] = 24.0
    backup_keep: Annotated[int, Field(ge=0)] = 14
    backup_key_file: str = ""
    backup_rate_mb: Annotated[int, Field(ge=0)] = 0
