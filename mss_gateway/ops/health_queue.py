"""Whether mail to other operators moves (OPS-2, QUE-2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from mss_gateway.observe.figures import Gauge
from mss_gateway.ports.queue import DomainQueue, Queue

from .doctor import Check, Verdict

MOST = 5
"""Domains in trouble that are told one by one."""

STATES = ("waiting", "leased", "uncertain", "held")
"""States of rows, as the figures name them."""


class QueueHealth:
    """Examines the outbound queue. `silent` tells why each domain is left alone; `late` is an age in seconds."""

    def __init__(self, queue: Queue, silent: Callable[[], Mapping[str, str]], late: float) -> None:
        self._queue = queue
        self._silent = silent
        self._late = late

    async def examine(self) -> Sequence[Check]:
        """The queue as a whole, then each domain that does not get its mail, the oldest first."""
        domains = await self._queue.queue_by_domain()
        silent, now = self._silent(), time.time()
        rows, held = sum(one.rows for one in domains), sum(one.held for one in domains)
        evidence = f"{rows} recipients in {len(domains)} domains wait" if rows else "empty"
        if held:
            step = "`mss-gateway queue list --state held` shows them, `queue release` lets them go"
            checks = [Check("queue", Verdict.DOUBT, f"{evidence}, {held} of them held by hand", step)]
        else:
            checks = [Check("queue", Verdict.GOOD, evidence)]
        troubled = [one for one in domains if one.domain in silent or self._is_late(one, now)]
        troubled.sort(key=lambda one: one.oldest_at)
        checks += [self._trouble(one, silent.get(one.domain, ""), now) for one in troubled[:MOST]]
        if len(troubled) > MOST:
            step = "`mss-gateway queue stats` shows all of them"
            checks.append(Check("queue", Verdict.DOUBT, f"{len(troubled) - MOST} more domains wait", step))
        return checks

    def _is_late(self, one: DomainQueue, now: float) -> bool:
        return one.rows > one.held and now - one.oldest_at > self._late

    def _trouble(self, one: DomainQueue, why: str, now: float) -> Check:
        count = "1 recipient" if one.rows == 1 else f"{one.rows} recipients"
        evidence = f"to {one.domain}: {count}, the oldest for {(now - one.oldest_at) / 60:.0f} min"
        reason = why or one.last_error
        verdict = Verdict.BAD if self._is_late(one, now) else Verdict.DOUBT
        step = f"`mss-gateway queue list --domain {one.domain}` says more; `queue retry` tries at once"
        return Check("queue", verdict, f"{evidence}: {reason}" if reason else evidence, step)

    async def gauges(self) -> Sequence[Gauge]:
        """Rows by state, domains, domains left alone, age of the oldest row that is not held."""
        domains = await self._queue.queue_by_domain()
        meaning = "Recipients in the outbound queue"
        found = [
            Gauge("mss_queue_rows", meaning, sum(getattr(one, state) for one in domains), {"state": state})
            for state in STATES
        ]
        moving = [one.oldest_at for one in domains if one.rows > one.held]
        oldest = max(0.0, time.time() - min(moving)) if moving else 0.0
        octets = sum(one.octets for one in domains)
        return [
            *found,
            Gauge("mss_queue_octets", "Octets of the messages of these rows", octets),
            Gauge("mss_queue_domains", "Domains that mail waits for", len(domains)),
            Gauge("mss_queue_domains_silent", "Domains that cannot be reached", len(self._silent())),
            Gauge("mss_queue_oldest_seconds", "Age of the oldest recipient that is not held", oldest),
        ]
