"""The outbound line as a process: slots, silences, sleep, faults, restarts, kills (QUE-1, QUE-2)."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mss_gateway.pipeline import ledger as module
from mss_gateway.pipeline.outbound import OutboundOptions
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import Delivery
from mss_gateway.ports.relay import Fate, Letter, Outcome
from mss_gateway.ports.store import Store, StoreFull
from tests.support.couriers import FakeCourier, always, hangs
from tests.support.outbound import calm, opened, running, until
from tests.support.store import NOW

ROOT = Path(__file__).resolve().parents[2]
SHORT = OutboundOptions(drain=0.0)
HOUR = 3600.0


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open, empty store."""
    async with opened(tmp_path / "store") as found:
        yield found


@pytest.mark.req("QUE-2")
async def test_one_hanging_domain_delays_no_other(store: Store) -> None:
    """Its letters take its own slots and no more, whatever waits behind them."""
    async with running(store, options=SHORT) as line:
        line.courier.to("nord.example", hangs)
        for turn in range(20):
            await line.queue(f"a{turn}@nord.example")
        for turn in range(20):
            await line.queue(f"b{turn}@sud.example")

        async def through() -> bool:
            return not await store.queued(Selection(domain="sud.example"))

        await until(through)
        assert line.courier.most["nord.example"] == 5
        assert line.courier.most["sud.example"] <= 5
        assert len(await store.queued(Selection(domain="nord.example"))) == 20


@pytest.mark.req("QUE-2")
async def test_no_more_letters_are_under_way_than_allowed(store: Store) -> None:
    """In all and of one domain; what comes free is used."""
    async with running(store, options=OutboundOptions(total=3, per_domain=2, drain=0.0)) as line:
        gate = asyncio.Event()

        async def gated(letter: Letter) -> tuple[Outcome, ...]:
            await gate.wait()
            return await always(Fate.SENT)(letter)

        line.courier.usual = gated
        for turn in range(6):
            for domain in ("nord", "sud", "est"):
                await line.queue(f"a{turn}@{domain}.example")

        async def full() -> bool:
            return sum(line.courier.under_way.values()) == 3

        await until(full)
        gate.set()
        assert await line.quiet() == []
        assert max(line.courier.most.values()) <= 2
        assert len(line.courier.carried) == 18


@pytest.mark.req("QUE-2")
async def test_a_dead_domain_is_asked_with_one_letter_for_all(store: Store) -> None:
    """Hundreds of letters learn from one attempt; when the domain is back they all go."""
    async with running(store) as line:
        line.courier.to("nord.example", always(Fate.TRY_LATER, "connect-refused"))
        for turn in range(100):
            await line.queue(f"a{turn}@nord.example")
        await line.quiet()
        first = len(line.courier.carried)
        assert first <= 5
        for wait in (60, 120, 240, 480):
            (at,) = {row.next_attempt for row in await store.queued(EVERYTHING)}
            assert at - line.hands.at == wait
            rows = await line.pass_time(at - line.hands.at)
            assert len(rows) == 100
            assert {row.last_error.partition(":")[0] for row in rows} == {"connect-refused"}
        assert len(line.courier.carried) == first + 4
        line.courier.to("nord.example", always(Fate.SENT))
        assert await line.pass_time(HOUR) == []
        assert sorted(set(line.courier.reached)) == sorted(f"a{turn}@nord.example" for turn in range(100))
        assert line.faults() == 0


@pytest.mark.req("QUE-2")
@pytest.mark.parametrize(
    ("reason", "text", "alone"),
    [
        ("peer-temporary", "421 4.3.2 going down", True),
        ("timeout", "", True),
        ("certificate-expired", "", True),
        ("peer-temporary", "451 4.7.1 greylisted", False),
        ("lost", "", False),
    ],
)
async def test_only_an_unreachable_domain_is_left_alone(
    store: Store, reason: str, text: str, alone: bool
) -> None:
    """What concerns one message does not keep the next one waiting."""

    async def later(letter: Letter) -> tuple[Outcome, ...]:
        return tuple(Outcome(one, Fate.TRY_LATER, reason, text) for one in letter.recipients)

    async with running(store) as line:
        line.courier.to("nord.example", later)
        await line.queue("a@nord.example")
        await line.quiet()
        await line.queue("b@nord.example")
        await line.quiet()
        assert line.courier.reached == ["a@nord.example"] + ["b@nord.example"] * (not alone)


