"""One trace line for each change that ops make: who, what, why (BAL-5, CHN-10)."""

from __future__ import annotations

import time

from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.ins import mask_text

from .operation import Arguments, text


def traced(event: str, arguments: Arguments, box_id: int | None, **detail: str) -> TraceLine:
    """The line; texts are masked, the actor is the argument `actor`."""
    return TraceLine(
        at=time.time(),
        event=event,
        transaction="",
        box_id=box_id,
        actor=text(arguments, "actor", "ops"),
        detail={name: mask_text(value) for name, value in detail.items() if value},
    )
