"""How the outbound line paces itself: claims ahead, fairness, group commits, sleep, log lines (QUE-2)."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline import outbound as module
from mss_gateway.pipeline.destinations import Destinations, Heard
from mss_gateway.pipeline.outbound import OutboundOptions
from mss_gateway.ports.outbox import Claimed, ClaimedRow
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import Delivery, OutboxEntry, Part
from mss_gateway.ports.relay import Fate, Letter, Outcome
from mss_gateway.ports.store import Store, StoreError
from mss_gateway.rules.retry import RetryOptions
from tests.support.couriers import FakeCourier, always, hangs, outcome
from tests.support.outbound import SENDER, calm, opened, running, until
from tests.support.store import NOW, body

HOUR = 3600.0


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open, empty store."""
    async with opened(tmp_path / "store") as found:
        yield found


class CountingStore:
    """Counts the calls of the store that it passes on, and the letters of each claim."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.claims: list[int] = []

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._store, name)

    async def claim(self, *arguments: Any) -> Any:
        """A claim, noted."""
        found = await self._store.claim(*arguments)
        self.claims.append(len(found))
        return found


async def fill(store: Store, *recipients: str, letters: int = 1, ordered: bool = False) -> None:
    """Queue that many messages, each to all of these recipients."""
    entries = tuple(OutboxEntry(SENDER, Recipient(parse_address(one)), ordered=ordered) for one in recipients)
    for _ in range(letters):
        await store.accept(Delivery((Part(body(), NOW, outbox=entries),)))


async def yielding(letter: Letter) -> tuple[Outcome, ...]:
    """Takes everything after one turn of the loop, as a connection kept open would."""
    await asyncio.sleep(0.001)
    return tuple(outcome(one) for one in letter.recipients)


@pytest.mark.req("QUE-2")
async def test_a_fast_domain_is_claimed_ahead_and_settled_together(store: Store) -> None:
    """Far fewer commits than letters, and never more letters under way than allowed."""
    await fill(store, "a@nord.example", letters=200)
    counting = CountingStore(store)
    courier = FakeCourier()
    courier.usual = yielding
    async with running(counting, courier) as line:
        assert await line.quiet() == []
    assert courier.most == {"nord.example": 5}
    assert max(counting.claims) > 5
    assert len(counting.claims) < 80
    assert counting.calls["accept"] < 120
    assert len(courier.carried) == 200


class UnreadStore(CountingStore):
    """A store that cannot read several texts at once."""

    async def read_texts(self, *_: object) -> object:
        """As on a disk that fails now and then."""
        raise StoreError("the disk failed")


@pytest.mark.req("QUE-1", "RTE-7")
@pytest.mark.parametrize(("kind", "reads"), [(CountingStore, 1), (UnreadStore, 2)])
async def test_small_texts_are_read_together_and_large_ones_by_themselves(
    store: Store, kind: type[CountingStore], reads: int
) -> None:
    """Each arrives whole, even when reading ahead has failed."""
    small, large = body(b"petit\r\n"), body(b"0123456789abcde\n" * 4000)
    for new in (small, large):
        entry = OutboxEntry(SENDER, Recipient(parse_address("a@nord.example")))
        await store.accept(Delivery((Part(new, NOW, outbox=(entry,)),)))
    counting = kind(store)
    async with running(counting) as line:
        assert await line.quiet() == []
        carried = {octets for _, octets in line.courier.carried}
    assert carried == {new.header + new.text for new in (small, large) if isinstance(new.text, bytes)}
    assert counting.calls["read_text"] >= reads


@pytest.mark.req("QUE-1", "QUE-2")
async def test_a_slow_domain_is_not_claimed_ahead(store: Store) -> None:
    """What is leased is what is under way: a crash then finds no more."""
    await fill(store, "a@nord.example", letters=30)
    async with running(store, options=OutboundOptions(drain=0.0)) as line:
        line.courier.to("nord.example", hangs)

        async def full() -> bool:
            return line.courier.under_way.get("nord.example") == 5

        await until(full)
        await asyncio.sleep(0.2)
        assert len(await store.queued(Selection(state="leased"))) == 5


@pytest.mark.req("QUE-1")
async def test_letters_claimed_ahead_are_given_back_at_a_stop(store: Store) -> None:
    """They have not begun: they are not uncertain, only those that hang are left to void."""
    await fill(store, "a@nord.example", letters=300)
    stuck = asyncio.Event()
    carried = 0

    async def soon_stuck(letter: Letter) -> tuple[Outcome, ...]:
        nonlocal carried
        carried += 1
        if carried > 100:
            if carried == 105:  # as many as there is room for: whatever came before them is over
                stuck.set()
            return await hangs(letter)
        return await yielding(letter)

    async with running(store, options=OutboundOptions(drain=0.05)) as line:
        line.courier.usual = soon_stuck
        line.outbound.wake()
        await stuck.wait()
    states = Counter(row.state for row in await store.queued(EVERYTHING))
    assert states["leased"] <= 5
    assert states["uncertain"] == 0
    assert 195 <= sum(states.values()) <= 200


@pytest.mark.req("QUE-2")
async def test_ten_black_holes_of_fifty_domains_keep_nobody_waiting(store: Store) -> None:
    """All letters of the other forty go while those of the ten hang, in every order of the queue."""
    for turn in range(6):
        for number in range(50):
            await fill(store, f"a{turn}@d{number}.example")
    dead = {f"d{number}.example" for number in range(10)}
    async with running(store, options=OutboundOptions(drain=0.0)) as line:
        for domain in dead:
            line.courier.to(domain, hangs)

        async def others_gone() -> bool:
            return {row.domain for row in await store.queued(EVERYTHING)} <= dead

        await until(others_gone)
        assert sum(line.outbound.under_way.values()) == 50
        await fill(store, "late@d49.example")
        await until(others_gone)


@pytest.mark.req("QUE-2")
async def test_domains_take_turns_when_there_is_little_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A domain with a hundred letters does not come first until it is done."""
    monkeypatch.setattr(module, "LET_IN_EVERY", 0.0)
    await fill(store, "a@nord.example", letters=100)
    await fill(store, "b@sud.example", letters=3)
    courier = FakeCourier()
    courier.usual = yielding
    async with running(store, courier, OutboundOptions(total=2, per_domain=2)) as line:
        assert await line.quiet() == []
    assert max(place for place, one in enumerate(courier.reached) if one.startswith("b")) < 60


