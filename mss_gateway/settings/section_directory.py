"""[directory]: the national directory."""

from __future__ import annotations

from .section import Section


class DirectorySection(Section):
    """[directory]: the national directory."""
