"""SASL for both doors: one exchange at a time, from mechanism to principal (ACC-1, ACC-2, RFC 4422)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.base.errors import Refuse
from mss_gateway.net.stream import Stream
from mss_gateway.ports.identity import Accounts, Principal
from mss_gateway.ports.trust import Peers

NOT_A_CLIENT = Refuse(
    535, "5.7.8", "This login needs a client certificate in the TLS handshake", "no-certificate"
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Goes to the client, whose answer is the next step."""

    data: bytes


class Exchange(Protocol):
    """One authentication under way. It ends with a principal or a refusal, and is dropped at `*`.

    `opening` is the challenge for a client that sent no initial response: empty where the client speaks first.
    A refusal may come after an error challenge (RFC 7628 section 3.2.3): the exchange decides.
    """

    @property
    def opening(self) -> bytes:
        """The first challenge."""

    @property
    def login(self) -> str:
        """The login as the client has given it by now, empty before; never logged or stored as it is."""

    async def step(self, data: bytes) -> Challenge | Principal | Refuse:
        """Take one client response, decoded from base64; never raises, whatever the octets are."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a mechanism may use: the books, and the connection of this client. `plus` says that -PLUS is offered."""

    accounts: Accounts
    peers: Peers
    stream: Stream
    plus: bool = False

    @property
    def host(self) -> str:
        """The client's address."""
        return self.stream.host


Mechanism = Callable[[Visit], Exchange]
"""Begins one exchange."""

Mechanisms = Mapping[str, Mechanism]
"""By upper-case name, the one to prefer first."""
