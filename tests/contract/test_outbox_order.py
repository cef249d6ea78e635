"""What one patient is sent leaves in the order of its commits: an end mark never overtakes (CHN-9, QUE-1)."""

from __future__ import annotations

import pytest

from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.records import OutboxEntry
from mss_gateway.ports.store import Store
from tests.contract.test_outbox import ended, everything, lease, queue_of, to, waiting
from tests.support.store import NOW, body

HOUR = 3600.0
PATIENT = "285037728417346@patient.example"


def ordered(address: str = PATIENT) -> OutboxEntry:
    """A patient elsewhere."""
    plain = to(address)
    return OutboxEntry(plain.sender, plain.recipient, ordered=True)


async def queued(store: Store, *entries: OutboxEntry) -> list[int]:
    """One message for each entry, in this order; their body ids."""
    for entry in entries:
        await store.accept(queue_of(body(entry.recipient.address.local.encode()), entry))
    return [row.body_id for row in await store.outbox()]


async def claimed(store: Store, now: float = NOW) -> list[Claimed]:
    """What may be carried now."""
    return await store.claim(lease(now), everything())


@pytest.mark.req("CHN-9")
async def test_the_next_one_waits_until_the_one_before_is_over(store: Store) -> None:
    """Three messages to one patient go one after the other; another patient's and a colleague's go at once."""
    first, second, third, other, plain = await queued(
        store, ordered(), ordered(), ordered(), ordered(f"1{PATIENT[1:]}"), to("dr@patient.example")
    )
    letters = await claimed(store)
    assert sorted(letter.body_id for letter in letters) == [first, other, plain]
    assert await claimed(store) == []
    await store.accept(ended([letter for letter in letters if letter.body_id == first]))
    (now,) = await claimed(store)
    assert now.body_id == second
    await store.accept(ended([now], "failed"))
    (last,) = await claimed(store)
    assert last.body_id == third


@pytest.mark.req("CHN-9")
async def test_a_deferred_message_is_not_overtaken_either(store: Store) -> None:
    await queued(store, ordered(), ordered())
    (first,) = await claimed(store)
    await store.accept(waiting(first, NOW + 600))
    assert await claimed(store, NOW + 599) == []
    (again,) = await claimed(store, NOW + 600)
    assert again.body_id == first.body_id
    await store.accept(ended([again]))
    (second,) = await claimed(store, NOW + 600)
    assert second.body_id != first.body_id


@pytest.mark.req("CHN-9", "QUE-2")
async def test_what_never_passes_holds_the_others_up_for_an_hour_at_most(store: Store) -> None:
    await queued(store, ordered(), ordered())
    (first,) = await claimed(store)
    await store.accept(waiting(first, NOW + 2 * HOUR))
    assert await claimed(store, NOW + HOUR - 1) == []
    (second,) = await claimed(store, NOW + HOUR)
    assert second.body_id != first.body_id


@pytest.mark.req("CHN-9")
async def test_what_is_due_together_after_an_outage_goes_in_order(store: Store) -> None:
    """Both have waited long for a domain that was away; the later one stands behind the earlier one again."""
    await queued(store, ordered(), ordered())
    (first,) = await claimed(store)
    await store.accept(waiting(first, NOW + 2 * HOUR))
    (second,) = await claimed(store, NOW + HOUR)
    await store.accept(waiting(second, NOW + 2 * HOUR - 1))
    (now,) = await claimed(store, NOW + 2 * HOUR)
    assert now.body_id == first.body_id
    assert await claimed(store, NOW + 2 * HOUR) == []
    await store.accept(ended([now]))
    (last,) = await claimed(store, NOW + 2 * HOUR)
    assert last.body_id == second.body_id


@pytest.mark.req("CHN-9", "QUE-1")
async def test_a_restart_keeps_the_order(store: Store) -> None:
    await queued(store, ordered(), ordered())
    (first,) = await claimed(store)
    await store.void_leases(NOW + 1)
    (again,) = await claimed(store, NOW + 1)
    assert again.body_id == first.body_id
    await store.accept(ended([again]))
    assert len(await claimed(store, NOW + 1)) == 1


@pytest.mark.req("QUE-2")
async def test_what_stands_behind_is_not_due(store: Store) -> None:
    """Nobody is woken for it before the hour is over."""
    await queued(store, ordered(), ordered())
    (first,) = await claimed(store)
    await store.accept(waiting(first, NOW + 2 * HOUR))
    assert await store.next_due(frozenset()) == NOW + HOUR
