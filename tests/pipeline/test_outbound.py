"""The outbound line with a fake courier: every fate, every report, every restart (QUE-1, QUE-2, RCP-1, RCP-6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.mail.envelope import Notify
from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.relay import Fate, Letter, Outcome
from mss_gateway.ports.store import Store
from mss_gateway.rules.facts import BoxState
from tests.support.couriers import always, outcome
from tests.support.outbound import Line, human, machine, opened, running
from tests.support.store import NOW, body, trace_line

HOUR = 3600.0
DAY = 24 * HOUR
ALL = frozenset({Notify.SUCCESS, Notify.FAILURE, Notify.DELAY})


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open, empty store."""
    async with opened(tmp_path / "store") as found:
        yield found


@pytest_asyncio.fixture
async def line(store: Store) -> AsyncIterator[Line]:
    """A line at work; at its end no fault of ours may have been counted."""
    async with running(store) as found:
        yield found
        assert found.faults() == 0


@pytest.mark.req("QUE-1", "RTE-7")
async def test_what_is_queued_goes_out_at_once_as_it_is(line: Line) -> None:
    """One transaction for each domain, byte for byte, and the row ends; nobody has to wait for a clock."""
    new = await line.queue("a@nord.example", "b@nord.example", "c@sud.example", new=body(b"octets\r\n" * 900))
    assert await line.quiet() == []
    assert sorted(line.courier.reached) == ["a@nord.example", "b@nord.example", "c@sud.example"]
    assert len(line.courier.carried) == 2
    assert {octets for _, octets in line.courier.carried} == {new.header + b"octets\r\n" * 900}
    assert await line.events(new.message_id) == ["relayed"] * 3
    assert await line.reports() == []


@pytest.mark.req("RCP-1", "RCP-6")
async def test_a_final_no_brings_exactly_one_report(line: Line) -> None:
    """Null return path, the address whole, the peer's code, the original's header and never its body."""
    line.courier.to("nord.example", always(Fate.FAILED))
    new = await line.queue(
        "absent@nord.example", orcpt="rfc822;Absent@nord.example", envid="QQ-1", new=body(b"confidentiel")
    )
    assert await line.quiet() == []
    (report,) = await line.reports()
    assert report["Return-Path"] == "<>"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["In-Reply-To"] == report["References"] == new.message_id
    assert "absent@nord.example" in human(report)
    assert "cette adresse n'existe pas" in human(report)
    about, one = machine(report)
    assert about["Original-Envelope-Id"] == "QQ-1"
    assert (one["Action"], one["Status"]) == ("failed", "5.1.1")
    assert one["Original-Recipient"] == "rfc822; Absent@nord.example"
    assert one["Diagnostic-Code"] == "smtp; 550 5.1.1 no such mailbox"
    assert one["Remote-MTA"] == "dns; mx.ailleurs.example"
    assert new.message_id in report.as_string()
    assert "confidentiel" not in report.as_string()
    assert await line.events(new.message_id) == ["relay-failed", "report-written"]


@pytest.mark.req("RCP-1")
async def test_each_recipient_has_its_own_fate_and_the_failed_ones_share_a_report(line: Line) -> None:
    """Of four recipients two fail: one report with two blocks; one waits; one is sent."""

    async def mixed(letter: Letter) -> tuple[Outcome, ...]:
        fates = (Fate.SENT, Fate.FAILED, Fate.TRY_LATER, Fate.FAILED)
        return tuple(outcome(one, fate) for one, fate in zip(letter.recipients, fates, strict=True))

    line.courier.to("nord.example", mixed)
    await line.queue(*(f"{name}@nord.example" for name in "abcd"))
    (row,) = await line.quiet()
    assert (row.recipient, row.state, row.attempts) == ("c@nord.example", "waiting", 1)
    assert row.last_error == "peer-temporary: 451 4.3.2 later"
    (report,) = await line.reports()
    assert [block["Final-Recipient"] for block in machine(report)[1:]] == [
        "rfc822; b@nord.example",
        "rfc822; d@nord.example",
    ]


