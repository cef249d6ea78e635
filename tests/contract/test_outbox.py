"""The outbox of every back end: claims, leases, settlement (QUE-1)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Notify, Recipient
from mss_gateway.ports.outbox import Claimed, Lease, Share
from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import Delivery, NewBody, OutboxEntry, Part, Settled
from mss_gateway.ports.store import StaleLease, Store, StoreError
from tests.support.store import NOW, BackEnd, add_box, body, delivery, trace_line

_tokens = itertools.count(1)


def lease(now: float = NOW, seconds: float = 60.0) -> Lease:
    """A lease of its own token."""
    return Lease(f"lease-{next(_tokens)}", now, now + seconds)


def everything(**rooms: int) -> Share:
    """A share with much room; a domain is named without its `.example`."""
    return Share(1000, 1000, {f"{domain}.example": room for domain, room in rooms.items()})


def queue_of(new: NewBody, *entries: OutboxEntry) -> Delivery:
    """A delivery of one message to these recipients elsewhere."""
    return Delivery((Part(new, NOW, outbox=entries),))


def to(address: str, *notify: Notify, sender: str = "dr.martin@hopital.example") -> OutboxEntry:
    """A recipient elsewhere."""
    return OutboxEntry(sender, Recipient(parse_address(address), frozenset(notify)))


def ended(letters: Iterable[Claimed], state: str = "sent") -> Delivery:
    """All rows of these letters have come to an end."""
    rows = tuple(Settled(row.id, letter.lease, state) for letter in letters for row in letter.rows)
    return Delivery((), settled=rows, trace=(trace_line("relayed"),))


def waiting(letter: Claimed, at: float, **more: bool) -> Delivery:
    """All rows of a letter go back until then."""
    return Delivery(
        (),
        settled=tuple(
            Settled(row.id, letter.lease, "waiting", "peer-temporary: 451", at, **more) for row in letter.rows
        ),
    )


@pytest.mark.req("QUE-1")
async def test_a_letter_is_claimed_with_all_that_the_courier_needs(store: Store) -> None:
    """One transaction for the recipients of one domain, with envelope, header and size as stored."""
    new = body(b"x" * 5000)
    martin = OutboxEntry(
        "dr.martin@hopital.example",
        Recipient(
            parse_address("a@nord.example"),
            frozenset({Notify.SUCCESS, Notify.DELAY}),
            "rfc822;A@nord.example",
        ),
        "FULL",
        "env 1",
    )
    other = replace(martin, recipient=Recipient(parse_address("b@nord.example")))
    await store.accept(queue_of(new, martin, other, replace(martin, recipient=to("c@sud.example").recipient)))
    held = lease()
    nord, sud = sorted(await store.claim(held, everything()), key=lambda one: one.domain)
    assert [row.recipient for row in nord.rows] == [martin.recipient, other.recipient]
    assert [str(row.recipient.address) for row in sud.rows] == ["c@sud.example"]
    assert (nord.sender, nord.ret, nord.envid, nord.lease) == (martin.sender, "FULL", "env 1", held.token)
    assert (nord.header, nord.text_size, nord.message_id) == (new.header, 5000, new.message_id)
    assert await store.read_text(nord.body_id, 0, 9000) == b"x" * 5000
    first = nord.rows[0]
    assert (first.attempts, first.queued_at, first.warned, first.uncertain) == (1, NOW, False, 0)
    assert {row.state for row in await store.queued(EVERYTHING)} == {"leased"}


@pytest.mark.req("QUE-1")
async def test_a_different_envelope_is_a_different_letter(store: Store) -> None:
    """Sender, RET and ENVID belong to a transaction, not to a recipient."""
    base = to("a@nord.example")
    entries = [base, replace(base, ret="HDRS"), replace(base, envid="e"), replace(base, sender="")]
    await store.accept(queue_of(body(), *entries))
    assert len(await store.claim(lease(), everything())) == 4


@pytest.mark.req("QUE-1", "QUE-4")
async def test_what_is_leased_is_not_claimed_again_before_the_lease_runs_out(store: Store) -> None:
    """And then it is, with the attempt counted; the old holder can settle no more."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    (old,) = await store.claim(lease(), everything())
    assert await store.claim(lease(), everything()) == []
    assert await store.claim(lease(NOW + 59), everything()) == []
    (new,) = await store.claim(lease(NOW + 60), everything())
    assert new.rows[0].attempts == 2
    with pytest.raises(StaleLease):
        await store.accept(ended([old]))
    await store.accept(ended([new]))
    assert await store.queued(EVERYTHING) == []


