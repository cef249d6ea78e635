"""How many connections may be open at once, in total and from one address."""

from __future__ import annotations

import socket
from dataclasses import dataclass

MAPPED = bytes(10) + b"\xff\xff"
"""How an IPv4 address begins on a socket that listens to both families (RFC 4291 section 2.5.5.2)."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Caps of one listener; an address is one IPv4 address or one IPv6 /64."""

    total: int = 1000
    per_address: int = 50


class Gate:
    """Counts open connections; a connection over a cap is told so and closed, costing nothing more."""

    def __init__(self, options: GateOptions) -> None:
        self._options = options
        self._by_source: dict[str, int] = {}
        self.open = 0

    @staticmethod
    def source(host: str) -> str:
        """The unit that is counted: the IPv4 address, or the first 64 bits of an IPv6 address."""
        if ":" not in host:
            return host
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        if packed.startswith(MAPPED):
            return socket.inet_ntop(socket.AF_INET, packed[12:])
        return packed[:8].hex()

    def enter(self, host: str) -> bool:
        """Count one connection in, unless a cap is reached."""
        source = self.source(host)
        held = self._by_source.get(source, 0)
        if self.open >= self._options.total or held >= self._options.per_address:
            return False
        self._by_source[source] = held + 1
        self.open += 1
        return True

    def leave(self, host: str) -> None:
        """Count one connection out; it must have entered."""
        source = self.source(host)
        held = self._by_source[source] - 1
        if held:
            self._by_source[source] = held
        else:
            del self._by_source[source]
        self.open -= 1
