"""The queue changed by hand while the line runs: retry, hold, release, withdraw (QUE-3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.pipeline.outbound import OutboundOptions
from mss_gateway.pipeline.queueing import CANCEL_STEP, Changed, Postmaster, Withdrawal
from mss_gateway.ports.queue import EVERYTHING, Selection
from mss_gateway.ports.records import Delivery, OutboxEntry, Part
from mss_gateway.ports.relay import Fate, Letter, Outcome
from mss_gateway.ports.store import Store, StoreFull
from tests.support.couriers import always
from tests.support.outbound import SENDER, Line, human, machine, opened, running, until
from tests.support.store import body, trace_line

HOUR = 3600.0
PATIENT = "185037512345614@nord.example"


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """A line whose nord.example is greylisting and whose other domains take everything."""
    async with opened(tmp_path / "store") as store, running(store) as found:
        found.courier.to("nord.example", always(Fate.TRY_LATER))
        yield found


def postmaster(line: Line) -> Postmaster:
    """Who changes the queue of this line."""
    return Postmaster(line.store, line.outbound)


async def cancel(
    line: Line,
    selection: Selection,
    actor: str = "ops",
    reason: str = "",
    *,
    tell: bool = True,
    store: Store | None = None,
) -> Changed:
    """Take rows out of the queue of this line, as the operation does."""
    withdrawal = Withdrawal(store or line.store, line.outbound, line.log)
    end = partial(withdrawal.cancel, actor=actor, reason=reason, tell=tell)
    return await postmaster(line).each(selection, 0, end, CANCEL_STEP)


def gate(line: Line, domain: str) -> asyncio.Event:
    """From now on letters to this domain are under way until the event is set."""
    opened = asyncio.Event()

    async def gated(letter: Letter) -> tuple[Outcome, ...]:
        await opened.wait()
        return await always(Fate.TRY_LATER)(letter)

    line.courier.to(domain, gated)
    return opened


async def under_way(line: Line, count: int) -> None:
    """Wait until so many letters have been begun."""

    async def begun() -> bool:
        return len(line.courier.carried) >= count

    await until(begun)


@pytest.mark.req("QUE-3")
async def test_retry_tries_now_what_waits_for_later(line: Line) -> None:
    """And leaves the other rows to their own time."""
    mine = await line.queue("a@nord.example")
    await line.queue("b@nord.example")
    await line.quiet()
    line.courier.to("nord.example", always(Fate.SENT))
    done = await postmaster(line).retry(Selection(message_id=mine.message_id), "cli:dupont", "urgent")
    assert done == Changed(1, 0)
    assert [row.recipient for row in await line.quiet()] == ["b@nord.example"]
    lines = await line.store.trace(mine.message_id)
    (told,) = [one for one in lines if one.event == "retried"]
    assert (told.actor, told.detail["reason"]) == ("cli:dupont", "urgent")


@pytest.mark.req("QUE-2", "QUE-3")
async def test_retry_ends_a_silence_with_one_letter(line: Line) -> None:
    """Hundreds of letters do not fall upon a host that may still be dead; when it is back, all go."""
    line.courier.to("nord.example", always(Fate.TRY_LATER, "connect-refused"))
    for turn in range(30):
        await line.queue(f"a{turn}@nord.example")
    await line.quiet()
    before = len(line.courier.carried)
    done = await postmaster(line).retry(Selection(sender=SENDER), "ops")
    assert done.rows == 30
    await line.quiet()
    assert len(line.courier.carried) == before + 1
    assert line.outbound.silences["nord.example"].failures == 2
    line.courier.to("nord.example", always(Fate.SENT))
    await postmaster(line).retry(Selection(domain="nord.example"), "ops")
    assert await line.quiet() == []
    assert line.outbound.silences == {}


@pytest.mark.req("QUE-3")
async def test_retry_leaves_the_silence_of_other_domains(line: Line) -> None:
    """Only domains with rows of the selection are asked again."""
    for domain in ("nord.example", "sud.example"):
        line.courier.to(domain, always(Fate.TRY_LATER, "connect-refused"))
    await line.queue("a@nord.example")
    await line.queue("b@sud.example", sender="")
    await line.quiet()
    untouched = line.outbound.silences["sud.example"]
    await postmaster(line).retry(Selection(sender=SENDER), "ops")
    await line.quiet()
    assert line.outbound.silences["sud.example"] == untouched
    assert line.outbound.silences["nord.example"].failures == 2


@pytest.mark.req("QUE-3")
async def test_what_is_held_is_not_tried_until_released(line: Line) -> None:
    """However late it becomes."""
    await line.queue("a@nord.example")
    await line.quiet()
    line.courier.to("nord.example", always(Fate.SENT))
    assert await postmaster(line).hold(EVERYTHING, "ops", "enquête") == Changed(1, 0)
    line.hands.at += 5 * HOUR
    line.outbound.wake()
    await asyncio.sleep(0.05)
    (row,) = await line.store.queued(EVERYTHING)
    assert (row.state, row.hold_reason, row.attempts) == ("held", "enquête", 1)
    assert await postmaster(line).release(EVERYTHING, "ops") == Changed(1, 0)
    assert await line.quiet() == []
    assert line.courier.reached == ["a@nord.example"] * 2


@pytest.mark.req("QUE-3")
async def test_what_is_under_way_is_held_when_its_attempt_is_over(line: Line) -> None:
    """The attempt is not torn; a success would have been one."""
    over = gate(line, "nord.example")
    new = await line.queue("a@nord.example")
    await under_way(line, 1)
    assert await postmaster(line).hold(EVERYTHING, "ops") == Changed(1, 1)
    over.set()

    async def held() -> bool:
        return [row.state for row in await line.store.queued(EVERYTHING)] == ["held"]

    await until(held)
    assert await line.events(new.message_id) == ["held", "deferred"]


@pytest.mark.req("QUE-3", "RCP-1")
async def test_a_withdrawn_message_is_reported_to_its_sender(line: Line) -> None:
    """In French, with a status of policy; the operator's reason stays in the timeline."""
    new = await line.queue("a@nord.example")
    await line.quiet()
    done = await cancel(
        line, Selection(message_id=new.message_id), "cli:dupont", "doublon de 185037512345614"
    )
    assert done == Changed(1, 0)
    assert await line.quiet() == []
    (report,) = await line.reports()
    assert "retiré de la file d'envoi par l'exploitant" in " ".join(human(report).split())
    block = machine(report)[1]
    assert (block["Action"], block["Status"]) == ("failed", "5.7.0")
    assert "Last-Attempt-Date" not in block
    assert "doublon" not in report.as_string()
    lines = await line.store.trace(new.message_id)
    assert [one.event for one in lines] == ["deferred", "cancelled", "report-written"]
    assert {one.actor for one in lines[1:]} == {"cli:dupont"}
    assert str(lines[1].detail["reason"]).startswith("doublon de ")
    assert "185037512345614" not in repr(lines)


