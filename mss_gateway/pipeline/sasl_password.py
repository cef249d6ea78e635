"""Mechanisms that send the password itself: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login-00)."""

from __future__ import annotations

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.ports.identity import Principal
from mss_gateway.protocol.sasl import MALFORMED, parse_plain, parse_text

from .sasl import Challenge, Visit


class PlainExchange:
    """PLAIN: one response with everything."""

    opening = b""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.login = ""

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        """Take `authzid NUL authcid NUL passwd`."""
        credentials = parse_plain(data)
        if isinstance(credentials, Refuse):
            return credentials
        self.login = credentials.login
        return await self._visit.accounts.plain(
            credentials.login, credentials.password, self._visit.host, credentials.acting_as
        )


class LoginExchange:
    """LOGIN: asks for the name, then for the password; old mail clients and devices know nothing else."""

    opening = b"Username:"

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.login = ""

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        """Take the name, then the password."""
        text = parse_text(data)
        if text is None or not text:
            return MALFORMED
        if not self.login:
            self.login = text
            return Challenge(b"Password:")
        return await self._visit.accounts.plain(self.login, Secret(text), self._visit.host)
