"""Ops at the outbox: lists, figures, retry, hold, release and ending by hand (QUE-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.outbox import Lease
from mss_gateway.ports.queue import EVERYTHING, DomainQueue, Selection
from mss_gateway.ports.records import Delivery, OutboxEntry, Part, Queued, Settled
from mss_gateway.ports.store import StaleLease, Store
from tests.contract.test_outbox import ended, everything, lease, queue_of, to, waiting
from tests.support.store import NOW, body, delivery, trace_line

LINE = replace(trace_line("queue-changed"), detail={"reason": "panne annoncée"})


async def rows_of(store: Store, selection: Selection = EVERYTHING) -> list[Queued]:
    """Selected rows."""
    return await store.queued(selection)


async def names(store: Store, selection: Selection) -> list[str]:
    """Recipients of selected rows, without their domain."""
    return [row.recipient.partition("@")[0] for row in await store.queued(selection)]


async def due_names(store: Store, now: float) -> list[str]:
    """Recipients of what a claim takes at that moment."""
    letters = await store.claim(lease(now), everything())
    return sorted(row.recipient.address.local for letter in letters for row in letter.rows)


async def deferred(store: Store, *addresses: str, until: float = NOW + 900) -> None:
    """One message for each address, tried once and put back until then."""
    for address in addresses:
        await store.accept(delivery(body(), outbox=[address]))
    for letter in await store.claim(lease(), everything()):
        await store.accept(waiting(letter, until))


@pytest.mark.req("QUE-3")
async def test_every_criterion_selects_and_all_must_fit(store: Store) -> None:
    """By id, message, sender, recipient, domain and state; addresses whatever their case."""
    first = body()
    await store.accept(queue_of(first, to("a@nord.example"), to("b@sud.example")))
    await store.accept(queue_of(body(), to("c@nord.example", sender="Dr.Durand@clinique.example")))
    await store.accept(queue_of(body(), to("d@sud.example", sender="")))
    a, b, c, d = await rows_of(store)
    assert await names(store, Selection(ids=(a.id, d.id, 999_999))) == ["a", "d"]
    assert await names(store, Selection(message_id=first.message_id)) == ["a", "b"]
    assert await names(store, Selection(sender="dr.durand@CLINIQUE.example")) == ["c"]
    assert await names(store, Selection(sender="")) == ["d"]
    assert await names(store, Selection(recipient="B@Sud.Example")) == ["b"]
    assert await names(store, Selection(domain="Nord.example")) == ["a", "c"]
    await store.hold_rows(Selection(ids=(b.id, c.id)), LINE)
    assert await names(store, Selection(state="held")) == ["b", "c"]
    assert await names(store, Selection(state="waiting")) == ["a", "d"]
    assert await names(store, Selection(domain="nord.example", state="held")) == ["c"]
    for nothing in (
        Selection(state="sent"),
        Selection(domain="est.example"),
        Selection(ids=(c.id,), sender=""),
    ):
        assert await names(store, nothing) == []


@pytest.mark.req("QUE-3", "INS-7")
async def test_a_message_is_found_by_its_id_whole_or_masked(store: Store) -> None:
    """As in the timeline: what is shown is masked, what is asked may be either."""
    whole = "<285037728417346.1@patient.example>"
    await store.accept(queue_of(body(message_id=whole), to("a@nord.example")))
    (row,) = await rows_of(store, Selection(message_id=whole))
    assert row.message_id is not None
    assert "285037728417346" not in row.message_id
    assert await rows_of(store, Selection(message_id=row.message_id)) == [row]
    await store.hold_rows(EVERYTHING, LINE)
    assert [line.event for line in await store.trace(whole)] == ["queue-changed"]


@pytest.mark.req("QUE-3")
async def test_a_list_comes_in_pages_by_age(store: Store) -> None:
    """Each page begins after the last row of the one before; what is queued meanwhile comes at the end."""
    await store.accept(delivery(body(), outbox=[f"a{n}@nord.example" for n in range(7)]))
    first = await store.queued(EVERYTHING, 3)
    await store.accept(delivery(body(), outbox=["late@sud.example"]))
    second = await store.queued(EVERYTHING, 3, first[-1].id)
    third = await store.queued(EVERYTHING, 3, second[-1].id)
    shown = [row.recipient.partition("@")[0] for row in first + second + third]
    assert shown == ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "late"]
    assert await store.queued(Selection(domain="sud.example"), 3, third[-1].id) == []


@pytest.mark.req("QUE-3")
async def test_a_row_is_shown_with_all_that_explains_it(store: Store) -> None:
    """Size and Message-ID of its message, its last attempt, and why it is held."""
    new = body(b"x" * 3000)
    await store.accept(queue_of(new, to("a@nord.example")))
    (row,) = await rows_of(store)
    assert (row.message_id, row.size, row.last_attempt, row.hold_reason) == (
        new.message_id,
        new.size,
        None,
        "",
    )
    (letter,) = await store.claim(lease(NOW + 1), everything())
    await store.accept(waiting(letter, NOW + 300))
    await store.hold_rows(EVERYTHING, LINE)
    (row,) = await rows_of(store)
    assert (row.last_attempt, row.state, row.hold_reason) == (NOW + 1, "held", "panne annoncée")
    assert (row.attempts, row.last_error) == (1, "peer-temporary: 451")


@pytest.mark.req("QUE-3")
async def test_figures_by_domain(store: Store) -> None:
    """Rows by state, octets of each message once, the oldest, the next attempt, and the error seen last."""
    small, large = body(b"k" * 10), body(b"g" * 4000)
    nord = [to("a@nord.example"), to("b@sud.example"), to("c@nord.example")]
    await store.accept(Delivery((Part(small, NOW - 50, outbox=tuple(nord)),)))
    await store.accept(Delivery((Part(large, NOW - 20, outbox=(to("d@nord.example"), to("e@est.example"))),)))
    first, *others = await store.claim(lease(NOW), everything(sud=0, est=0))
    await store.accept(waiting(first, NOW + 100, uncertain=True))
    (second,) = others
    error = Settled(second.rows[0].id, second.lease, "waiting", "unreachable", NOW + 70)
    await store.accept(Delivery((), settled=(error,)))
    await store.claim(lease(NOW + 75), everything(sud=0, est=0))
    await store.hold_rows(Selection(domain="est.example"), LINE)
    assert await store.queue_by_domain() == [
        DomainQueue("est.example", 0, 0, 0, 1, large.size, NOW - 20, None, 0, ""),
        DomainQueue(
            "nord.example", 0, 1, 2, 0, small.size + large.size, NOW - 50, NOW + 100, 2, "unreachable"
        ),
        DomainQueue("sud.example", 1, 0, 0, 0, small.size, NOW - 50, NOW - 50, 0, ""),
    ]


@pytest.mark.req("QUE-3")
async def test_retry_makes_due_what_waits_and_wakes_the_line(store: Store) -> None:
    """Neither what is held, nor what is under way, nor what is due already; a second call changes nothing."""
    await deferred(store, "a@nord.example", "b@nord.example", "c@sud.example")
    await store.accept(delivery(body(), outbox=["due@nord.example"]))
    await store.hold_rows(Selection(recipient="b@nord.example"), LINE)
    heard: list[int] = []
    store.on_outbox(lambda: heard.append(1))
    assert await store.retry_rows(Selection(domain="nord.example"), NOW + 1, LINE) == 1
    assert heard == [1]
    assert await store.retry_rows(Selection(domain="nord.example"), NOW + 1, LINE) == 0
    assert heard == [1]
    assert await due_names(store, NOW + 1) == ["a", "due"]
    assert await store.retry_rows(EVERYTHING, NOW + 1, LINE) == 1


@pytest.mark.req("QUE-3")
async def test_what_is_held_is_never_claimed_and_never_due(store: Store) -> None:
    """However long it has been due: nobody is woken for it, and no domain stands first because of it."""
    await store.accept(delivery(body(), outbox=["a@nord.example", "b@nord.example", "c@sud.example"]))
    assert await store.hold_rows(Selection(domain="nord.example"), LINE) == 2
    assert await store.next_due({"sud.example"}) is None
    assert await due_names(store, NOW + 9000) == ["c"]
    assert await store.hold_rows(Selection(domain="nord.example"), LINE) == 0
    assert await store.release_rows(Selection(recipient="b@nord.example"), NOW + 10, LINE) == 1
    assert await store.next_due({"sud.example"}) == NOW + 10
    assert await due_names(store, NOW + 10) == ["b"]
    assert await store.release_rows(EVERYTHING, NOW + 10, LINE) == 1
    assert await due_names(store, NOW + 10) == ["a"]


@pytest.mark.req("QUE-3")
@pytest.mark.parametrize("how", ["settled", "voided", "run out"])
async def test_what_is_held_under_way_is_held_when_its_attempt_is_over(store: Store, how: str) -> None:
    """The attempt ends as it may; if the message has not gone, it stays."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    (letter,) = await store.claim(lease(), everything())
    assert await store.hold_rows(EVERYTHING, LINE) == 1
    (row,) = await rows_of(store)
    assert (row.state, row.hold_reason) == ("leased", "panne annoncée")
    if how == "settled":
        await store.accept(waiting(letter, NOW + 5))
    elif how == "voided":
        assert len(await store.void_leases(NOW + 5)) == 1
    assert await store.claim(lease(NOW + 500), everything()) == []
    (row,) = await rows_of(store)
    assert (row.state, row.uncertain) == ("held", 0 if how == "settled" else 1)
    assert await store.next_due() is None
    await store.release_rows(EVERYTHING, NOW + 600, LINE)
    assert await due_names(store, NOW + 600) == ["a"]