@pytest.mark.req("QUE-2")
@pytest.mark.timeout(600)
async def test_ten_thousand_messages_to_a_dead_host_cost_nothing_while_it_is_silent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attempt tells all of them; then nothing is asked, written or tried until it is asked again."""
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)
    await fill(store, *(f"a{number}@nord.example" for number in range(100)), letters=100)
    counting = CountingStore(store)
    async with running(counting) as line:
        line.courier.to("nord.example", always(Fate.TRY_LATER, "connect-refused"))

        async def all_wait() -> bool:
            (one,) = await store.queue_by_domain()
            return (
                one.rows == one.waiting == 10_000 and one.next_attempt is not None and one.next_attempt > NOW
            )

        await until(all_wait)
        await calm(counting.calls)
        counting.calls.clear()
        counting.claims.clear()
        tried = len(line.courier.carried)
        await asyncio.sleep(0.4)
        assert not counting.calls
        assert not counting.claims
        assert len(line.courier.carried) == tried <= 5


@pytest.mark.req("AUD-4", "QUE-2")
async def test_the_log_tells_attempts_and_silences_and_no_recipient(store: Store) -> None:
    """One line for each attempt of a letter, one for each silence, one when it is over."""
    out = io.BytesIO()
    async with running(store, log=Log(LogOptions(), Figures(), out)) as line:
        line.courier.to("nord.example", always(Fate.TRY_LATER, "connect-refused"))
        await line.queue("a@nord.example", "b@nord.example")
        await line.quiet()
        await line.queue("c@nord.example")  # learns from the others: no attempt, no line
        await line.quiet()
        line.courier.to("nord.example", always(Fate.SENT))
        assert await line.pass_time(HOUR) == []
        line.courier.to("sud.example", always(Fate.FAILED))
        await line.queue("185037512345614@sud.example", sender="")
        await line.quiet()
        assert {one.value: count for one, count in line.outbound.counted.items()} == {
            "relay-deferred": 2,
            "relayed": 3,
            "relay-failed": 1,
        }
    said = [json.loads(one) for one in out.getvalue().splitlines()]
    relayed = {"relayed", "relay-deferred", "relay-failed", "domain-silent", "domain-back"}
    said = [one for one in said if one["event"] in relayed]
    first, silent, *rest, failed = said
    assert silent["event"] == "domain-silent" or first["event"] == "domain-silent"
    deferred = first if first["event"] == "relay-deferred" else silent
    quiet = silent if deferred is first else first
    assert (deferred["recipients"], deferred["reason"], deferred["attempts"]) == (2, "connect-refused", 1)
    assert (quiet["domain"], quiet["failures"], quiet["seconds"]) == ("nord.example", 1, 60)
    assert sorted(one["event"] for one in rest) == ["domain-back", "relayed", "relayed"]
    assert (failed["event"], failed["domain"], failed["recipients"]) == ("relay-failed", "sud.example", 1)
    assert b"@" not in b"".join(json.dumps(one).encode() for one in said)


def letter(domain: str, number: int) -> Claimed:
    """A claimed letter."""
    row = ClaimedRow(number, Recipient(parse_address(f"a@{domain}")), 1, NOW)
    return Claimed("lease", number, domain, "", None, None, None, b"\r\n", 0, (row,))


def heard(known: Destinations, reason: str, at: float) -> Heard:
    """Tell of an attempt that did not reach anybody, or (`sent`) did."""
    fate = Fate.SENT if reason == "sent" else Fate.TRY_LATER
    one = Outcome(Recipient(parse_address("a@nord.example")), fate, reason)
    return known.heard("nord.example", (one,), at, 0.5)


@pytest.mark.req("QUE-2")
def test_a_silence_is_told_when_it_begins_and_when_it_ends() -> None:
    """Failures of attempts begun before it add nothing."""
    known = Destinations(10, 5, RetryOptions())
    assert heard(known, "connect-timeout", 0.0) is Heard.SILENT
    assert heard(known, "connect-timeout", 1.0) is Heard.NOTHING
    assert heard(known, "connect-timeout", 61.0) is Heard.SILENT
    assert known.silences["nord.example"].failures == 2
    known.ask_again("nord.example", 62.0)
    assert known.silence("nord.example", 62.0) is None
    assert known.share(62.0).rooms == {"nord.example": 1}
    assert heard(known, "sent", 62.0) is Heard.BACK
    assert heard(known, "sent", 62.0) is Heard.NOTHING
    known.ask_again("nord.example", 62.0)
    assert known.share(62.0).rooms == {}


@pytest.mark.req("QUE-2")
def test_what_is_claimed_ahead_follows_the_speed_of_a_domain() -> None:
    """As many as will begin within 30 ms, within bounds; none after a pause."""
    known = Destinations(100, 5, RetryOptions())
    share = known.share(0.0)
    known.claimed(share, [letter("nord.example", number) for number in range(5)], 1.0)
    begun = [known.next(0.0) for _ in range(6)]
    assert [one is not None for one in begun] == [True] * 5 + [False]
    assert known.share(0.0).rooms == {"nord.example": 0}
    assert [known.ended("nord.example", 0.0) for _ in range(4)] == [True] * 4
    for _ in range(4):
        known.written("nord.example")
    known.claimed(known.share(0.0), [], 0.024)
    assert known.share(0.0).rooms == {"nord.example": 4 + 5}
    known.claimed(known.share(0.0), [letter("nord.example", number) for number in range(9)], 10.0)
    assert known.share(0.0).rooms == {"nord.example": 5 - 10}
    assert known.share(0.0).total == 90


@pytest.mark.req("QUE-2")
def test_a_domain_that_was_left_out_is_asked_about_as_soon_as_there_is_room() -> None:
    """What is due there later was in nobody's account while the domain was busy: the queue must not sleep over it."""
    known = Destinations(100, 5, RetryOptions())
    known.claimed(known.share(0.0), [letter("nord.example", number) for number in range(5)], 1.0)
    for _ in range(5):
        assert known.next(0.0) is not None
        known.ended("nord.example", 0.0)
        known.written("nord.example")
    known.claimed(known.share(0.0), [], 0.024)  # they ended fast: some may be claimed ahead
    share = known.share(0.0)
    assert share.rooms["nord.example"] > 7
    known.claimed(
        share, [letter("nord.example", number) for number in range(7)], 10.0
    )  # all that was due, slowly
    assert known.left_out(0.0) == {"nord.example"}
    woken = []
    for _ in range(7):
        assert known.next(0.0) is not None
        woken.append(known.ended("nord.example", 0.0))
        known.written("nord.example")
    assert woken == [False, False, True, False, False, False, False]


