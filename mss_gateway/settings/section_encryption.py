"""[encryption]: bodies encrypted at rest."""

from __future__ import annotations

from .section import Section


class EncryptionSection(Section):
    """[encryption]: bodies encrypted at rest."""
