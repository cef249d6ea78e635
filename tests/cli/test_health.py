"""`mss-gateway health` and `doctor` beside a running gateway: one word, an exit code; the doors and the round trip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Site
from tests.support.letters import HOSTED
from tests.support.process import GatewayProcess

PROBE = f"supervision@{HOSTED}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway in a process of its own; the sample keeps a mailbox for the round trip."""
    folder = tmp_path_factory.mktemp("health")
    served = GatewayProcess(folder)
    try:
        yield Site(folder, beside=served)
    finally:
        served.stop()


def names(site: Site, *words: str) -> dict[str, str]:
    """The verdicts of the doctor by name."""
    _, said = site.run("doctor", *words)
    return {line.split()[1]: line.split()[0] for line in said.splitlines() if line[:1] in "✓!✗"}


@pytest.mark.req("OPS-4")
def test_a_gateway_that_serves_is_ready(site: Site) -> None:
    """One line and 0."""
    assert site.run("health") == (0, "ready\n")
    assert site.json("health") == {"ready": True, "reasons": []}


@pytest.mark.req("OPS-4")
def test_without_a_gateway_nobody_is_ready(tmp_path: Path) -> None:
    """Exit status 6, as for everything that needs one."""
    status, said = Site(tmp_path).run("health")
    assert status == 6
    assert "No gateway is running" in said


@pytest.mark.req("OPS-2")
def test_the_doctor_looks_at_everything_unless_it_is_quick(site: Site) -> None:
    """The doors and the round trip are left out of the quick examination; the clock is in both."""
    quick = names(site, "--quick")
    assert {"clock", "store", "disk", "queue", "trusted"} <= set(quick)
    assert not {"ports", "round"} & set(quick)
    whole = names(site)
    assert (whole["ports"], whole["round"]) == ("✓", "✓")


@pytest.mark.req("OPS-2", "OPS-1")
def test_a_round_trip_that_fails_becomes_good_as_the_doctor_says(site: Site) -> None:
    """It says what a mailbox for it needs; once the mailbox is open again, all is well."""
    site.json("bal", "close", PROBE, "--reason", "essai")
    (trip,) = [one for one in site.json("doctor", status=1)["checks"] if one["name"] == "round trip"]
    assert "refuses the login" in trip["evidence"]
    assert "bal add ADDRESS -t APP" in trip["next_step"]
    site.json("bal", "activate", PROBE, "--reason", "essai")
    assert names(site)["round"] == "✓"