@pytest.mark.req("QUE-3")
async def test_a_withdrawal_may_go_unreported(line: Line) -> None:
    """For mail that nobody should be told of; the timeline tells that nobody was."""
    new = await line.queue("a@nord.example")
    await line.quiet()
    assert await cancel(line, EVERYTHING, "ops", tell=False) == Changed(1, 0)
    assert await line.reports() == []
    lines = await line.store.trace(new.message_id)
    assert (lines[-1].event, lines[-1].detail["reason"]) == ("report-withheld", "by-operator")


@pytest.mark.req("QUE-3", "RCP-6")
async def test_a_withdrawn_report_leads_to_no_report(line: Line) -> None:
    """The null sender is told nothing."""
    new = await line.queue("a@nord.example", sender="")
    await line.quiet()
    assert await cancel(line, Selection(sender=""), "ops") == Changed(1, 0)
    assert await line.events(new.message_id) == ["deferred", "cancelled", "report-withheld"]


@pytest.mark.req("QUE-3")
async def test_the_other_recipients_of_a_message_stay(line: Line) -> None:
    """One address is withdrawn and reported, the others go their way with their body."""
    new = await line.queue("a@nord.example", "b@nord.example", "c@nord.example")
    await line.quiet()
    assert await cancel(line, Selection(recipient="B@nord.example"), "ops") == Changed(1, 0)
    (report,) = await line.reports()
    assert [block["Final-Recipient"] for block in machine(report)[1:]] == ["rfc822; b@nord.example"]
    line.courier.to("nord.example", always(Fate.SENT))
    assert await line.pass_time(HOUR) == []
    letter, octets = line.courier.carried[-1]
    assert [str(one.address) for one in letter.recipients] == ["a@nord.example", "c@nord.example"]
    assert octets == new.header + b"Bonjour\r\n"


@pytest.mark.req("QUE-3")
async def test_what_is_under_way_is_not_withdrawn(line: Line) -> None:
    """It is counted; its attempt and its row stay whole."""
    over = gate(line, "nord.example")
    await line.queue("a@nord.example")
    await under_way(line, 1)
    assert await cancel(line, EVERYTHING, "ops") == Changed(0, 1)
    over.set()
    assert len(await line.quiet()) == 1
    assert await line.reports() == []
    assert line.faults() == 0


