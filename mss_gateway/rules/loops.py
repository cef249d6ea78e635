"""What must not go round (RTE-6)."""

from __future__ import annotations

from mss_gateway.base.errors import Refuse

from .facts import Facts


def received_count(facts: Facts) -> Refuse | None:
    """RTE-6: more than `house.max_received` Received lines (RFC 5321 section 6.3)."""
    if facts.message is None or facts.message.received_count <= facts.house.max_received:
        return None
    return Refuse(554, "5.4.6", "The message has passed through too many servers: a loop", "mail-loop")
