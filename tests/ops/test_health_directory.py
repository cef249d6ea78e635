"""What the doctor says of the national directory (OPS-2)."""

from __future__ import annotations

from typing import Any

import pytest

from mss_gateway.ops.doctor import Verdict
from mss_gateway.ops.health_directory import DirectoryHealth

COPY = {"rows": 500_000, "generated_at": 1795154700.0, "age_hours": 36.0}
OLD = {
    "reason": "directory-old",
    "sentence": "the national directory in force is 9 days old: import a newer one",
}


def health(**status: Any) -> DirectoryHealth:
    """Of this status."""
    told = {"copy": None, "file": "", "url": "", "last": {"failures": 2}, "alarms": [], **status}

    async def answer() -> dict[str, Any]:
        return told

    return DirectoryHealth(answer)


@pytest.mark.req("OPS-2")
async def test_the_copy_and_each_alarm_are_told() -> None:
    """Never worse than doubt: mail goes on without a directory."""
    good, doubt = await health(copy=COPY, alarms=[OLD]).examine()
    assert (good.verdict, good.evidence) == (Verdict.GOOD, "500000 rows of 2026-11-20, 1.5 days old")
    assert (doubt.name, doubt.verdict) == ("directory-old", Verdict.DOUBT)
    assert (doubt.evidence, doubt.next_step) == (
        "the national directory in force is 9 days old",
        "import a newer one",
    )


@pytest.mark.req("OPS-2")
async def test_none_set_up_and_none_here_are_told_apart() -> None:
    """A gateway without a directory is in order."""
    [check] = await health().examine()
    assert (check.verdict, "none is set up" in check.evidence) == (Verdict.GOOD, True)
    [check] = await health(url="https://x/").examine()
    assert check.evidence == "no copy is here"


async def test_figures() -> None:
    """Zero when there is none, so that a rule can compare."""
    assert [one.value for one in await health(copy=COPY).gauges()] == [500_000, 129_600, 2]
    assert [one.value for one in await health().gauges()] == [0, 0, 2]
