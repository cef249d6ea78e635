"""Whether the national directory is here and current (OPS-2)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from mss_gateway.observe.figures import Gauge

from .doctor import Check, Verdict
from .operation import Result


class DirectoryHealth:
    """Examines what `directory status` tells. Mail goes on without a directory: nothing here is worse than doubt."""

    def __init__(self, status: Callable[[], Awaitable[Result]]) -> None:
        self._status = status

    async def examine(self) -> Sequence[Check]:
        """The copy in force, then each alarm."""
        status = await self._status()
        copy = status["copy"]
        evidence = "none is set up ([directory] in gateway.toml)"
        if copy is not None:
            day = time.strftime("%Y-%m-%d", time.gmtime(copy["generated_at"]))
            evidence = f"{copy['rows']} rows of {day}, {copy['age_hours'] / 24:.1f} days old"
        elif status["file"] or status["url"]:
            evidence = "no copy is here"
        checks = [Check("national directory", Verdict.GOOD, evidence)]
        for alarm in status["alarms"]:
            what, _, remedy = alarm["sentence"].rpartition(": ")
            step = remedy or "`mss-gateway directory status` shows what was tried"
            checks.append(Check(alarm["reason"], Verdict.DOUBT, what or alarm["sentence"], step))
        return checks

    async def gauges(self) -> Sequence[Gauge]:
        """Rows and age of the copy in force, failures in a row."""
        status = await self._status()
        copy = status["copy"] or {"rows": 0, "age_hours": 0.0}
        failures = "Imports of the national directory that failed in a row"
        return [
            Gauge("mss_directory_rows", "Rows of the national directory in force", copy["rows"]),
            Gauge(
                "mss_directory_age_seconds",
                "Age of the national directory in force",
                copy["age_hours"] * 3600,
            ),
            Gauge("mss_directory_failures", failures, status["last"]["failures"]),
        ]
