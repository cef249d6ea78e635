"""What is deployed: the unit, the image and its compose file say what they must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.settings import load
from mss_gateway.settings.checks import DOORS
from tests.support.examples import furnished
from tests.support.foreign import require_program

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "mss-gateway.service"
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "deploy" / "container" / "compose.yaml").read_text(encoding="utf-8")
MOST_EXPOSED = 20
"""Tenths on systemd's scale from 0 (nothing is open to the service) to 100 (everything is)."""


@pytest.mark.req("OPS-4")
@pytest.mark.foreign
def test_systemd_takes_the_unit_and_finds_little_open(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and its security score is among the best of any service."""
    analyze = require_program("systemd-analyze")
    unit = tmp_path / UNIT.name
    # The program is not installed here: anything that can be started stands in for it.
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/mss-gateway/.venv/bin/mss-gateway", "/bin/true")
    )
    verified = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    scored = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert scored.returncode == 0, scored.stdout[-200:]


def last_of(instruction: str) -> str:
    """The argument of the last such instruction in the Dockerfile."""
    return re.findall(rf"(?m)^{instruction} (.+)$", IMAGE)[-1]


@pytest.mark.req("OPS-4")
def test_the_image_runs_without_rights_and_says_how_it_is() -> None:
    """Two stages, a user by number, a health check, one volume, and no compiler or pip in what is shipped."""
    final = IMAGE.rpartition("\nFROM ")[2]
    assert IMAGE.count("\nFROM ") == 2
    assert last_of("USER") == "10001:10001"
    assert "HEALTHCHECK" in final
    assert last_of("VOLUME") == "/var/lib/mss-gateway"
    assert last_of("ENTRYPOINT") == '["mss-gateway"]'
    assert "pip install" not in final
    assert "--require-hashes" in IMAGE


@pytest.mark.req("OPS-4")
def test_the_image_listens_where_it_says(tmp_path: Path) -> None:
    """The variables of the image override the doors of the configuration, all above 1024, and are exposed."""
    variables = dict(
        re.findall(r"(MSS_GATEWAY_[A-Z_]+)=(\S+)", IMAGE.partition("\nENV ")[2].partition("\nUSER")[0])
    )
    furnished("one-site.toml", tmp_path)
    settings = load(tmp_path / "one-site.toml", {**variables, **files(tmp_path)})
    places = [getattr(settings.file.listen, door) for door in DOORS]
    ports = [int(place.rpartition(":")[2]) for found in places for place in found]
    assert all(port > 1024 for port in ports)
    assert {str(port) for port in ports} <= set(last_of("EXPOSE").split())
    assert {str(port) for port in ports} <= set(re.findall(r'"\d+:(\d+)"', COMPOSE))
    assert str(settings.state) == last_of("VOLUME")


def files(folder: Path) -> dict[str, Any]:
    """Keys that an example needs where nothing can be fetched."""
    space = folder / "trust-space"
    return {
        "MSS_GATEWAY_TRUST_CRL": str(space / "crls.pem"),
        "MSS_GATEWAY_TRUST_CRL_URLS": "",
        "MSS_GATEWAY_TRUST_LIST": str(space / "liste-blanche.xml"),
        "MSS_GATEWAY_TRUST_LIST_URL": "",
    }


@pytest.mark.req("OPS-4")
def test_the_container_gets_nothing_that_it_does_not_need() -> None:
    """Read-only root, no capability, no new rights, and time to drain."""
    for needed in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "stop_grace_period: 60s"):
        assert needed in COMPOSE


def test_unit_and_image_give_time_to_drain() -> None:
    """Whoever stops the gateway waits longer than `limits.drain_timeout` by default."""
    text = (ROOT / "config" / "gateway.toml").read_text(encoding="utf-8")
    drain = float(re.findall(r"(?m)^# drain_timeout = (\S+)$", text)[0])
    unit = float(re.findall(r"(?m)^TimeoutStopSec=(\d+)$", UNIT.read_text(encoding="utf-8"))[0])
    container = float(re.findall(r"stop_grace_period: (\d+)s", COMPOSE)[0])
    assert min(unit, container) > drain