@pytest.mark.req("QUE-3")
async def test_what_is_held_under_way_may_still_arrive_or_be_released(store: Store) -> None:
    """A hold does not recall an attempt, and a release before its end leaves no trace on the row."""
    await store.accept(delivery(body(), outbox=["a@nord.example", "b@sud.example"]))
    nord, sud = sorted(await store.claim(lease(), everything()), key=lambda one: one.domain)
    await store.hold_rows(EVERYTHING, LINE)
    await store.accept(ended([nord]))
    await store.release_rows(EVERYTHING, NOW + 1, LINE)
    await store.accept(waiting(sud, NOW + 50))
    assert [(row.state, row.next_attempt, row.hold_reason) for row in await rows_of(store)] == [
        ("waiting", NOW + 50, "")
    ]


@pytest.mark.req("QUE-3", "AUD-2")
async def test_each_message_concerned_is_traced_once(store: Store) -> None:
    """With its domain, its number of recipients and what ops gave; nothing changed leaves no line."""
    one, two = body(), body()
    await store.accept(delivery(one, outbox=["a@nord.example", "b@nord.example"]))
    await store.accept(
        delivery(two, outbox=[f"a@{name}.example" for name in ("nord", "sud", "est", "ouest")])
    )
    assert await store.hold_rows(EVERYTHING, LINE) == 6
    assert await store.hold_rows(EVERYTHING, LINE) == 0
    lines = [line for line in await store.trace() if line.event == LINE.event]
    assert [(line.message_id, dict(line.detail)) for line in lines] == [
        (one.message_id, {"reason": "panne annoncée", "domain": "nord.example", "recipients": 2}),
        (
            two.message_id,
            {
                "reason": "panne annoncée",
                "domain": "est.example, nord.example, ouest.example +1",
                "recipients": 4,
            },
        ),
    ]
    assert {(line.at, line.transaction, line.actor) for line in lines} == {(NOW, LINE.transaction, "ops")}


