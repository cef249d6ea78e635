"""What the straight line needs to know of the trust space."""

from __future__ import annotations

from typing import Protocol


class TrustedDomains(Protocol):
    """The trusted list as far as routing and identification need it (TRU-3, TRU-4)."""

    def knows(self, domain: str) -> bool:
        """True when the domain (lower-case A-label form) is on the list."""

    def domains_of(self, dn_key: str) -> frozenset[str]:
        """Every domain that lists this DN; `dn_key` is the canonical text of the DN."""
