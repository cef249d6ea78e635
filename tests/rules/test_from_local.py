"""BAL-7: from outside, nobody writes in the name of a mailbox of ours, whatever the envelope says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.rules.facts import House, MessageFacts
from mss_gateway.rules.policy import decide
from tests.support.facts import DOCTOR, FOREIGN_OPERATOR, doctor, facts


@pytest.mark.req("BAL-7")
@pytest.mark.parametrize("checked", [True, False])
def test_a_report_in_our_name_is_refused(checked: bool) -> None:
    """The null sender and a report's shape do not help, nor does the setting that spares header From."""
    message = MessageFacts(from_=(DOCTOR,), from_local=True, report="delivery-status", auto_submitted=True)
    case = replace(facts(FOREIGN_OPERATOR, None, doctor(), message), house=House(check_header_from=checked))
    decision = decide(case)
    assert isinstance(decision, Refuse)
    assert decision.reason == "local-sender"