@pytest.mark.req("QUE-1")
async def test_a_stale_settlement_changes_nothing_at_all(store: Store) -> None:
    """Neither its report nor its trace nor the rows that it does hold."""
    box = await add_box(store)
    await store.accept(delivery(body(), outbox=["a@nord.example", "b@sud.example"]))
    held, lost = await store.claim(lease(), everything())
    await store.accept(ended([lost]))
    report = replace(
        delivery(body(message_id="<report@hopital.example>"), box.id), settled=ended([held, lost]).settled
    )
    with pytest.raises(StaleLease):
        await store.accept(report)
    assert [row.domain for row in await store.queued(EVERYTHING)] == [held.domain]
    assert await store.trace("<report@hopital.example>") == []
    for rows in ((Settled(held.rows[0].id, "", "sent"),), (Settled(held.rows[0].id, "", "waiting"),)):
        with pytest.raises(StaleLease):
            await store.accept(Delivery((), settled=rows))


@pytest.mark.req("QUE-1")
async def test_the_last_ended_row_lets_the_body_go(store: Store) -> None:
    """A body lives as long as a mailbox or a row of the outbox wants it."""
    await store.accept(delivery(body(b"y" * 100), outbox=["a@nord.example", "b@sud.example"]))
    one, two = await store.claim(lease(), everything())
    await store.accept(ended([one]))
    assert await store.read_text(two.body_id, 0, 10) == b"y" * 10
    await store.accept(ended([two], "failed"))
    assert await store.read_text(two.body_id, 0, 10) == b""


