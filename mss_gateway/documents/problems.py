"""Every reason for which an IHE_XDM archive is not trusted (INS-6)."""

from __future__ import annotations

from mss_gateway.base.errors import GatewayError
from mss_gateway.rules.archive_texts import PROBLEMS


class ArchiveProblem(GatewayError):
    """An archive that is not trusted: `slug` is one of `PROBLEMS`, `where` the file in the archive, if any.

    `where` is what the archive says and may hold an INS: mask it before it is shown.
    """

    def __init__(self, slug: str, where: str = "") -> None:
        super().__init__(PROBLEMS[slug])
        self.slug = slug
        self.where = where


__all__ = ["PROBLEMS", "ArchiveProblem"]
