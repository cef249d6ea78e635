"""What the doctor and the figures say of the trace's chain (OPS-2, AUD-1)."""

from __future__ import annotations

import time
from math import inf
from pathlib import Path

import pytest

from mss_gateway.ops.doctor import Check, Verdict
from mss_gateway.ops.health_audit import AuditHealth
from mss_gateway.pipeline.auditing import Looked
from mss_gateway.ports.audit import Sealed
from mss_gateway.ports.store import StoreError


class Chain:
    """A chain that is as it is told to be: store and watcher in one."""

    def __init__(self, *, findings: int = 0, seal_age: float | None = 60.0, waiting: int = 3) -> None:
        self.looked = Looked(findings, 17 if findings else 0, time.time(), time.time() - 7200)
        self.seal_age = seal_age
        self.waiting = waiting
        self.lines = 25_000
        self.fault: Exception | None = None

    async def verify(self, last: int = 0) -> Looked:
        """As it was told."""
        if self.fault is not None:
            raise self.fault
        return self.looked

    async def last_line(self) -> int:
        """Its lines."""
        return self.lines

    async def unsealed(self) -> int:
        """Since the seal."""
        return self.waiting

    async def newest_seal(self) -> Sealed | None:
        """Of that age."""
        if self.fault is not None:
            raise self.fault
        return None if self.seal_age is None else Sealed(1, "00", time.time() - self.seal_age)


def health(folder: Path, chain: Chain, mode: int | None = 0o600) -> AuditHealth:
    """With a key file of that mode, or none."""
    key = folder / "audit.key"
    if mode is not None:
        key.write_text("00")
        key.chmod(mode)
    return AuditHealth(chain, chain, 3600.0, key)  # type: ignore[arg-type]


def verdicts(checks: object) -> dict[str, Verdict]:
    """By name."""
    assert isinstance(checks, list)
    return {one.name: one.verdict for one in checks if isinstance(one, Check)}


@pytest.mark.req("OPS-2", "AUD-1")
async def test_a_good_chain_says_how_far_it_was_verified(tmp_path: Path) -> None:
    """The newest lines now, all of them when they were; a short chain is verified whole."""
    chain = Chain()
    checks = await health(tmp_path, chain).examine()
    assert set(verdicts(checks).values()) == {Verdict.GOOD}
    assert "newest 20000" in checks[0].evidence
    assert "2.0 hours ago" in checks[0].evidence
    chain.lines = 40
    assert "every line up to number 40" in (await health(tmp_path, chain).examine())[0].evidence


@pytest.mark.req("OPS-2", "AUD-1")
async def test_damage_is_bad_and_names_its_place(tmp_path: Path) -> None:
    """With the next step, which keeps the evidence."""
    found = (await health(tmp_path, Chain(findings=2)).examine())[0]
    assert found.verdict is Verdict.BAD
    assert "2 damaged places, the first one at line 17" in found.evidence
    assert "copy the whole state folder" in found.next_step


@pytest.mark.req("OPS-2", "AUD-1")
@pytest.mark.parametrize(
    ("age", "waiting", "verdict"),
    [
        (60.0, 3, Verdict.GOOD),
        (3 * 3600.0, 3, Verdict.DOUBT),
        (3 * 3600.0, 0, Verdict.GOOD),
        (None, 3, Verdict.GOOD),
    ],
)
async def test_an_old_seal_is_doubt_while_lines_wait(
    tmp_path: Path, age: float | None, waiting: int, verdict: Verdict
) -> None:
    """Nothing to seal is no doubt, however old the last seal."""
    checks = await health(tmp_path, Chain(seal_age=age, waiting=waiting)).examine()
    assert verdicts(checks)["audit seal"] is verdict


@pytest.mark.req("OPS-2", "AUD-1")
@pytest.mark.parametrize(
    ("mode", "verdict"), [(0o600, Verdict.GOOD), (0o400, Verdict.GOOD), (0o640, Verdict.DOUBT)]
)
async def test_the_key_is_for_nobody_else(tmp_path: Path, mode: int, verdict: Verdict) -> None:
    """Who reads it can write a chain that holds."""
    assert verdicts(await health(tmp_path, Chain(), mode).examine())["audit key"] is verdict


@pytest.mark.req("OPS-2", "AUD-1")
async def test_without_the_key_that_is_all_that_is_said(tmp_path: Path) -> None:
    """A gateway that serves has it in memory: the file is missed here before the next start misses it."""
    [check] = await health(tmp_path, Chain(), None).examine()
    assert (check.name, check.verdict) == ("audit key", Verdict.BAD)
    assert "before the gateway is started again" in check.next_step


@pytest.mark.req("OPS-2")
async def test_a_store_that_cannot_be_read_is_told_without_its_words(tmp_path: Path) -> None:
    """The kind of the fault alone: its text might hold anything."""
    chain = Chain()
    chain.fault = StoreError("285037728417346")
    checks = await health(tmp_path, chain).examine()
    assert verdicts(checks)["audit chain"] is Verdict.BAD
    assert "2850377" not in "".join(one.evidence for one in checks)
    assert [one.name for one in await health(tmp_path, chain).gauges()] == ["mss_audit_damaged"]


async def test_figures(tmp_path: Path) -> None:
    """No seal is infinitely old, so that a rule can compare."""
    damaged, age = await health(tmp_path, Chain(findings=2, seal_age=100.0)).gauges()
    assert (damaged.value, round(age.value, -1)) == (2, 100)
    assert (await health(tmp_path, Chain(seal_age=None)).gauges())[1].value == inf
