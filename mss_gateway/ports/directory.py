"""What the line asks of the address book."""

from __future__ import annotations

from typing import Protocol

from mss_gateway.mail.address import Address
from mss_gateway.rules.facts import Party, Place


class AddressBook(Protocol):
    """Places of domains and boxes of addresses (RTE-1..3)."""

    def place(self, domain: str) -> Place:
        """Where addresses of this domain live."""

    async def party(self, address: Address) -> Party:
        """The address with its place and, when it is hosted here, its box."""
