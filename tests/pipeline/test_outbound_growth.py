"""A destination begins with few letters at a time and gets more while it answers; outcomes share commits (QUE-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline import ledger as module
from mss_gateway.pipeline.destinations import Destinations
from mss_gateway.pipeline.ledger import COMPANY, Ledger
from mss_gateway.pipeline.outbound import OutboundOptions
from mss_gateway.pipeline.outbound_reports import Desk
from mss_gateway.pipeline.outcomes import Verdict
from mss_gateway.ports.outbox import Claimed, ClaimedRow
from mss_gateway.ports.queue import Selection
from mss_gateway.ports.records import Delivery, OutboxEntry, Part
from mss_gateway.ports.relay import Fate, Letter, Outcome
from mss_gateway.ports.store import Store
from mss_gateway.rules.retry import RetryOptions
from tests.support.couriers import FakeCourier, hangs, outcome
from tests.support.outbound import SENDER, opened, running, until
from tests.support.store import NOW, body

NORTH = "nord.example"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open, empty store."""
    async with opened(tmp_path / "store") as found:
        yield found


def letter(number: int, domain: str = NORTH) -> Claimed:
    """A claimed letter."""
    row = ClaimedRow(number, Recipient(parse_address(f"a@{domain}")), 1, 0.0)
    return Claimed("lease", 1, domain, "", None, None, None, b"\r\n", 0, (row,))


def answered(known: Destinations, domain: str = NORTH, fate: Fate = Fate.SENT) -> None:
    """One letter ends there, and is written down."""
    reason = "sent" if fate is Fate.SENT else "connect-timeout"
    known.heard(domain, (Outcome(Recipient(parse_address(f"a@{domain}")), fate, reason),), 0.0, 0.5)
    known.ended(domain, 0.0)
    known.written(domain)


def begun(known: Destinations) -> int:
    """How many more may begin now."""
    return len(list(iter(lambda: known.next(0.0), None)))


@pytest.mark.req("QUE-2")
def test_rooms_grow_with_the_answers_and_go_with_a_silence() -> None:
    """Two, then three, then four; after a silence two, and three since the others were still answered."""
    known = Destinations(100, 4, RetryOptions(), 2)
    assert known.share(0.0).each == 2
    known.claimed(known.share(0.0), [letter(number) for number in range(50)], 1.0)
    seen = []
    for _ in range(6):
        begun(known)
        seen.append(known.under_way[NORTH])
        answered(known)
    assert seen == [2, 2, 3, 3, 3, 4]
    begun(known)
    assert known.under_way == {NORTH: 4}
    answered(known, fate=Fate.TRY_LATER)
    assert known.under_way == {NORTH: 3}
    known.ask_again(NORTH, 0.0)
    for _ in range(3):
        answered(known)
    begun(known)
    assert known.under_way == {NORTH: 3}


@pytest.mark.req("QUE-2")
def test_many_destinations_share_what_there_is() -> None:
    """Ten rooms and four domains that would take five each: two for each, and more for one alone."""
    known = Destinations(10, 5, RetryOptions(), 1)
    domains = [f"d{number}.example" for number in range(4)]
    letters = [letter(10 * number + turn, one) for number, one in enumerate(domains) for turn in range(9)]
    known.claimed(known.share(0.0), letters, 1.0)
    for _ in range(30):
        begun(known)
        for domain in list(known.under_way):
            answered(known, domain)
    known.claimed(known.share(0.0), [letter(100 + turn, domains[0]) for turn in range(9)], 1.0)
    known.claimed(known.share(0.0), [], 1.0)
    begun(known)
    assert known.under_way[domains[0]] > 2


@pytest.mark.req("QUE-2")
def test_mail_to_a_silent_domain_learns_slowly_beside_mail_that_can_go() -> None:
    """Half of all rooms while it is alone, few as soon as another domain has letters, half again after them."""
    known = Destinations(100, 4, RetryOptions(), 2)
    known.claimed(known.share(0.0), [letter(1)], 1.0)
    begun(known)
    answered(known, fate=Fate.TRY_LATER)
    assert known.silence(NORTH, 0.0) is not None
    assert known.share(0.0).rooms[NORTH] == 50
    known.claimed(known.share(0.0), [letter(2), letter(3, "sud.example")], 1.0)
    assert known.share(0.0).rooms[NORTH] == 5 - 1
    begun(known)
    answered(known, "sud.example")
    known.claimed(known.share(0.0), [], 1.0)
    known.claimed(known.share(0.0), [], 1.0)
    assert known.share(0.0).rooms[NORTH] == 50 - 1


