"""Several nodes at one outbox: leases keep them apart, and a dead node's work is taken over (QUE-4)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ports.outbox import Claimed, Lease, Share
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import Delivery, Settled
from mss_gateway.ports.store import StaleLease, Store
from tests.contract.test_outbox import ended, everything, lease, waiting
from tests.support.store import NOW, BackEnd, add_box, body, delivery, trace_line

LINE = trace_line("queue-changed")


def of(node: str, now: float = NOW, seconds: float = 60.0) -> Lease:
    """A lease of a node."""
    return replace(lease(now, seconds), node=node)


def ids_of(letters: list[Claimed]) -> list[int]:
    """Ids of all rows of letters."""
    return [row.id for letter in letters for row in letter.rows]


@pytest.mark.req("QUE-4")
async def test_two_nodes_never_carry_the_same_row(store: Store) -> None:
    """They claim at the same time, again and again, until all is leased: each row to one of them."""
    for turn in range(40):
        await store.accept(delivery(body(), outbox=[f"a{turn}@nord.example", f"a{turn}@sud.example"]))

    async def carry(node: str) -> list[int]:
        found: list[int] = []
        while letters := await store.claim(of(node), Share(3, 2)):
            found += ids_of(letters)
        return found

    one, two = await asyncio.gather(carry("a"), carry("b"))
    assert sorted(one + two) == sorted(row.id for row in await store.queued(EVERYTHING))
    assert len(set(one + two)) == 80
    assert one
    assert two


@pytest.mark.req("QUE-4")
async def test_the_work_of_a_dead_node_is_taken_over_when_its_lease_runs_out(store: Store) -> None:
    """Not before; its attempt may have arrived, which counts once; what it says later changes nothing."""
    box = await add_box(store)
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    (dead,) = await store.claim(of("a"), everything())
    assert await store.next_due() == NOW + 60
    assert await store.claim(of("b", NOW + 59), everything()) == []
    (taken,) = await store.claim(of("b", NOW + 60), everything())
    (row,) = taken.rows
    assert (row.attempts, row.uncertain, row.last_error) == (2, 1, "interrupted")
    (before,) = await store.queued(EVERYTHING)
    report = replace(delivery(body(), box.id), settled=ended([dead]).settled)
    for late in (ended([dead]), ended([dead], "failed"), waiting(dead, NOW + 1), report):
        with pytest.raises(StaleLease):
            await store.accept(late)
    assert not await store.extend(dead.lease, [row.id], NOW + 9000)
    assert await store.queued(EVERYTHING) == [before]
    await store.accept(waiting(taken, NOW + 100))
    assert [(row.state, row.uncertain) for row in await store.queued(EVERYTHING)] == [("uncertain", 1)]


@pytest.mark.req("QUE-4", "QUE-1")
async def test_a_late_word_counts_while_nobody_has_taken_over(store: Store) -> None:
    """A slow node that comes back first has still sent it once: refusing that would send it twice."""
    await store.accept(delivery(body(), outbox=["a@nord.example", "b@sud.example"]))
    letters = await store.claim(of("a"), everything())
    assert await store.claim(of("b", NOW + 90), everything(nord=0, sud=0)) == []
    await store.accept(ended(letters))
    assert await store.queued(EVERYTHING) == []


@pytest.mark.req("QUE-4")
async def test_a_node_that_starts_again_voids_its_own_leases_only(store: Store) -> None:
    """The other one goes on as if nothing had happened."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    await store.accept(delivery(body(), outbox=["b@sud.example"]))
    (mine,) = await store.claim(of("a"), everything(sud=0))
    (theirs,) = await store.claim(of("b"), everything())
    assert [one.recipient for one in await store.void_leases(NOW + 1, "a")] == ["a@nord.example"]
    assert await store.void_leases(NOW + 1, "a") == []
    assert await store.void_leases(NOW + 1) == []
    (again,) = await store.claim(of("a", NOW + 1), everything())
    assert ids_of([again]) == ids_of([mine])
    assert await store.extend(theirs.lease, ids_of([theirs]), NOW + 900)
    await store.accept(ended([theirs]))
    with pytest.raises(StaleLease):
        await store.accept(ended([mine]))