@pytest.mark.req("QUE-2", "RCP-1")
async def test_mail_to_a_dead_domain_is_reported_late_in_time(store: Store) -> None:
    """A domain that is left alone does not keep its senders waiting for the delay report."""
    async with running(store) as line:
        line.courier.to("nord.example", always(Fate.TRY_LATER, "connect-timeout"))
        await line.queue("a@nord.example")
        await line.quiet()
        line.hands.at += 1000
        await line.queue("b@nord.example")
        while line.hands.at < NOW + 5 * HOUR and (rows := await line.quiet()):
            await line.pass_time(min(row.next_attempt for row in rows) - line.hands.at)
        late = [report["Date"].datetime.timestamp() for report in await line.reports()]
        assert late == [NOW + 4 * HOUR, NOW + 1000 + 4 * HOUR]


class CountingStore:
    """Counts the calls of the store that it passes on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._store, name)


@pytest.mark.req("QUE-2")
async def test_nothing_is_asked_while_nothing_is_due(store: Store) -> None:
    """Neither when the outbox is empty nor when all of it waits for later."""
    counting = CountingStore(store)
    async with running(counting) as line:
        line.courier.to("nord.example", always(Fate.TRY_LATER))
        await line.queue(*(f"a{n}@nord.example" for n in range(30)))
        await line.quiet()
        await calm(counting.calls)
        counting.calls.clear()
        await asyncio.sleep(0.5)
        assert not counting.calls


@pytest.mark.req("QUE-1")
async def test_what_is_due_wakes_the_line_by_itself(store: Store) -> None:
    """No new mail and no other event is needed."""
    async with running(store, options=OutboundOptions(retry_first=0.2)) as line:
        line.courier.to("nord.example", always(Fate.TRY_LATER))
        await line.queue("a@nord.example")
        await line.quiet()
        line.courier.to("nord.example", always(Fate.SENT))
        line.hands.at += 0.2  # the line does not hear of it: its own timer has to bring it back

        async def gone() -> bool:
            return not await store.queued(EVERYTHING)

        await until(gone)


@pytest.mark.req("QUE-1")
async def test_a_fault_of_the_courier_costs_an_attempt_and_no_message(store: Store) -> None:
    """An exception is ours; the message stays, others go on."""

    async def broken(letter: Letter) -> tuple[Outcome, ...]:
        raise RuntimeError(letter.domain)

    async def short(letter: Letter) -> tuple[Outcome, ...]:
        return ()

    async with running(store) as line:
        line.courier.to("nord.example", broken)
        line.courier.to("est.example", short)
        await line.queue("a@nord.example", "b@sud.example", "c@est.example")
        rows = await line.quiet()
        assert {(row.recipient, row.last_error.partition(":")[0]) for row in rows} == {
            ("a@nord.example", "fault"),
            ("c@est.example", "fault"),
        }
        assert line.faults() == 2
        line.courier.to("nord.example", always(Fate.SENT))
        line.courier.to("est.example", always(Fate.SENT))
        assert await line.pass_time(HOUR) == []


class FailingStore(CountingStore):
    """A store whose next commits of outcomes find the disk full."""

    failures = 0

    async def accept(self, delivery: Delivery) -> Any:
        """Refuse what settles, so many times."""
        if delivery.settled and self.failures:
            self.failures -= 1
            raise StoreFull("no space left")
        return await self._store.accept(delivery)


@pytest.mark.req("QUE-1")
async def test_an_outcome_that_cannot_be_written_is_kept_until_it_can(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk after the peer's 250 must not send the message twice, even when the lease runs out meanwhile."""
    monkeypatch.setattr(module, "PAUSE_FIRST", 0.05)
    failing = FailingStore(store)
    async with running(failing) as line:
        failing.failures = 3
        await line.queue("a@nord.example")

        async def failed() -> bool:
            return failing.failures < 3

        await until(failed)
        line.hands.at += 10_000
        line.outbound.wake()
        assert await line.quiet() == []
        assert line.courier.reached == ["a@nord.example"]


@pytest.mark.req("QUE-1")
async def test_a_long_attempt_keeps_its_lease(store: Store) -> None:
    """Nobody takes over what is still being carried."""
    async with running(store, options=OutboundOptions(lease=0.15, drain=0.0)) as line:
        gate = asyncio.Event()

        async def slow(letter: Letter) -> tuple[Outcome, ...]:
            await gate.wait()
            return await always(Fate.SENT)(letter)

        line.courier.usual = slow
        await line.queue("a@nord.example")

        async def renewed() -> bool:
            rows = await store.queued(EVERYTHING)
            return bool(rows) and rows[0].next_attempt > line.hands.at + 0.1

        await until(renewed)
        for _ in range(8):
            line.hands.at += 0.14
            await until(renewed)
        gate.set()
        assert await line.quiet() == []
        assert line.courier.reached == ["a@nord.example"]
        assert line.faults() == 0


