"""What the straight line needs to know of the trust space."""

from __future__ import annotations

from typing import Protocol

from mss_gateway.base.errors import Refuse


class TrustedDomains(Protocol):
    """The trusted list as far as routing and identification need it (TRU-3, TRU-4)."""

    def knows(self, domain: str) -> bool:
        """True when the domain (lower-case A-label form) is on the list."""

    def domains_of(self, dn_key: str) -> frozenset[str]:
        """Every domain that lists this DN; `dn_key` is the canonical text of the DN."""


class PeerName(Protocol):
    """A certificate's subject: `dn_key` to compare, `dn_text` to show."""

    @property
    def dn_key(self) -> str:
        """The canonical text."""

    @property
    def dn_text(self) -> str:
        """The text that people read."""


class Peers(TrustedDomains, Protocol):
    """What a peer's certificate is worth at this moment (TRU-1, TRU-2)."""

    @property
    def generation(self) -> int:
        """Grows with every change of authorities, CRLs or list."""

    async def ask_status(self, der: bytes) -> bool:
        """Have the responder asked about a certificate before it is judged; True when that changes the judgement."""

    def identify(self, der: bytes) -> PeerName | Refuse:
        """Whom a client's certificate (DER) speaks for, checked by what is in force now."""

    def explain_handshake(self, error: BaseException) -> tuple[str, str]:
        """The slug and the sentence behind a failed TLS handshake."""