@pytest.mark.req("QUE-3")
async def test_a_change_keeps_to_its_limit_and_ends(store: Store) -> None:
    """So many rows in one commit, and 0 when all is done."""
    await store.accept(delivery(body(), outbox=[f"a{n}@nord.example" for n in range(7)]))
    assert [await store.hold_rows(EVERYTHING, LINE, 3) for _ in range(4)] == [3, 3, 1, 0]
    assert [await store.release_rows(EVERYTHING, NOW + 9, LINE, 5) for _ in range(3)] == [5, 2, 0]
    assert [await store.retry_rows(EVERYTHING, NOW + 8, LINE, 4) for _ in range(3)] == [4, 3, 0]


@pytest.mark.req("QUE-3")
async def test_rows_are_claimed_for_ending_whatever_their_state(store: Store) -> None:
    """Waiting, deferred, uncertain and held, grouped as letters; not what is under way; no attempt is counted."""
    new = body(b"z" * 700)
    await store.accept(queue_of(new, to("a@nord.example"), to("b@nord.example"), to("c@sud.example")))
    (nord, *_) = await store.claim(lease(), everything(sud=0))
    await store.accept(waiting(nord, NOW + 900, uncertain=True))
    await store.accept(delivery(body(), outbox=["busy@nord.example"]))
    await store.claim(lease(NOW, 9000), everything(sud=0))
    await store.hold_rows(Selection(recipient="b@nord.example"), LINE)
    held = lease(NOW + 10)
    letters = await store.claim_rows(held, Selection(domain="nord.example"))
    (letter,) = letters
    assert [(row.recipient.address.local, row.attempts, row.uncertain) for row in letter.rows] == [
        ("a", 1, 1),
        ("b", 1, 1),
    ]
    assert (letter.header, letter.text_size, letter.message_id) == (new.header, 700, new.message_id)
    assert (letter.lease, letter.domain) == (held.token, "nord.example")
    assert await store.claim_rows(lease(NOW + 10), Selection(domain="nord.example")) == []
    assert await due_names(store, NOW + 10) == ["c"]
    await store.accept(ended(letters, "failed"))
    assert await names(store, EVERYTHING) == ["c", "busy"]