@pytest.mark.req("QUE-1")
async def test_a_lost_lease_ends_the_attempt(store: Store) -> None:
    """Another one carries it now."""
    cancelled = asyncio.Event()

    async def endless(letter: Letter) -> tuple[Outcome, ...]:
        try:
            return await hangs(letter)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with running(store, options=OutboundOptions(lease=0.1, drain=0.0)) as line:
        line.courier.usual = endless
        await line.queue("a@nord.example")

        async def leased() -> bool:
            return bool(line.courier.carried)

        await until(leased)
        await store.void_leases(NOW + HOUR)
        await cancelled.wait()
        assert [row.state for row in await store.queued(EVERYTHING)] == ["uncertain"]


@pytest.mark.req("QUE-1")
async def test_a_drain_lets_attempts_under_way_come_to_their_end(store: Store) -> None:
    """What ends in time is settled; nothing is uncertain afterwards."""

    async def slow(letter: Letter) -> tuple[Outcome, ...]:
        await asyncio.sleep(0.2)
        return await always(Fate.SENT)(letter)

    async with running(store) as line:
        line.courier.usual = slow
        await line.queue("a@nord.example", "b@sud.example")

        async def begun() -> bool:
            return len(line.courier.carried) == 2

        await until(begun)
    assert await store.queued(EVERYTHING) == []


@pytest.mark.req("QUE-1")
async def test_a_crash_after_the_peers_250_is_the_only_way_to_send_twice(store: Store) -> None:
    """The process ends between the courier's success and the commit: sent again at once, and counted."""
    taken = asyncio.Event()

    async def taken_then_dead(letter: Letter) -> tuple[Outcome, ...]:
        taken.set()
        return await hangs(letter)

    courier = FakeCourier()
    async with running(store, courier, SHORT) as line:
        courier.to("nord.example", taken_then_dead)
        new = await line.queue("a@nord.example", "b@sud.example")
        await taken.wait()

        async def other_is_through() -> bool:
            return not await store.queued(Selection(domain="sud.example"))

        await until(other_is_through)
    assert [(row.state, row.uncertain) for row in await store.queued(EVERYTHING)] == [("leased", 0)]
    courier.to("nord.example", always(Fate.TRY_LATER))
    async with running(store, courier) as line:  # the clock has not moved: nobody waits for the old lease
        (row,) = await line.quiet()
        assert (row.state, row.uncertain, row.attempts) == ("uncertain", 1, 2)
        told = [one for one in await store.trace(new.message_id) if one.event == "uncertain"]
        assert [(one.detail["reason"], one.detail["recipient"]) for one in told] == [
            ("interrupted", "a@nord.example")
        ]
        courier.to("nord.example", always(Fate.SENT))
        assert await line.pass_time(HOUR) == []
    assert Counter(courier.reached) == {"a@nord.example": 3, "b@sud.example": 1}


def _killed_while_carrying(folder: Path, seconds: float) -> list[str]:
    """Run the victim, kill it after that time, and return the recipients that were taken over."""
    command = [sys.executable, "-m", "tests.support.outbound_victim", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        victim.kill()
        return victim.stdout.read().decode().split()


@pytest.mark.req("QUE-1")
@pytest.mark.timeout(600)
async def test_kill_9_loses_nothing_and_repeats_only_what_was_under_way(tmp_path: Path) -> None:
    """Four kills at random instants: each recipient is reached, and twice only when it was leased at a kill."""
    folder = tmp_path / "store"
    wanted = [f"a{turn}@{domain}.example" for turn in range(300) for domain in ("nord", "sud")]
    async with opened(folder) as store:
        async with running(store, options=SHORT) as line:
            line.courier.usual = hangs
            for turn in range(0, 600, 2):
                await line.queue(wanted[turn], wanted[turn + 1])
        await store.void_leases(NOW)
    reached: Counter[str] = Counter()
    leased: Counter[str] = Counter()
    for _ in range(4):
        reached.update(_killed_while_carrying(folder, random.uniform(0.05, 0.4)))
        async with opened(folder) as store:
            leased.update(row.recipient for row in await store.queued(EVERYTHING) if row.state == "leased")
    async with opened(folder) as store, running(store) as line:
        assert await line.quiet() == []
        reached.update(line.courier.reached)
    assert set(reached) == set(wanted)
    assert [one for one in wanted if reached[one] - 1 > leased[one]] == []
