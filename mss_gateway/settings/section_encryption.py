"""[encryption]: bodies encrypted at rest."""

from __future__ import annotations

from typing import Literal

from .section import Seconds, Section


class EncryptionSection(Section):
    """[encryption]: bodies encrypted at rest. Keys come from a private file, or from what a command prints."""

    mode: Literal["off", "on"] = "off"
    key_file: str = ""
    key_command: list[str] = []
    key_timeout: Seconds = 10.0
    index: Literal["off", "clear"] = "off"
