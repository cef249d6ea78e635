"""Whether the DNS leads to other operators (OPS-2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from .doctor import Check, Verdict

PATIENCE = 15.0
"""Seconds for one domain."""

Places = Callable[[str], Awaitable[Sequence[str]]]
"""Names of the hosts of a domain, best first; raises an exception that says why there are none."""


class DnsHealth:
    """Asks for the hosts of the domain that every operator writes to: the patients'."""

    def __init__(self, places: Places, domain: str) -> None:
        self._places = places
        self._domain = domain

    async def examine(self) -> Sequence[Check]:
        """One look-up."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                hosts = await self._places(self._domain)
        except Exception as error:  # whatever the DNS does is evidence here
            said = getattr(error, "text", "") or type(error).__name__
            step = (
                "check relay.nameservers and the firewall (UDP and TCP port 53); mail waits until it answers"
            )
            return [Check("dns", Verdict.BAD, f"{self._domain}: {said}", step)]
        took = (time.perf_counter() - started) * 1000
        shown = ", ".join(hosts[:3])
        return [Check("dns", Verdict.GOOD, f"{self._domain} leads to {shown} ({took:.0f} ms)")]