WISHES = [
    (frozenset(), {"failed", "delayed"}),
    (frozenset({Notify.NEVER}), set()),
    (frozenset({Notify.FAILURE}), {"failed"}),
    (frozenset({Notify.DELAY}), {"delayed"}),
    (frozenset({Notify.SUCCESS}), {"relayed"}),
    (ALL, {"failed", "delayed", "relayed"}),
]


@pytest.mark.req("RCP-1")
@pytest.mark.parametrize(("notify", "expected"), WISHES, ids=lambda value: "+".join(sorted(map(str, value))))
async def test_notify_is_respected(line: Line, notify: frozenset[Notify], expected: set[str]) -> None:
    """What NOTIFY leaves out is never written, what it asks for is written once (RFC 3461 section 4.1)."""
    line.courier.to("sud.example", always(Fate.FAILED))
    line.courier.to("est.example", always(Fate.TRY_LATER))
    await line.queue("a@nord.example", notify=notify)
    await line.queue("b@sud.example", notify=notify)
    await line.queue("c@est.example", notify=notify)
    await line.quiet()
    await line.pass_time(5 * HOUR)
    await line.pass_time(2 * HOUR)
    actions = [machine(report)[1]["Action"] for report in await line.reports()]
    assert sorted(actions) == sorted(expected)


@pytest.mark.req("RCP-1")
async def test_a_peer_that_promises_reports_makes_ours_of_success_needless(line: Line) -> None:
    """RFC 3461 section 5.2.7: a relayed report only where the peer knows no DSN."""
    line.courier.usual = always(Fate.SENT, relays_dsn=True)
    await line.queue("a@nord.example", notify=ALL)
    await line.quiet()
    assert await line.reports() == []


@pytest.mark.req("RCP-1", "QUE-1")
async def test_a_message_that_waits_is_reported_late_and_given_up_in_the_end(line: Line) -> None:
    """Delay report after four hours to the minute, failure after five days, each once."""
    line.courier.to("nord.example", always(Fate.TRY_LATER))
    new = await line.queue("a@nord.example")
    (row,) = await line.quiet()
    waits = []
    while (rows := await line.store.queued(EVERYTHING)) and line.hands.at < NOW + 5 * DAY:
        (row,) = rows
        waits.append(row.next_attempt - line.hands.at)
        await line.pass_time(row.next_attempt - line.hands.at)
    assert waits[:6] == [60, 120, 240, 480, 960, 1920]
    assert max(waits) <= HOUR
    assert line.hands.at == NOW + 5 * DAY
    assert await line.store.queued(EVERYTHING) == []
    late, failed = await line.reports()
    assert late["Date"].datetime.timestamp() == NOW + 4 * HOUR
    assert "attend depuis 4 heures" in human(late)
    assert machine(late)[1]["Status"] == "4.3.2"
    assert "Will-Retry-Until" in machine(late)[1]
    assert "pendant 5 jours" in human(failed)
    assert (machine(failed)[1]["Action"], machine(failed)[1]["Status"]) == ("failed", "5.4.7")
    events = await line.events(new.message_id)
    assert events == ["deferred", "deferred", "report-written", "relay-failed", "report-written"]


@pytest.mark.req("QUE-1", "TRU-5")
@pytest.mark.parametrize("reason", ["dn-not-listed", "certificate-revoked", "dns-failure", "no-starttls"])
async def test_a_refused_trust_is_temporary(line: Line, reason: str) -> None:
    """The list, a certificate or the DNS may be corrected within the lifetime."""
    line.courier.to("nord.example", always(Fate.TRY_LATER, reason))
    await line.queue("a@nord.example")
    (row,) = await line.quiet()
    assert row.last_error.startswith(reason)
    line.courier.to("nord.example", always(Fate.SENT))
    assert await line.pass_time(row.next_attempt - line.hands.at) == []
    assert await line.reports() == []


@pytest.mark.req("QUE-1")
async def test_an_uncertain_outcome_is_shown_counted_and_tried_again(line: Line) -> None:
    """The only place where a peer may get a message twice; the failure report says so too."""
    line.courier.to("nord.example", always(Fate.UNCERTAIN))
    new = await line.queue("a@nord.example")
    (row,) = await line.quiet()
    assert (row.state, row.uncertain) == ("uncertain", 1)
    (row,) = await line.pass_time(60)
    assert (row.state, row.uncertain, row.attempts) == ("uncertain", 2, 2)
    assert await line.events(new.message_id) == ["uncertain", "uncertain"]
    line.courier.to("nord.example", always(Fate.FAILED))
    await line.pass_time(HOUR)
    (report,) = await line.reports()
    assert "Il se peut toutefois que le message soit arrivé" in human(report)


