"""The reports to the sender of a relayed message, in the commit that settles it (step 10; RCP-1, RCP-6, RTE-6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.dsn import Action, OriginalMessage, RecipientStatus
from mss_gateway.mail.envelope import Notify
from mss_gateway.mail.facts import header_facts
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.mailboxes import Mailboxes
from mss_gateway.ports.outbox import Claimed
from mss_gateway.ports.records import Delivery, Part, TraceLine
from mss_gateway.rules import dsn_texts
from mss_gateway.rules.dsn_texts import CANCELLED, Missed
from mss_gateway.rules.facts import Party
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.retry import GiveUp, RetryOptions, WaitUntil

from .letters import Occasion, Stationery, Told, delivery_report, untold
from .outcomes import ACTOR, Timeline, Verdict, settled

MAX_RETURNED = 5 * 1024 * 1024
"""Octets of a text given back with RET=FULL; of a larger one the header goes back (RFC 3461 section 4.3)."""

_UNLESS_SAID = frozenset({Notify.FAILURE, Notify.DELAY})  # RFC 3461 section 4.1, without NOTIFY


@dataclass(frozen=True, slots=True)
class Desk:
    """What reports are written with."""

    book: AddressBook
    texts: Mailboxes
    stationery: Stationery
    retry: RetryOptions


async def conclude(
    letter: Claimed, verdicts: Sequence[Verdict], desk: Desk, now: float, actor: str = ACTOR
) -> Delivery:
    """One commit for all that an attempt, or an operator, brings: rows, reports, timeline."""
    timeline = Timeline(letter, now, desk.stationery, actor)
    lines = timeline.all_of(verdicts)
    parts: list[Part] = []
    wanted = list(_wanted(verdicts))
    if wanted:
        to = await _sender(letter, desk.book)
        if isinstance(to, str):
            lines.append(timeline.line("report-withheld", {"reason": to}))
        else:
            for action, about in wanted:
                part = await _report(letter, action, about, to, desk, now)
                parts.append(part)
                lines.append(_written(timeline, action, part, to))
    return _delivery(letter, verdicts, lines, parts)


def without_reports(
    letter: Claimed,
    verdicts: Sequence[Verdict],
    desk: Desk,
    now: float,
    actor: str = ACTOR,
    why: str = "fault",
) -> Delivery:
    """The same commit when its reports cannot be written, or are not to be; `why` as in `WITHHELD_REASONS`."""
    timeline = Timeline(letter, now, desk.stationery, actor)
    lines = [*timeline.all_of(verdicts), timeline.line("report-withheld", {"reason": why})]
    return _delivery(letter, verdicts, lines)


def _delivery(
    letter: Claimed, verdicts: Sequence[Verdict], lines: Sequence[TraceLine], parts: Sequence[Part] = ()
) -> Delivery:
    rows = tuple(settled(letter.lease, one) for one in verdicts)
    return Delivery(tuple(parts), trace=tuple(lines), settled=rows)


def _written(timeline: Timeline, action: Action, part: Part, to: Party) -> TraceLine:
    detail: dict[str, str | int] = {
        "kind": action.value,
        "report": part.body.message_id or "",
        "to": mask_text(str(to.address)),
    }
    return timeline.line("report-written", detail, to.box.id if to.box is not None else None)


def _wanted(verdicts: Sequence[Verdict]) -> Iterator[tuple[Action, list[Verdict]]]:
    """At most one report of each kind, about all recipients that it is due for (RFC 3461 section 6)."""
    kinds: tuple[tuple[Action, Notify, Callable[[Verdict], bool]], ...] = (
        (Action.FAILED, Notify.FAILURE, lambda one: isinstance(one.then, GiveUp)),
        (Action.DELAYED, Notify.DELAY, lambda one: isinstance(one.then, WaitUntil) and one.then.warn),
        (Action.RELAYED, Notify.SUCCESS, lambda one: one.then is None and not one.outcome.relays_dsn),
    )
    for action, wish, due in kinds:
        about = [one for one in verdicts if due(one) and wish in (one.row.recipient.notify or _UNLESS_SAID)]
        if about:
            yield action, about


async def _sender(letter: Claimed, book: AddressBook) -> Party | str:
    """Whom to tell, or the slug of why nobody is told. A report never leads to another one (RCP-6, RTE-6)."""
    if not letter.sender:
        return "null-sender"
    facts = header_facts(letter.header)
    if facts.report is not None or (facts.auto_submitted and not facts.auto_generated):
        return "automatic-mail"
    party = await book.party(parse_address(letter.sender))
    return untold(party) or party


async def _report(
    letter: Claimed, action: Action, about: Sequence[Verdict], to: Party, desk: Desk, now: float
) -> Part:
    whole = action is Action.FAILED and letter.ret == "FULL" and to.box is not None
    text = None
    if whole and letter.text_size <= MAX_RETURNED:
        text = await desk.texts.read_text(letter.body_id, 0, letter.text_size)
    arrived = min(one.row.queued_at for one in about)
    original = OriginalMessage(letter.header, text, letter.envid, arrived)
    told = _told(action, about, now, desk.retry)
    return await delivery_report(told, to, original, Occasion(now, letter.message_id), desk.stationery)


def _told(action: Action, about: Sequence[Verdict], now: float, retry: RetryOptions) -> Told:
    recipients = tuple(_status(action, one, now, retry) for one in about)
    addresses = [str(one.row.recipient.address) for one in about]
    missed = [
        Missed(address, one.outcome.reason, one.outcome.status, one.maybe)
        for address, one in zip(addresses, about, strict=True)
    ]
    waited = now - min(one.row.queued_at for one in about)
    if action is Action.RELAYED:
        return Told(dsn_texts.RELAYED_SUBJECT, dsn_texts.relayed(addresses), recipients)
    if action is Action.DELAYED:
        human = dsn_texts.delay(missed, waited, retry.lifetime - waited)
        return Told(dsn_texts.DELAY_SUBJECT, human, recipients)
    expired = any(isinstance(one.then, GiveUp) and one.then.expired for one in about)
    return Told(dsn_texts.FAILURE_SUBJECT, dsn_texts.failure(missed, waited if expired else None), recipients)


def _status(action: Action, one: Verdict, now: float, retry: RetryOptions) -> RecipientStatus:
    """The machine part. A final failure says 5.x.x, whatever the last temporary answer was (RFC 3464 section 2.3.4)."""
    row, outcome = one.row, one.outcome
    if action is Action.RELAYED:
        status = "2.0.0"
    elif action is Action.DELAYED:
        status = outcome.status if outcome.status.startswith("4.") else "4.0.0"
    elif isinstance(one.then, GiveUp) and one.then.expired:
        status = "5.4.7"  # RFC 3463 section 3.5: the delivery time has expired
    else:
        status = outcome.status if outcome.status.startswith("5.") else "5.0.0"
    spoken = outcome.text if outcome.reason.startswith("peer-") and outcome.text[:1].isdigit() else None
    return RecipientStatus(
        str(row.recipient.address),
        action,
        status,
        orcpt=row.recipient.orcpt,
        diagnostic=spoken,
        remote_mta=outcome.remote_mta or None,
        last_attempt=None if outcome.reason == CANCELLED else now,
        will_retry_until=row.queued_at + retry.lifetime if action is Action.DELAYED else None,
    )