@pytest.mark.req("QUE-3", "CHN-9")
async def test_what_stood_behind_a_withdrawn_row_goes(line: Line) -> None:
    """Rows to one patient keep their order; the end of the first one frees the next."""
    letters = [body(), body()]
    for new in letters:
        entry = OutboxEntry(SENDER, Recipient(parse_address(PATIENT)), ordered=True)
        await line.store.accept(Delivery((Part(new, line.hands.at, outbox=(entry,)),)))
        await line.quiet()
    first, second = await line.store.queued(EVERYTHING)
    assert second.behind == first.id
    line.courier.to("nord.example", always(Fate.SENT))
    assert await cancel(line, Selection(ids=(first.id,)), "ops") == Changed(1, 0)
    assert await line.quiet() == []
    assert line.courier.carried[-1][1].startswith(letters[1].header)


@pytest.mark.req("QUE-3")
async def test_everything_is_withdrawn_in_steps(line: Line) -> None:
    """More rows than one round takes; held ones too."""
    for _ in range(5):
        await line.queue(*(f"a{turn}@nord.example" for turn in range(60)))
    await line.quiet()
    await postmaster(line).hold(Selection(recipient="a7@nord.example"), "ops")
    assert await cancel(line, EVERYTHING, "ops", tell=False) == Changed(300, 0)
    assert await line.store.queued(EVERYTHING) == []


@pytest.mark.req("QUE-3")
async def test_a_long_change_says_how_far_it_has_come(line: Line) -> None:
    """And goes on from there, meeting no row twice, although rows come back to the queue meanwhile."""
    for _ in range(4):
        await line.queue(*(f"a{turn}@nord.example" for turn in range(75)))
    await line.quiet()
    hasty = Postmaster(line.store, line.outbound, budget=0.0)
    after: int | None = 0
    rounds = []
    while after is not None:
        done = await hasty.each(
            EVERYTHING, after, partial(line.store.release_rows, now=0.0, trace=trace_line()), 100
        )
        rounds.append((done.rows, done.after is None))
        after = done.after
    assert rounds == [(0, False)] * 3 + [(0, True)]
    first = await hasty.retry(EVERYTHING, "ops")
    assert first.rows == 300
    await line.quiet()
    assert (await hasty.retry(EVERYTHING, "ops", "", first.after or 0)).rows == 0


class FullStore:
    """A store whose disk is full for commits of outcomes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def accept(self, delivery: Delivery) -> object:
        """Reports find no room; what only gives rows back does."""
        if delivery.parts:
            raise StoreFull("no space left")
        return await self._store.accept(delivery)


@pytest.mark.req("QUE-1", "QUE-3")
async def test_a_withdrawal_that_cannot_be_written_leaves_the_row(line: Line) -> None:
    """It is neither lost nor uncertain, and can be withdrawn later."""
    await line.queue("a@nord.example")
    await line.quiet()
    full: Any = FullStore(line.store)
    with pytest.raises(StoreFull):
        await cancel(line, EVERYTHING, store=full)
    (row,) = await line.quiet()
    assert (row.state, row.uncertain) == ("waiting", 0)
    assert await cancel(line, EVERYTHING, "ops") == Changed(1, 0)


@pytest.mark.req("QUE-3")
async def test_without_a_line_the_store_is_changed_alone(line: Line) -> None:
    """As the commands do when no gateway runs."""
    await line.queue("a@nord.example")
    (row,) = await line.quiet()
    alone = Postmaster(line.store)
    assert await alone.hold(EVERYTHING, "ops") == Changed(1, 0)
    assert await alone.release(EVERYTHING, "ops") == Changed(1, 0)
    assert row.id == (await line.store.queued(EVERYTHING))[0].id


@pytest.mark.req("QUE-1", "QUE-4")
async def test_leases_bear_the_name_of_the_node(tmp_path: Path) -> None:
    """Another node's are not voided by a start of this one."""
    async with opened(tmp_path / "store") as store:
        async with running(store, options=OutboundOptions(node="a", drain=0.0)) as line:
            gate(line, "nord.example")
            await line.queue("a@nord.example")
            await under_way(line, 1)
            assert line.outbound.lease(0.0).node == "a"
        assert await store.void_leases(line.hands.at, "b") == []
        assert len(await store.void_leases(line.hands.at, "a")) == 1