@pytest.mark.req("QUE-2")
async def test_a_black_hole_gets_few_connections(store: Store) -> None:
    """A domain that has never answered is not tried with all that it may have."""
    options = OutboundOptions(per_domain=10, first=2, drain=0.0)
    async with running(store, options=options) as line:
        line.courier.to("nord.example", hangs)
        for turn in range(12):
            await line.queue(f"a{turn}@nord.example")
            await line.queue(f"b{turn}@sud.example")

        async def through() -> bool:
            return not await store.queued(Selection(domain="sud.example"))

        await until(through)
        assert line.courier.most["nord.example"] == 2
        assert len(await store.queued(Selection(domain="nord.example"))) == 12


@pytest.mark.req("QUE-2")
async def test_a_destination_that_answers_comes_to_all_its_connections(store: Store) -> None:
    """While letters wait for it."""
    courier = FakeCourier()

    async def yielding(letter: Letter) -> tuple[Outcome, ...]:
        await asyncio.sleep(0.001)
        return tuple(outcome(one) for one in letter.recipients)

    courier.usual = yielding
    entry = OutboxEntry(SENDER, Recipient(parse_address("a@nord.example")))
    for _ in range(150):
        await store.accept(Delivery((Part(body(), NOW, outbox=(entry,)),)))
    async with running(store, courier, options=OutboundOptions(per_domain=6, first=2)) as line:
        assert await line.quiet() == []
    assert courier.most == {"nord.example": 6}


class Written:
    """A store that notes how many rows each commit has settled."""

    def __init__(self) -> None:
        self.commits: list[int] = []

    async def accept(self, delivery: Delivery) -> None:
        """A commit that takes a turn of the loop."""
        await asyncio.sleep(0)
        self.commits.append(len(delivery.settled))


def ledger(store: Written, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger over it in which an outcome waits for company until somebody presses."""
    monkeypatch.setattr(module, "COMPANY_SECONDS", 3600.0)
    monkeypatch.setattr(module, "conclude", concluded)
    made = Ledger(store, object(), Log(LogOptions(level="error"), Figures()))  # type: ignore[arg-type]
    made._committed = asyncio.get_running_loop().time()
    return made


async def concluded(letter: Claimed, verdicts: list[Verdict], desk: Desk, now: float) -> Delivery:
    """One settled row for each letter."""
    return Delivery((), settled=(object(),))  # type: ignore[arg-type]


async def waiting(made: Ledger, count: int) -> list[asyncio.Task[bool]]:
    """So many outcomes that wait."""
    tasks = [asyncio.create_task(made.write(letter(number), [], 0.0)) for number in range(count)]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


@pytest.mark.req("QUE-1")
async def test_outcomes_that_come_fast_share_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait until there are enough of them."""
    store = Written()
    tasks = await waiting(made := ledger(store, monkeypatch), COMPANY - 1)
    assert store.commits == []
    tasks += await waiting(made, 1)
    assert await asyncio.gather(*tasks) == [False] * COMPANY
    assert store.commits == [COMPANY]


@pytest.mark.req("QUE-1")
@pytest.mark.parametrize("how", ["press", "pressing", "finish"])
async def test_whoever_needs_the_room_has_them_written(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim, an outcome that letters wait for, the end of the line."""
    store = Written()
    tasks = await waiting(made := ledger(store, monkeypatch), 2)
    assert store.commits == []
    if how == "press":
        made.press()
    elif how == "pressing":
        tasks.append(asyncio.create_task(made.write(letter(9), [], 0.0, pressing=True)))
    else:
        await made.finish()
    await asyncio.gather(*tasks)
    assert store.commits == [len(tasks)]


@pytest.mark.req("QUE-1")
async def test_an_outcome_that_comes_alone_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for company that is not likely to come."""
    store = Written()
    made = ledger(store, monkeypatch)
    made._committed -= 7200.0
    assert await made.write(letter(1), [], 0.0) is False
    assert store.commits == [1]
