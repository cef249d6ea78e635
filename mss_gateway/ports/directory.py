"""What the line asks of the address book."""

from __future__ import annotations

from typing import Protocol

from mss_gateway.mail.address import Address
from mss_gateway.rules.facts import Listed, Party, Place


class AddressBook(Protocol):
    """Places of domains and boxes of addresses (RTE-1..3)."""

    def place(self, domain: str) -> Place:
        """Where addresses of this domain live."""

    async def party(self, address: Address) -> Party:
        """The address with its place and, when it is hosted here, its box."""


class Listings(Protocol):
    """What the national directory knows of addresses elsewhere (BAL-1)."""

    async def listed(self, key: str) -> Listed | None:
        """The word on one address key; None when it is not known, or when no directory is loaded. Never raises."""


class NoListings:
    """No national directory: nothing is known of anybody."""

    async def listed(self, key: str) -> Listed | None:
        """Nothing."""
        return None


NOBODY_LISTED: Listings = NoListings()
"""Of a line without a national directory."""
