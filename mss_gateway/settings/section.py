"""What every section of the configuration file is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Endpoint = Annotated[str, StringConstraints(pattern=r"^\S+:\d{1,5}$")]
"""`host:port`."""

Size = Annotated[int, Field(gt=0)]
"""Octets, at least one."""

Seconds = Annotated[float, Field(gt=0)]
"""A time span that is not empty."""

Count = Annotated[int, Field(ge=1)]
"""How many, at least one."""


class Section(BaseModel):
    """A section: unknown keys are mistakes, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
