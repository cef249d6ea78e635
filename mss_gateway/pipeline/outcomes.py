"""What follows from an attempt for each recipient: the decision, the settled row, the line of the timeline (step 9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mss_gateway.ports.outbox import Claimed, ClaimedRow, Interrupted
from mss_gateway.ports.records import Settled, TraceLine
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.rules.dsn_texts import CANCELLED
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.retry import Attempted, GiveUp, RetryOptions, WaitUntil, after_failure

from .letters import Stationery
from .timeline import patient_detail

ACTOR = "outbound"
"""Who acts in the trace lines of this part of the line."""

MAX_ERROR = 500
"""Characters of a reason kept with a row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row with its outcome and what is decided on it; `then` None when the peer has taken it over."""

    row: ClaimedRow
    outcome: Outcome
    then: WaitUntil | GiveUp | None

    @property
    def maybe(self) -> bool:
        """Whether a peer may have the message although no attempt ended well."""
        return self.row.uncertain > 0 or self.outcome.fate is Fate.UNCERTAIN


def judge(
    row: ClaimedRow, outcome: Outcome, now: float, asked_again: float, retry: RetryOptions, dice: float
) -> Verdict:
    """Decide on one row after its attempt (QUE-1): only a 250, the peer's final no and the lifetime end it."""
    if outcome.fate is Fate.SENT:
        return Verdict(row, outcome, None)
    permanent = outcome.fate is Fate.FAILED
    attempted = Attempted(row.attempts, row.queued_at, now, permanent, row.warned, asked_again)
    return Verdict(row, outcome, after_failure(attempted, retry, dice))


def settled(lease: str, verdict: Verdict) -> Settled:
    """The row as the store keeps it, or its end."""
    row, outcome, then = verdict.row, verdict.outcome, verdict.then
    if not isinstance(then, WaitUntil):
        return Settled(row.id, lease, "sent" if then is None else "failed")
    error = mask_text(f"{outcome.reason}: {outcome.text}" if outcome.text else outcome.reason)[:MAX_ERROR]
    return Settled(
        row.id, lease, "waiting", error, then.at, warned=then.warn, uncertain=outcome.fate is Fate.UNCERTAIN
    )


def withdrawn(row: ClaimedRow, reason: str) -> Verdict:
    """A row that an operator takes out of the queue, with his reason, which only the timeline keeps (QUE-3)."""
    outcome = Outcome(row.recipient, Fate.FAILED, CANCELLED, mask_text(reason)[:MAX_ERROR], "5.7.0")
    return Verdict(row, outcome, GiveUp(expired=False))


def interruptions(left: Iterable[Interrupted], now: float, stationery: Stationery) -> list[TraceLine]:
    """What a process that is gone had under way (QUE-1): perhaps sent, sent again now."""
    return [
        TraceLine(
            now,
            "uncertain",
            stationery.new_id(),
            one.message_id,
            actor=ACTOR,
            detail={
                "domain": one.domain,
                "reason": "interrupted",
                **patient_detail(one.recipient, stationery.correlation_key),
            },
        )
        for one in left
    ]


class Timeline:
    """Writes the lines of one attempt, or of one change by hand, all of one transaction."""

    def __init__(self, letter: Claimed, now: float, stationery: Stationery, actor: str = ACTOR) -> None:
        self._letter = letter
        self._actor = actor
        self._key = stationery.correlation_key
        self._id = stationery.new_id()
        self._now = now

    def line(self, event: str, detail: dict[str, str | int], box_id: int | None = None) -> TraceLine:
        """One line on the timeline of the message."""
        kept = {name: value for name, value in detail.items() if value != ""}
        return TraceLine(self._now, event, self._id, self._letter.message_id, box_id, self._actor, kept)

    def all_of(self, verdicts: Iterable[Verdict]) -> list[TraceLine]:
        """What became of every recipient."""
        return [line for verdict in verdicts for line in self.of(verdict)]

    def of(self, verdict: Verdict) -> Iterator[TraceLine]:
        """What became of one recipient. A delay is told when it begins, changes its reason, or is reported."""
        row, outcome, then = verdict.row, verdict.outcome, verdict.then
        detail: dict[str, str | int] = {
            "domain": self._letter.domain,
            "reason": outcome.reason,
            "remote": outcome.remote_mta,
            "status": outcome.status,
            "attempts": row.attempts,
            **patient_detail(str(row.recipient.address), self._key),
        }
        if outcome.reason == CANCELLED:
            del detail["status"]
            yield self.line("cancelled", detail | {"reason": outcome.text})
        elif then is None:
            yield self.line("relayed", detail)
        elif isinstance(then, GiveUp):
            yield self.line("relay-failed", detail | {"expired": int(then.expired)})
        elif outcome.fate is Fate.UNCERTAIN:
            yield self.line("uncertain", detail)
        elif then.warn or row.last_error.partition(":")[0] != outcome.reason:
            yield self.line("deferred", detail)