@pytest.mark.req("QUE-3")
async def test_ending_by_hand_lets_the_body_go_and_is_bounded(store: Store) -> None:
    """A hundred recipients make one letter at most, and one claim takes its limit."""
    await store.accept(delivery(body(b"y" * 50), outbox=[f"a{n}@nord.example" for n in range(130)]))
    letters = await store.claim_rows(lease(), EVERYTHING, 120)
    assert [len(letter.rows) for letter in letters] == [100, 20]
    await store.accept(ended(letters, "failed"))
    last = await store.claim_rows(lease(), EVERYTHING)
    assert await store.read_text(last[0].body_id, 0, 9) == b"y" * 9
    await store.accept(ended(last, "failed"))
    assert await store.read_text(last[0].body_id, 0, 9) == b""
    assert await store.claim_rows(lease(), EVERYTHING) == []


@pytest.mark.req("QUE-3")
async def test_a_different_domain_or_envelope_is_a_different_letter_by_hand_too(store: Store) -> None:
    """Each end is reported to the sender for one domain and one envelope."""
    base = to("a@nord.example")
    other = OutboxEntry(base.sender, Recipient(parse_address("b@nord.example")), "HDRS")
    await store.accept(queue_of(body(), base, other, to("c@sud.example"), replace(base, sender="")))
    assert len(await store.claim_rows(lease(), EVERYTHING)) == 4


@pytest.mark.req("QUE-3", "QUE-1")
@pytest.mark.parametrize("how", ["voided", "run out", "given back"])
async def test_an_end_by_hand_that_did_not_come_is_no_attempt(store: Store, how: str) -> None:
    """Nothing was sent under that lease: nothing is uncertain, nobody was interrupted, and what was held is held."""
    await deferred(store, "a@nord.example", "b@sud.example", until=NOW + 900)
    await store.hold_rows(Selection(domain="sud.example"), LINE)
    letters = await store.claim_rows(lease(NOW + 10), EVERYTHING)
    if how == "voided":
        assert await store.void_leases(NOW + 70) == []
    elif how == "given back":
        for letter in letters:
            await store.accept(waiting(letter, NOW + 70))
    (again,) = await store.claim(lease(NOW + 70), everything())
    (row,) = again.rows
    assert (again.domain, row.attempts, row.uncertain) == ("nord.example", 2, 0)
    assert row.last_error == "peer-temporary: 451"
    assert [(row.state, row.uncertain) for row in await rows_of(store)] == [("leased", 0), ("held", 0)]
    with pytest.raises(StaleLease):
        await store.accept(ended(letters, "failed"))
    (lost,) = await store.claim(lease(NOW + 130), everything())
    assert lost.rows[0].uncertain == 1


@pytest.mark.req("QUE-3", "QUE-4")
async def test_a_row_whose_carrier_is_gone_can_be_ended_by_hand(store: Store) -> None:
    """Once the lease has run out; the attempt counts as uncertain, which the report may say."""
    await store.accept(delivery(body(), outbox=["a@nord.example"]))
    (lost,) = await store.claim(lease(), everything())
    assert await store.claim_rows(lease(NOW + 59), EVERYTHING) == []
    (letter,) = await store.claim_rows(Lease("ops", NOW + 60, NOW + 90), EVERYTHING)
    assert (letter.rows[0].uncertain, letter.rows[0].last_error) == (1, "interrupted")
    with pytest.raises(StaleLease):
        await store.accept(ended([lost]))
    await store.accept(ended([letter], "failed"))
    assert await rows_of(store) == []
