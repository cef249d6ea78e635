"""Whether the rows and bodies of the store agree: a short look now, and how the last whole one ended (OPS-2, OPS-5)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from mss_gateway.ports.keeping import Glance, Verified
from mss_gateway.ports.store import StoreError

from .doctor import Check, Verdict

DAY = 86_400.0
OLD = 90 * DAY
"""Age from which the last whole examination says little."""

SHOWN = 3
"""Findings that are told one by one."""

_VERIFY = "run `mss-gateway verify`: it goes through everything while mail goes on, and says what to do"


class Looks(Protocol):
    """What is asked of the store."""

    async def glance(self) -> Glance:
        """A look that ends within a second or so."""


class GlanceHealth:
    """Examines the consistency of the store, and never for long."""

    def __init__(self, store: Looks) -> None:
        self._store = store

    async def examine(self) -> Sequence[Check]:
        """One check."""
        try:
            seen = await self._store.glance()
        except StoreError as error:
            return [Check("consistency", Verdict.BAD, f"cannot be examined: {error}", _VERIFY)]
        if seen.findings:
            more = len(seen.findings) - SHOWN
            told = "; ".join(seen.findings[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
            return [Check("consistency", Verdict.BAD, told, _VERIFY)]
        evidence = (
            f"{seen.checks} of {seen.of} questions and {seen.bodies} messages looked at, nothing is wrong;"
            f" {_last(seen.verified)}"
        )
        if seen.verified is not None and seen.verified.findings:
            return [Check("consistency", Verdict.BAD, _last(seen.verified), _VERIFY)]
        if seen.verified is not None and time.time() - seen.verified.at > OLD:
            return [Check("consistency", Verdict.DOUBT, evidence, _VERIFY)]
        return [Check("consistency", Verdict.GOOD, evidence)]


def _last(verified: Verified | None) -> str:
    if verified is None:
        return "`mss-gateway verify` has not gone through everything yet"
    name = "`verify --quick`" if verified.quick else "`verify`"
    days = max(0.0, time.time() - verified.at) / DAY
    found = f"found {verified.findings} faults" if verified.findings else "found nothing"
    return f"{name} {found} {days:.1f} days ago"
