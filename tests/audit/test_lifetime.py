"""A peer that is not trusted is asked again for as long as a message lives, and never trusted for it (TRU-5, QUE-1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mss_gateway.mail.envelope import Notify
from mss_gateway.relay.courier import RelayCourier
from mss_gateway.trust.guard import Trust
from tests.support.audit import MATRIX
from tests.support.audit_kinds import Row, Space, Waits
from tests.support.audit_peers import FarEnd, files_of
from tests.support.audit_space import certificates, world
from tests.support.outbound import Line, machine, opened, running
from tests.support.relay import options
from tests.support.store import body

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
HOUR, DAY = 3600.0, 86400.0
LIFETIME = 5 * DAY


def refused() -> dict[str, tuple[Row, Waits]]:
    """One row of the matrix for each domain that must not get our mail."""
    found: dict[str, tuple[Row, Waits]] = {}
    for row in MATRIX:
        if row.space is Space.CURRENT and isinstance(row.outbound, Waits):
            found.setdefault(row.domain, (row, row.outbound))
    return found


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[dict[str, FarEnd]]:
    """Their servers, by domain, and the files of the trust space."""
    world(tmp_path / "trust", Space.CURRENT)
    with ExitStack() as stack:
        made = {}
        for domain, (row, _) in refused().items():
            files = files_of(certificates()[row.name], tmp_path / "peers", row.name)
            made[domain] = FarEnd(row, files, tmp_path / "trust" / "ca.pem")
            stack.callback(made[domain].close)
        yield made


@pytest.mark.req("TRU-5", "TRU-6", "QUE-1", "QUE-2", "RCP-1")
async def test_every_refused_peer_is_tried_until_the_lifetime_ends(
    tmp_path: Path, ends: dict[str, FarEnd]
) -> None:
    """Five days: each row is kept with its reason, is tried again and again, then fails with one report."""
    trust: Trust = world(tmp_path / "trust", Space.CURRENT).trust()
    overrides = {domain: (("127.0.0.1", end.port),) for domain, end in ends.items()}
    courier = RelayCourier(options(overrides=overrides), trust)
    async with opened(tmp_path / "store") as store, running(store, courier) as line:  # type: ignore[arg-type]
        for domain in ends:
            notify = frozenset({Notify.FAILURE})
            await line.queue(f"dr@{domain}", notify=notify, new=body(b"secret"))
        await line.quiet()
        await stays(line, attempts=1)
        for hours in (1, 4, 19, 24, 24, 24, 23):
            await line.pass_time(hours * HOUR)
        await stays(line, attempts=8)
        assert await line.reports() == []
        assert await line.pass_time(2 * HOUR) == []
        told = {}
        for report in await line.reports():
            _, one = machine(report)
            told[one["Final-Recipient"]] = (one["Action"], one["Status"])
        assert told == {f"rfc822; dr@{domain}": ("failed", "5.4.7") for domain in ends}
        assert line.faults() == 0
    await courier.close()
    for end in ends.values():
        assert end.mail == []
        assert {line.partition(" ")[0].upper() for line in end.commands} <= {"EHLO", "STARTTLS", "QUIT"}


async def stays(line: Line, attempts: int) -> None:
    """Every row waits, for the reason of the matrix, after so many attempts."""
    rows = {row.domain: row for row in await line.quiet()}
    assert {row.state for row in rows.values()} == {"waiting"}
    assert {row.attempts for row in rows.values()} == {attempts}
    reasons = {domain: row.last_error.partition(":")[0] for domain, row in rows.items()}
    assert reasons == {domain: waits.reason for domain, (_, waits) in refused().items()}