@pytest.mark.req("RCP-6", "RTE-6")
async def test_no_report_is_written_about_a_report(line: Line) -> None:
    """Null sender, report or automatic answer: a trace line and nothing more."""
    line.courier.usual = always(Fate.FAILED)
    plain = body()
    header = b"Content-Type: multipart/report; report-type=disposition-notification\r\n"
    report = body()
    report = replace(report, header=header + report.header, size=report.size + len(header))
    await line.queue("a@nord.example", sender="", new=plain)
    await line.queue("b@sud.example", new=report)
    assert await line.quiet() == []
    assert await line.reports() == []
    for message in (plain, report):
        assert await line.events(message.message_id) == ["relay-failed", "report-withheld"]


@pytest.mark.req("RCP-1", "RCP-6")
async def test_a_sender_elsewhere_is_told_through_the_queue_with_the_null_sender(line: Line) -> None:
    """And never gets the body back, even when it asked for it."""
    line.courier.to("nord.example", always(Fate.FAILED))
    await line.queue("a@nord.example", sender="dr@sud.example", ret="FULL", new=body(b"confidentiel"))
    assert await line.quiet() == []
    letter, octets = line.courier.carried[-1]
    assert (letter.domain, letter.sender) == ("sud.example", None)
    assert [str(one.address) for one in letter.recipients] == ["dr@sud.example"]
    assert b"confidentiel" not in octets


@pytest.mark.req("RCP-1")
@pytest.mark.parametrize(("ret", "whole"), [("FULL", True), ("HDRS", False), (None, False)])
async def test_the_body_goes_back_only_to_a_mailbox_here_that_asked(
    line: Line, ret: str | None, whole: bool
) -> None:
    """RET=FULL, and the sender is ours."""
    line.courier.to("nord.example", always(Fate.FAILED))
    await line.queue("a@nord.example", ret=ret, new=body(b"confidentiel"))
    await line.quiet()
    (report,) = await line.reports()
    assert ("confidentiel" in report.as_string()) is whole


@pytest.mark.req("RTE-3", "RCP-6")
@pytest.mark.parametrize("sender", ["x@dehors.example", "personne@hopital.example"])
async def test_nobody_is_told_where_nobody_may_be_told(line: Line, sender: str) -> None:
    """A sender outside of the trust space or without a mailbox: a trace line."""
    line.courier.to("nord.example", always(Fate.FAILED))
    new = await line.queue("a@nord.example", sender=sender)
    assert await line.quiet() == []
    assert line.courier.reached == ["a@nord.example"]
    assert await line.events(new.message_id) == ["relay-failed", "report-withheld"]


@pytest.mark.req("BAL-5", "RCP-6")
async def test_a_mailbox_closed_meanwhile_gets_no_report(line: Line) -> None:
    """Its sender will not read it any more."""
    line.courier.to("nord.example", always(Fate.TRY_LATER))
    new = await line.queue("a@nord.example")
    await line.quiet()
    await line.store.set_box_state(line.box.id, BoxState.CLOSED, "départ", trace_line())
    assert await line.pass_time(6 * DAY) == []
    assert await line.reports() == []
    assert (await line.events(new.message_id))[-2:] == ["relay-failed", "report-withheld"]


@pytest.mark.req("INS-7")
async def test_a_patient_is_masked_in_the_timeline_and_whole_in_the_report(line: Line) -> None:
    """The report is the sender's own mail; the trace is read by others."""
    patient = "185037512345614@nord.example"
    line.courier.to("nord.example", always(Fate.FAILED))
    new = await line.queue(patient)
    await line.quiet()
    (report,) = await line.reports()
    assert patient in human(report)
    lines = await line.store.trace(new.message_id)
    assert "185037512345614" not in repr(lines)
    assert all(one.detail["mark"] for one in lines if one.event == "relay-failed")