@pytest.mark.req("QUE-1", "QUE-2")
async def test_what_waits_comes_back_at_its_time_with_what_was_learned(store: Store) -> None:
    """Next attempt, reason, warning and uncertainty are kept; uncertain is a state of its own and stays."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    (letter,) = await store.claim(lease(), everything())
    await store.accept(waiting(letter, NOW + 100, warned=True, uncertain=True))
    (row,) = await store.queued(EVERYTHING)
    assert (row.state, row.uncertain, row.attempts) == ("uncertain", 1, 1)
    assert (row.next_attempt, row.last_error) == (NOW + 100, "peer-temporary: 451")
    assert await store.next_due() == NOW + 100
    assert await store.claim(lease(NOW + 99), everything()) == []
    (again,) = await store.claim(lease(NOW + 100), everything())
    assert (again.rows[0].warned, again.rows[0].uncertain, again.rows[0].attempts) == (True, 1, 2)
    await store.accept(waiting(again, NOW + 200))
    assert [(row.state, row.uncertain) for row in await store.queued(EVERYTHING)] == [("uncertain", 1)]
    (last,) = await store.claim(lease(NOW + 200), everything())
    assert last.rows[0].warned


@pytest.mark.req("QUE-2")
async def test_a_claim_keeps_to_its_share(store: Store) -> None:
    """So many in all, so many of a domain, none of a busy one; the domain that waits longest comes first."""
    for number, domain in enumerate(["sud", "nord", "est"]):
        for turn in range(5):
            at = NOW - 10 + number
            part = Part(body(), at, outbox=(to(f"a{turn}@{domain}.example"),))
            await store.accept(Delivery((part,)))
    assert [one.domain for one in await store.claim(lease(), Share(3, 2))] == [
        "sud.example",
        "sud.example",
        "nord.example",
    ]
    found = await store.claim(lease(), Share(100, 2, {"sud.example": 0, "est.example": 4}))
    assert sorted(one.domain for one in found) == ["est.example"] * 4 + ["nord.example"] * 2
    assert await store.next_due({"nord.example", "est.example"}) == NOW - 10
    assert await store.next_due({"nord.example", "est.example", "sud.example"}) is None


@pytest.mark.req("QUE-1")
async def test_a_lease_is_extended_whole_or_not_at_all(store: Store) -> None:
    """One row lost means that the attempt is no longer ours."""
    await store.accept(delivery(body(), outbox=["a@nord.example", "b@nord.example"]))
    (letter,) = await store.claim(lease(), everything())
    ids = [row.id for row in letter.rows]
    assert await store.extend(letter.lease, ids, NOW + 500)
    assert await store.claim(lease(NOW + 100), everything()) == []
    assert not await store.extend("another", ids, NOW + 900)
    assert not await store.extend("", ids, NOW + 900)
    await store.accept(Delivery((), settled=(Settled(ids[0], letter.lease, "sent"),)))
    assert not await store.extend(letter.lease, ids, NOW + 900)
    assert await store.next_due() == NOW + 500


@pytest.mark.req("QUE-1")
async def test_leases_of_a_former_run_are_void(back_end: BackEnd, tmp_path: Path) -> None:
    """After a restart everything is due at once; what was under way may have arrived, and says so."""
    store = back_end.build(tmp_path / "again")
    await store.open()
    new = body()
    await store.accept(delivery(new, outbox=["a@nord.example"]))
    await store.accept(delivery(body(), outbox=["b@sud.example"]))
    await store.claim(lease(seconds=10_000), Share(1, 1))
    await store.close()
    store = back_end.build(tmp_path / "again")
    await store.open()
    try:
        (left,) = await store.void_leases(NOW + 5)
        assert (left.message_id, left.domain, left.recipient) == (
            new.message_id,
            "nord.example",
            "a@nord.example",
        )
        assert await store.void_leases(NOW + 5) == []
        assert sorted(
            (row.state, row.uncertain, row.last_error) for row in await store.queued(EVERYTHING)
        ) == [
            ("uncertain", 1, "interrupted"),
            ("waiting", 0, ""),
        ]
        assert len(await store.claim(lease(NOW + 5), everything())) == 2
    finally:
        await store.close()


@pytest.mark.req("QUE-1")
async def test_two_claims_at_once_never_share_a_row(store: Store) -> None:
    """Every row is leased to one of them."""
    for turn in range(40):
        await store.accept(delivery(body(), outbox=[f"a{turn}@nord.example", f"a{turn}@sud.example"]))
    found = await asyncio.gather(*(store.claim(lease(), Share(7, 5)) for _ in range(20)))
    ids = [row.id for letters in found for letter in letters for row in letter.rows]
    assert len(ids) == len(set(ids)) == 80


@pytest.mark.req("QUE-1")
async def test_listeners_hear_of_what_is_queued_and_of_nothing_else(store: Store) -> None:
    """A delivery to mailboxes wakes nobody, nor does one that was rolled back."""
    heard: list[int] = []
    store.on_outbox(lambda: heard.append(1))
    box = await add_box(store)
    await store.accept(delivery(body(), box.id))
    with pytest.raises(StoreError):
        await store.accept(
            replace(delivery(body(), outbox=["a@nord.example"]), settled=(Settled(1, "unknown", "sent"),))
        )
    assert heard == []
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    assert heard == [1]
    (letter,) = await store.claim(lease(), everything())
    await store.accept(ended([letter]))
    assert heard == [1]


@pytest.mark.req("QUE-2")
async def test_a_message_to_many_recipients_goes_in_transactions_of_a_hundred(store: Store) -> None:
    """RFC 5321 section 4.5.3.1.8: no peer has to take more."""
    await store.accept(delivery(body(), outbox=[f"a{n}@nord.example" for n in range(250)]))
    sizes = []
    for _ in range(3):
        (letter,) = await store.claim(lease(), everything())
        sizes.append(len(letter.rows))
    assert sizes == [100, 100, 50]
