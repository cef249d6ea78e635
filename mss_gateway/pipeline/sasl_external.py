"""EXTERNAL (RFC 4422 appendix A): software that is known by its client certificate (BAL-4)."""

from __future__ import annotations

from mss_gateway.base.errors import Refuse
from mss_gateway.ports.identity import Principal
from mss_gateway.protocol.sasl import parse_external

from .sasl import NOT_A_CLIENT, Challenge, Visit


class ExternalExchange:
    """One response: the address of the box, empty when the certificate serves only one."""

    opening = b""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.login = ""

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        """Judge the certificate of the handshake by what is in force now."""
        tls = self._visit.stream.tls
        der = tls.peer if tls else None
        if der is None:
            return NOT_A_CLIENT
        peers = self._visit.peers
        await peers.ask_status(der)
        peer = peers.identify(der)
        if isinstance(peer, Refuse):
            # RFC 4954 section 4.7 knows these two.
            code, status = (454, "4.7.0") if peer.temporary else (535, "5.7.8")
            return Refuse(code, status, peer.public, peer.reason)
        wanted = parse_external(data)
        if isinstance(wanted, Refuse):
            return wanted
        self.login = wanted
        return await self._visit.accounts.certificate(peer.dn_key, wanted)
