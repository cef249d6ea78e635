"""What one patient is sent leaves in the order of its commits: an end mark never overtakes (CHN-9, QUE-1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import OutboxEntry
from mss_gateway.ports.store import StaleLease, Store
from tests.contract.test_outbox import ended, everything, lease, queue_of, to, waiting
from tests.support.store import NOW, body, trace_line

HOUR = 3600.0
LINE = trace_line("queue-changed")
PATIENT = "285037728417346@patient.example"


def ordered(address: str = PATIENT) -> OutboxEntry:
    """A patient elsewhere."""
    plain = to(address)
    return OutboxEntry(plain.sender, plain.recipient, ordered=True)


async def queued(store: Store, *entries: OutboxEntry) -> list[int]:
    """One message for each entry, in this order; their body ids."""
    for entry in entries:
        await store.accept(queue_of(body(entry.recipient.address.local.encode()), entry))
    return [row.body_id for row in await store.queued(EVERYTHING)]


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


@pytest.mark.req("CHN-9", "QUE-3")
async def test_what_is_held_keeps_those_behind_it_for_their_hour(store: Store) -> None:
    """Then they pass it, and what comes later still does not stand behind it for ever."""
    first, second = await queued(store, ordered(), ordered())
    await store.hold_rows(Selection(ids=(await number_of(store, first),)), LINE)
    assert await claimed(store, NOW + HOUR - 1) == []
    (passing,) = await claimed(store, NOW + HOUR)
    assert passing.body_id == second
    await store.accept(waiting(passing, NOW + HOUR + 60))
    (again,) = await claimed(store, NOW + HOUR + 60)
    assert again.body_id == second


@pytest.mark.req("CHN-9", "QUE-3")
async def test_a_release_keeps_the_order_and_a_retry_by_hand_does_not(store: Store) -> None:
    """What is released goes behind what is before it; ops who ask for one row now get it now."""
    _, second = await queued(store, ordered(), ordered())
    (first,) = await claimed(store)
    await store.accept(waiting(first, NOW + 600))
    await store.hold_rows(EVERYTHING, LINE)
    later = Selection(ids=(await number_of(store, second),))
    assert await store.release_rows(later, NOW + 1, LINE) == 1
    assert await claimed(store, NOW + 1) == []
    (row,) = await store.queued(later)
    assert row.behind == first.rows[0].id
    assert await store.retry_rows(later, NOW + 1, LINE) == 1
    (letter,) = await claimed(store, NOW + 1)
    assert letter.body_id == second


@pytest.mark.req("CHN-9", "QUE-3")
async def test_a_retry_of_everything_keeps_the_order_and_ends(store: Store) -> None:
    """Both are due, the first one goes; a retry while it is under way changes nothing."""
    first, second = await queued(store, ordered(), ordered())
    (letter,) = await claimed(store)
    await store.accept(waiting(letter, NOW + 600))
    assert await store.retry_rows(EVERYTHING, NOW + 1, LINE) == 2
    (letter,) = await claimed(store, NOW + 1)
    assert letter.body_id == first
    assert await store.retry_rows(EVERYTHING, NOW + 1, LINE) == 0
    await store.accept(ended([letter]))
    assert [one.body_id for one in await claimed(store, NOW + 1)] == [second]


@pytest.mark.req("CHN-9", "QUE-3")
async def test_ending_one_in_the_middle_frees_nothing_too_early(store: Store) -> None:
    """What stood behind it stands behind the one before it; ending that one frees it."""
    first, second, third = await queued(store, ordered(), ordered(), ordered())
    (letter,) = await claimed(store)
    await store.accept(waiting(letter, NOW + 600))
    for body_id in (second, first):
        assert await claimed(store, NOW + 1) == []
        letters = await store.claim_rows(lease(NOW + 1), Selection(ids=(await number_of(store, body_id),)))
        await store.accept(ended(letters, "failed"))
    assert [one.body_id for one in await claimed(store, NOW + 1)] == [third]


@pytest.mark.req("CHN-9", "QUE-4")
async def test_a_takeover_keeps_the_order(store: Store) -> None:
    """A later message whose node is gone goes behind the earlier one, with its attempt counted as uncertain."""
    first, second = await queued(store, ordered(), ordered())
    (one,) = await claimed(store)
    await store.accept(waiting(one, NOW + HOUR + 10))
    (two,) = await claimed(store, NOW + HOUR)
    assert two.body_id == second
    (now,) = await claimed(store, NOW + HOUR + 60)
    assert now.body_id == first
    assert [(row.state, row.uncertain) for row in await store.queued(EVERYTHING)] == [
        ("leased", 0),
        ("uncertain", 1),
    ]
    with pytest.raises(StaleLease):
        await store.accept(ended([two]))
    await store.accept(ended([now]))
    assert [letter.body_id for letter in await claimed(store, NOW + HOUR + 60)] == [second]


@pytest.mark.req("CHN-9", "QUE-2")
async def test_one_that_has_passed_frees_those_behind_it(store: Store) -> None:
    """They waited for it, no longer for the one that never passes."""
    first, second = await queued(store, ordered(), ordered())
    (one,) = await claimed(store)
    await store.accept(waiting(one, NOW + 9 * HOUR))
    late = queue_of(body(b"third"), ordered())
    await store.accept(replace(late, parts=(replace(late.parts[0], received_at=NOW + HOUR / 2),)))
    (two,) = await claimed(store, NOW + HOUR)
    assert (one.body_id, two.body_id) == (first, second)
    await store.accept(ended([two]))
    assert len(await claimed(store, NOW + HOUR)) == 1


@pytest.mark.req("CHN-9", "QUE-3")
async def test_one_in_hand_is_not_due_when_the_one_before_it_ends(store: Store) -> None:
    """Its lease goes on; given back, it stands behind nothing."""
    await queued(store, ordered(), ordered())
    one, two = await store.claim_rows(lease(), EVERYTHING)
    await store.accept(ended([one], "failed"))
    assert await claimed(store) == []
    assert await store.next_due() == NOW + 60
    await store.accept(waiting(two, NOW + 5))
    assert [(row.behind, row.next_attempt) for row in await store.queued(EVERYTHING)] == [(None, NOW + 5)]


@pytest.mark.req("CHN-9", "QUE-3")
@pytest.mark.parametrize("how", ["voided", "run out", "given back"])
async def test_an_end_by_hand_that_did_not_come_keeps_the_order(store: Store, how: str) -> None:
    """The row has lost its time by the lease, not its place."""
    first, second = await queued(store, ordered(), ordered())
    (one,) = await claimed(store)
    await store.accept(waiting(one, NOW + 600))
    (two,) = await store.claim_rows(lease(NOW + 10), Selection(ids=(await number_of(store, second),)))
    if how == "voided":
        assert await store.void_leases(NOW + 70) == []
    elif how == "given back":
        await store.accept(waiting(two, NOW + 70))
    assert await claimed(store, NOW + 70) == []
    assert await store.next_due() == NOW + 600
    (one,) = await claimed(store, NOW + 600)
    assert one.body_id == first
    await store.accept(ended([one]))
    assert [letter.body_id for letter in await claimed(store, NOW + 600)] == [second]


async def number_of(store: Store, body_id: int) -> int:
    """The row of a message to one recipient."""
    return next(row.id for row in await store.queued(EVERYTHING) if row.body_id == body_id)
