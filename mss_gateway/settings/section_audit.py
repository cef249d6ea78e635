"""[audit]: the functional trace."""

from __future__ import annotations

from .section import Section


class AuditSection(Section):
    """[audit]: the functional trace."""
