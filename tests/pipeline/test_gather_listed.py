"""What the national directory says of a sender elsewhere goes into the facts, and decides nothing (BAL-1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings

from mss_gateway.mail.address import Address
from mss_gateway.pipeline.gather import Gather
from mss_gateway.rules.facts import BoxType, Facts, Listed, Party, Place
from mss_gateway.rules.policy import decide
from tests.support.facts import ANY_FACTS, FOREIGN, FOREIGN_OPERATOR, HOUSE, PATIENT, STRANGER, doctor

KNOWN = Listed(BoxType.ORG, "", "CLINIQUE DES LILAS", "annuaire 2026-11-20")


@dataclass
class Listings:
    """Knows one address, and what it was asked."""

    asked: list[str] = field(default_factory=list)

    async def listed(self, key: str) -> Listed | None:
        """The one."""
        self.asked.append(key)
        return KNOWN if key == FOREIGN.key else None


@dataclass
class Book:
    """Every address is one party."""

    found: Party

    def place(self, domain: str) -> Place:
        """The party's."""
        return self.found.place

    async def party(self, address: Address) -> Party:
        """The party."""
        return self.found


def gather(party: Party, listings: Listings) -> Gather:
    """One that needs no store for a sender."""
    return Gather(Book(party), None, HOUSE, None, None, listings)  # type: ignore[arg-type]


@pytest.mark.req("BAL-1")
async def test_a_sender_elsewhere_is_looked_up() -> None:
    """By its key; an unknown one is as before."""
    listings = Listings()
    facts = await gather(Party(FOREIGN, Place.TRUSTED), listings).sender(0.0, FOREIGN_OPERATOR, FOREIGN)
    assert facts.sender is not None
    assert facts.sender.listed == KNOWN
    other = Address("autre", FOREIGN.domain)
    facts = await gather(Party(other, Place.TRUSTED), listings).sender(0.0, FOREIGN_OPERATOR, other)
    assert facts.sender == Party(other, Place.TRUSTED)
    assert listings.asked == [FOREIGN.key, other.key]


@pytest.mark.req("INS-7")
@pytest.mark.parametrize(
    "party",
    [
        doctor(),
        Party(PATIENT, Place.PATIENT_REMOTE),
        Party(PATIENT, Place.PATIENT_HOSTED),
        Party(STRANGER, Place.OUTSIDE),
    ],
    ids=["ours", "patient elsewhere", "patient here", "stranger"],
)
async def test_nobody_else_is(party: Party) -> None:
    """Ours are known better, and no patient's address is ever asked for."""
    listings = Listings()
    facts = await gather(party, listings).sender(0.0, FOREIGN_OPERATOR, party.address)
    assert (facts.sender, listings.asked) == (party, [])


@settings(max_examples=200)
@given(ANY_FACTS)
def test_no_rule_decides_on_it(facts: Facts) -> None:
    """The extraction is unsigned and lacks the red list: absence and presence prove nothing."""
    sender = facts.sender and replace(facts.sender, listed=KNOWN)
    recipient = facts.recipient and replace(facts.recipient, listed=KNOWN)
    assert decide(replace(facts, sender=sender, recipient=recipient)) == decide(facts)
