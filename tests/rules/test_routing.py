"""Where one message goes: every thing once, at a cost that grows with the recipients and no faster (RTE-4)."""

from __future__ import annotations

import pytest

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.rules.actions import Accept, InExchange, OweReceipt
from mss_gateway.rules.facts import Party, Place
from mss_gateway.rules.policy import decide
from mss_gateway.rules.routing import route
from tests.support.facts import PATIENT_DOMAIN, doctor, facts, person, written


def number(index: int) -> str:
    """A patient's number with its key."""
    matricule = f"1850377{index:06}"
    return f"{matricule}{97 - int(matricule) % 97:02}"


@pytest.mark.req("RTE-4", "CHN-1")
def test_a_thousand_recipients_are_no_thousand_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each recipient brings a channel for each BAL of Reply-To; no list of them is searched for each of them."""
    bals = tuple(parse_address(f"a{index}@{doctor().address.domain}") for index in range(20))
    message = written(doctor(), reply_to=bals, reply_to_present=True)
    decided = []
    for index in range(200):
        to = parse_address(f"{number(index)}@{PATIENT_DOMAIN}")
        decision = decide(facts(person(), doctor(), Party(to, Place.PATIENT_REMOTE), message))
        assert isinstance(decision, Accept)
        decided.append((Recipient(to), decision))
    compared = 0
    equal = InExchange.__eq__

    def counted(self: InExchange, other: object) -> bool:
        nonlocal compared
        compared += 1
        return equal(self, other)

    monkeypatch.setattr(InExchange, "__eq__", counted)
    found = route(decided)
    assert len(found.exchanges) == len(found.channels) == 4000
    assert compared < 400


@pytest.mark.req("RTE-4", "RCP-2")
def test_everything_is_there_once() -> None:
    """Two addresses of one box are one copy, one receipt, one channel; a warning is told once."""
    twice = Accept((InExchange("p", "b"), OweReceipt(7, "a@b.example")), ("ins-key",))
    to = Recipient(parse_address("a@b.example"))
    found = route([(to, twice), (to, twice)])
    assert (len(found.exchanges), len(found.receipts), found.warnings) == (1, 1, ["ins-key"])
