"""[keep]: what is kept of what was deleted, and backups."""

from __future__ import annotations

from .section import Section


class KeepSection(Section):
    """[keep]: what is kept of what was deleted, and backups."""