@pytest.mark.req("QUE-1", "QUE-2")
def test_no_more_letters_wait_for_the_disk_than_may_be_under_way() -> None:
    """A crash sends those twice that a peer has taken and the store does not know of."""
    known = Destinations(100, 2, RetryOptions())
    known.claimed(known.share(0.0), [letter("nord.example", number) for number in range(6)], 1.0)
    for _ in range(2):
        assert known.next(0.0) is not None
        known.ended("nord.example", 0.0)
    assert known.next(0.0) is None
    known.written("nord.example")
    assert known.next(0.0) is not None


@pytest.mark.req("QUE-2")
def test_newcomers_have_a_share_of_their_own() -> None:
    """Domains that hold something have no part in it."""
    known = Destinations(10, 5, RetryOptions())
    known.claimed(known.share(0.0), [letter("nord.example", number) for number in range(5)], 1.0)
    assert not known.crowded
    share = known.share_of_newcomers(0.0)
    assert (share.total, share.each, share.rooms) == (5, 5, {"nord.example": 0})
    known.claimed(known.share(0.0), [letter("sud.example", number) for number in range(5, 10)], 1.0)
    assert known.crowded


@pytest.mark.req("QUE-2")
def test_domains_are_served_in_turn() -> None:
    """One letter each, as long as there is room for it."""
    known = Destinations(5, 2, RetryOptions())
    letters = [letter(f"d{number % 3}.example", number) for number in range(12)]
    known.claimed(known.share(0.0), letters, 1.0)
    order = [one.domain for one in iter(lambda: known.next(0.0), None)]
    assert order == ["d0.example", "d1.example", "d2.example", "d0.example", "d1.example"]
    known.ended("d0.example", 0.0)
    known.written("d0.example")
    found = known.next(0.0)
    assert found is not None
    assert found.domain == "d2.example"
    assert len(list(known.leave())) == 6
    assert known.next(0.0) is None


@pytest.mark.req("QUE-2")
async def test_an_attempt_that_is_cancelled_before_its_first_step_gives_its_room_back(store: Store) -> None:
    """A lease may be lost between the start of a task and its first step."""
    courier = FakeCourier()
    async with running(store, courier) as line:
        outbound = line.outbound
        outbound._destinations.put([letter("nord.example", 1)])
        outbound._leases.hold(outbound._destinations._traffic["nord.example"].at_hand[0])
        outbound._start_at_hand()
        assert outbound.under_way == {"nord.example": 1}
        for task in outbound._tasks:
            task.cancel()
        await asyncio.sleep(0.01)
        assert outbound.under_way == {}
    assert courier.carried == []
