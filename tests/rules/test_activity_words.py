"""The line that members read of an act (BAL-3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mss_gateway.rules.activity import Act, event_of, told
from mss_gateway.rules.telling import EVENTS

pytestmark = pytest.mark.req("BAL-3")

FIRST = datetime(2026, 11, 14, 10, 32, 5, tzinfo=UTC)


def test_a_line_names_when_who_and_what() -> None:
    """The UID where the line is not about one message alone; the last time when it is another minute."""
    name = "Alix Martin"
    assert told(name, Act.READ, FIRST, FIRST, 12) == "14/11/2026 10:32 Alix Martin : lu (UID 12)"
    assert (
        told(name, Act.ANSWERED, FIRST, FIRST.replace(second=59)) == "14/11/2026 10:32 Alix Martin : répondu"
    )
    again = FIRST.replace(day=15, hour=9)
    assert told(name, Act.READ, FIRST, again) == (
        "14/11/2026 10:32 Alix Martin : lu (dernière fois le 15/11/2026 09:32)"
    )
    assert told(name, Act.REMOVED, FIRST, again, 3).endswith(
        "retiré de la boîte (UID 3, dernière fois le 15/11/2026 09:32)"
    )


@pytest.mark.parametrize("act", list(Act))
def test_every_act_has_its_words(act: Act) -> None:
    """In French for the members, and on the timeline."""
    assert told("X", act, FIRST, FIRST).startswith("14/11/2026 10:32 X : ")
    assert event_of(act) in EVENTS
