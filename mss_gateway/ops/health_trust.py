"""Whether the trust space is current: trusted list, CRLs, our certificates, fetches (OPS-2, TRU-2, TRU-3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mss_gateway.observe.figures import Gauge

from .doctor import Check, Verdict
from .operation import Result

_STILL_WORKS = ("own-expiring", "fetch-")
"""Alarms that leave everything in force; if they last, another alarm follows."""


class TrustHealth:
    """Examines what `trust status` tells. `status` is blocking."""

    def __init__(self, status: Callable[[], Result]) -> None:
        self._status = status

    async def examine(self) -> Sequence[Check]:
        """What is in force, then each alarm."""
        status = await asyncio.to_thread(self._status)
        listed = status["list"]
        checks = [
            Check(
                "trusted list",
                Verdict.GOOD,
                f"{listed['domains']} domains, {listed['age_hours']:.1f} h old, from {listed['source']}",
            ),
            Check(
                "revocation", Verdict.GOOD, f"{len(status['crls'])} CRLs, the first ends {_first_end(status)}"
            ),
            *(
                Check("our certificate", Verdict.GOOD, f"{one['subject']}, until {_day(one['valid_until'])}")
                for one in status["own"]
                if one["valid_until"] is not None
            ),
        ]
        return [*checks, *(_alarm(one) for one in status["alarms"])]

    async def gauges(self) -> Sequence[Gauge]:
        """Age and size of the list, ends of CRLs and certificates, alarms by reason, failures in a row by address."""
        return list(_gauges(await asyncio.to_thread(self._status), time.time()))


def _alarm(alarm: dict[str, Any]) -> Check:
    verdict = Verdict.DOUBT if alarm["reason"].startswith(_STILL_WORKS) else Verdict.BAD
    what, _, remedy = alarm["sentence"].rpartition(": ")
    step = remedy or "`mss-gateway trust status` shows what is in force"
    return Check(alarm["reason"], verdict, what or alarm["sentence"], step)


def _gauges(status: Result, now: float) -> Iterator[Gauge]:
    yield Gauge(
        "mss_trust_list_age_seconds", "Age of the trusted list in force", status["list"]["age_hours"] * 3600
    )
    yield Gauge("mss_trust_list_domains", "Domains on the trusted list in force", status["list"]["domains"])
    for one in status["crls"]:
        meaning = "Time to the nextUpdate of a CRL, negative when it has passed"
        yield Gauge("mss_crl_ends_seconds", meaning, one["next_update"] - now, {"issuer": one["issuer"]})
    for one in status["own"]:
        if one["valid_until"] is not None:
            meaning = "Time to the end of our certificate, negative when it has passed"
            labels = {"file": one["source"]}
            yield Gauge("mss_certificate_ends_seconds", meaning, one["valid_until"] - now, labels)
    for one in status["fetches"]:
        meaning = "Fetches of this address that failed in a row"
        yield Gauge("mss_trust_fetch_failures", meaning, one["failures"], {"url": one["url"]})
    reasons = [alarm["reason"] for alarm in status["alarms"]]
    yield Gauge("mss_trust_alarms", "Alarms of the trust space, by reason", 0, {"reason": ""})
    for reason in sorted(set(reasons)):
        labels = {"reason": reason}
        yield Gauge("mss_trust_alarms", "Alarms of the trust space, by reason", reasons.count(reason), labels)


def _first_end(status: Result) -> str:
    return _day(min((one["next_update"] for one in status["crls"]), default=0.0))


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at))
