"""The operations of the trust space, with the relay's own eyes for the hosts of a domain (TRU-8)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator

from mss_gateway.ops.operation import Operation
from mss_gateway.ops.trust import Place, TrustOperations
from mss_gateway.relay.options import RelayOptions
from mss_gateway.settings import Settings
from mss_gateway.trust.desk import TrustDesk
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refused import RefusedBook


@contextlib.asynccontextmanager
async def trust_operations(settings: Settings) -> AsyncIterator[dict[str, Operation]]:
    """The operations alone, while no gateway runs; raises `TrustProblem`."""
    trust = await asyncio.to_thread(Trust, settings.trust)
    refused = await asyncio.to_thread(RefusedBook, settings.trust.state)
    desk = TrustDesk(trust, refused, settings.mta.hostname)
    yield TrustOperations(desk, Hosts(settings.relay).places, lambda: None).table()


class Hosts:
    """Where the mail of a domain goes, as the relay sees it; dnspython is loaded with the first question."""

    def __init__(self, options: RelayOptions) -> None:
        self._options = options

    async def places(self, domain: str) -> list[Place]:
        """Each address of each host, best first; raises `RelayProblem`."""
        module = await asyncio.to_thread(importlib.import_module, "mss_gateway.relay.resolver")
        resolver = module.Resolver(self._options)
        found: list[Place] = []
        for one in await resolver.exchangers(domain):
            addresses = await resolver.addresses(one.host)
            found += [(one.host.name, address, one.host.port) for address in addresses]
        return found
