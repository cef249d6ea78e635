"""[http]: the ops door over HTTPS: health, figures, status page, autoconfiguration."""

from __future__ import annotations

from .section import Section


class HttpSection(Section):
    """[http]: the ops door over HTTPS: health, figures, status page, autoconfiguration."""
