"""[oidc]: tokens of Pro Santé Connect."""

from __future__ import annotations

from .section import Section


class OidcSection(Section):
    """[oidc]: tokens of Pro Santé Connect."""