@pytest.mark.req("QUE-4")
async def test_a_row_that_changed_hands_belongs_to_its_last_node(store: Store) -> None:
    """Neither its first node nor one without a name voids it."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    await store.claim(of("a"), everything())
    (taken,) = await store.claim(of("b", NOW + 60), everything())
    assert await store.void_leases(NOW + 61, "a") == []
    assert len(await store.void_leases(NOW + 61, "b")) == 1
    with pytest.raises(StaleLease):
        await store.accept(ended([taken]))
    assert [row.uncertain for row in await store.queued(EVERYTHING)] == [2]


@pytest.mark.req("QUE-4", "QUE-3")
async def test_nodes_and_ops_at_once_lose_nothing(store: Store) -> None:
    """Two nodes carry while ops hold, release and retry: each row ends once, and all end."""
    expected = {f"r{turn}@{domain}.example" for turn in range(40) for domain in ("nord", "sud", "est")}
    sent: list[str] = []
    chance = random.Random(4)
    for turn in range(40):
        await store.accept(
            delivery(body(), outbox=[f"r{turn}@{name}.example" for name in ("nord", "sud", "est")])
        )

    async def carry(node: str) -> None:
        while await store.queued(EVERYTHING, 1):
            for letter in await store.claim(of(node), Share(4, 2)):
                if chance.random() < 0.3:
                    await store.accept(waiting(letter, NOW + 100))
                else:
                    await store.accept(ended([letter]))
                    sent.extend(str(row.recipient.address) for row in letter.rows)
            await store.retry_rows(EVERYTHING, NOW, LINE)

    async def meddle() -> None:
        for turn in range(30):
            some = Selection(domain=("nord", "sud", "est")[turn % 3] + ".example")
            await store.hold_rows(some, LINE)
            await store.release_rows(some, NOW, LINE)
            for letter in await store.claim_rows(of("ops"), some, 2):
                await store.accept(ended([letter], "failed"))
                sent.extend(str(row.recipient.address) for row in letter.rows)

    await asyncio.gather(carry("a"), carry("b"), meddle())
    assert len(sent) == len(expected)
    assert set(sent) == expected
    assert await store.queue_by_domain() == []
    assert await store.next_due() is None


@pytest.mark.req("QUE-2")
async def test_the_domain_that_waits_longest_comes_first_however_many_there_are(store: Store) -> None:
    """With one slot at a time, domains take turns by the age of what they have due."""
    domains = [f"d{number:02}.example" for number in range(30)]
    for age, domain in enumerate(reversed(domains)):
        entry = delivery(body(), outbox=[f"a@{domain}"])
        (part,) = entry.parts
        await store.accept(replace(entry, parts=(replace(part, received_at=NOW - 100 + age),)))
    order = [(await store.claim(lease(), Share(1, 5)))[0].domain for _ in domains]
    assert order == domains[::-1]
    assert await store.claim(lease(), Share(1, 5)) == []


@pytest.mark.req("QUE-2", "QUE-3")
async def test_a_domain_with_nothing_to_give_leaves_its_slot_to_the_next(store: Store) -> None:
    """Rows marked held, whose leases ran out, are the first due: the claim goes on to what can be carried."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    await store.claim(lease(NOW - 100), everything())
    await store.hold_rows(EVERYTHING, LINE)
    await store.accept(delivery(body(), outbox=["b@sud.example"]))
    (letter,) = await store.claim(lease(NOW), Share(1, 1))
    assert letter.domain == "sud.example"


@pytest.mark.req("QUE-1", "QUE-4")
async def test_nodes_and_holds_survive_a_restart(back_end: BackEnd, tmp_path: Path) -> None:
    """They stand in the store, as when the next row is due."""
    store = back_end.build(tmp_path / "again")
    await store.open()
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    await store.accept(delivery(body(), outbox=["b@sud.example"]))
    (letter,) = await store.claim(of("a"), everything(sud=0))
    await store.hold_rows(Selection(domain="sud.example"), LINE)
    await store.close()
    store = back_end.build(tmp_path / "again")
    await store.open()
    try:
        assert await store.next_due() == NOW + 60
        assert await store.void_leases(NOW, "b") == []
        await store.accept(Delivery((), settled=(Settled(letter.rows[0].id, letter.lease, "sent"),)))
        assert [row.state for row in await store.queued(EVERYTHING)] == ["held"]
        assert await store.next_due() is None
    finally:
        await store.close()
