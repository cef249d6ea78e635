"""The outbound queue as ops see and change it (QUE-3): every change with its reason, traced, INS masked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache, partial
from typing import Protocol

from mss_gateway.observe.events import Event
from mss_gateway.pipeline.outbound import Outbound
from mss_gateway.pipeline.queueing import CANCEL_STEP, Changed, Postmaster, QueueStore, Withdrawal
from mss_gateway.ports.queue import DomainQueue, Selection
from mss_gateway.ports.records import Queued
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.queue_reasons import meaning_of, remedy_for, slug_of

from .masking import masked
from .operation import (
    NOT_FOUND,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    limit_of,
    number,
    text,
)
from .timeline import TimelineOperations, Traced

LIMIT = 100
"""Rows that are shown when nothing else is asked for."""

MAX_LIMIT = 1000
"""Rows of one answer: with errors and ids as long as they may be they fit into a line of the control socket."""

STATES = frozenset({"waiting", "leased", "held", "uncertain"})
"""States of a row."""

LINES = 100
"""Lines of the timeline shown with one row."""

MAX_REASON = 500
"""Characters of a reason given by hand."""

_SELECTORS = ("ids", "message", "sender", "recipient", "domain", "state")
_mask = lru_cache(maxsize=4096)(mask_text)  # of addresses and errors, which repeat themselves
_FEWEST_DIGITS = 12  # of what is masked: a matricule has 13 characters, one of which may be a letter


class QueueRows(QueueStore, Traced, Protocol):
    """What the operations need of the store."""


class QueueOperations:
    """`queue list|show|count|stats|retry|hold|release`, on the store alone or beside the line that carries."""

    def __init__(self, store: QueueRows, line: Outbound | None = None) -> None:
        self._store = store
        self._line = line
        self._postmaster = Postmaster(store, line)
        self._traced = TimelineOperations(store)

    def table(self) -> dict[str, Operation]:
        """Operations by name, masked; `queue.list` masks by itself, since a page may hold thousands of texts."""
        others: dict[str, Operation] = {
            "queue.show": self.show,
            "queue.count": self.count,
            "queue.stats": self.stats,
            "queue.retry": self.retry,
            "queue.hold": self.hold,
            "queue.release": self.release,
        }
        return {"queue.list": self.list, **masked(others)}

    async def list(self, arguments: Arguments) -> Result:
        """One page of rows, the oldest first; `next`, which stands before them, continues it as `after`."""
        limit = limit_of(arguments, LIMIT, MAX_LIMIT)
        found = await self._store.queued(_selection(arguments), limit + 1, number(arguments, "after", 0))
        more = len(found) > limit
        del found[limit:]
        # Ids may be as long as a line of a header, and their masking would keep the loop from the mail.
        rows = await asyncio.to_thread(_records, found) if len(found) > LIMIT else _records(found)
        return {"next": found[-1].id if more else None, "rows": rows}

    async def show(self, arguments: Arguments) -> Result:
        """One row by its id, or all rows of a Message-ID, each with what its reason means and what to do."""
        asked = text(arguments, "row").strip()
        rows: list[Queued] = []
        for selection in _named(asked):
            rows = await self._store.queued(selection, MAX_LIMIT)
            if rows:
                break
        else:
            raise OperationRefused(
                f"Nothing in the queue is called {asked}: it has left, or was never queued; "
                "`mss-gateway trace` tells what became of a message",
                "not-queued",
                NOT_FOUND,
            )
        return {
            "rows": [self._in_full(row) for row in rows],
            "timeline": await self._timeline(rows[0].message_id),
        }

    async def _timeline(self, message_id: str | None) -> Result | None:
        """What `trace` tells of the message; None when nothing is known."""
        try:
            return await self._traced.trace({"message_id": message_id or "", "limit": LINES})
        except OperationRefused:
            return None

    def _in_full(self, row: Queued) -> Result:
        reason = slug_of(row.last_error)
        silence = self._line.silences.get(row.domain) if self._line is not None else None
        return {
            **_record(row),
            "reason": reason,
            "meaning": meaning_of(reason),
            "remedy": remedy_for(reason).replace("…", row.domain),
            "silent_until": silence.until if silence is not None else None,
        }

    async def count(self, arguments: Arguments) -> Result:
        """How many rows a selection holds, and how many of them are under way."""
        selection = _chosen(arguments)
        found = after = under_way = 0
        while rows := await self._store.queued(selection, MAX_LIMIT, after):
            found, after = found + len(rows), rows[-1].id
            under_way += sum(row.state == "leased" for row in rows)
        return {"rows": found, "under_way": under_way}

    async def stats(self, _: Arguments) -> Result:
        """What waits, by domain, the oldest first, and in all; with what the running gateway knows of each domain."""
        found = await self._store.queue_by_domain()
        found.sort(key=lambda one: one.oldest_at)
        counted = self._line.counted if self._line is not None else {}
        return {
            "at": time.time(),
            "running": self._line is not None,
            "totals": {
                "rows": sum(one.rows for one in found),
                **{name: sum(getattr(one, name) for one in found) for name in _COUNTS},
                "domains": len(found),
                "under_way": sum(self._line.under_way.values()) if self._line is not None else 0,
                "oldest_at": min((one.oldest_at for one in found), default=None),
            },
            "since_start": {
                "relayed": counted.get(Event.RELAYED, 0),
                "deferred": counted.get(Event.RELAY_DEFERRED, 0),
                "failed": counted.get(Event.RELAY_FAILED, 0),
            },
            "domains": [self._domain(one) for one in found],
        }

    def _domain(self, one: DomainQueue) -> Result:
        record: Result = {
            "domain": one.domain,
            "rows": one.rows,
            **{name: getattr(one, name) for name in _COUNTS},
            "attempts": one.attempts,
            "oldest_at": one.oldest_at,
            "next_attempt_at": one.next_attempt,
            "last_error": one.last_error,
            "under_way": 0,
            "silence": None,
        }
        if self._line is not None:
            record["under_way"] = self._line.under_way.get(one.domain, 0)
            silence = self._line.silences.get(one.domain)
            if silence is not None:
                record["silence"] = {
                    "until": silence.until,
                    "failures": silence.failures,
                    "reason": silence.why.reason,
                    "text": silence.why.text,
                }
        return record

    async def retry(self, arguments: Arguments) -> Result:
        """Try now what waits for later; the silence of its domains ends."""
        return await _changed(self._postmaster.retry, arguments)

    async def hold(self, arguments: Arguments) -> Result:
        """Keep back until released."""
        return await _changed(self._postmaster.hold, arguments)

    async def release(self, arguments: Arguments) -> Result:
        """Let held rows go."""
        return await _changed(self._postmaster.release, arguments)


class WithdrawalOperations:
    """`queue cancel`, which writes to the senders and so needs the line."""

    def __init__(self, store: QueueRows, line: Outbound, withdrawal: Withdrawal) -> None:
        self._postmaster = Postmaster(store, line)
        self._withdrawal = withdrawal

    def table(self) -> dict[str, Operation]:
        """Operations by name, masked."""
        return masked({"queue.cancel": self.cancel})

    async def cancel(self, arguments: Arguments) -> Result:
        """Take out of the queue for good; each sender gets a failure report, unless `report` is false."""
        tell = flag({"report": True, **arguments}, "report")

        async def cancel(selection: Selection, actor: str, reason: str, after: int) -> Changed:
            end = partial(self._withdrawal.cancel, actor=actor, reason=reason, tell=tell)
            return await self._postmaster.each(selection, after, end, CANCEL_STEP)

        return {**await _changed(cancel, arguments), "report": tell}


_COUNTS = ("waiting", "leased", "uncertain", "held", "octets")
_Change = Callable[[Selection, str, str, int], Awaitable[Changed]]


async def _changed(change: _Change, arguments: Arguments) -> Result:
    """Rows changed and rows under way; `next`, when the change took too long, is to be given as `after`."""
    reason, actor = text(arguments, "reason", "")[:MAX_REASON], text(arguments, "actor", "ops")
    done = await change(_chosen(arguments), actor, reason, number(arguments, "after", 0))
    return {"rows": done.rows, "under_way": done.under_way, "next": done.after}


def _selection(arguments: Arguments) -> Selection:
    """The rows asked for; raises `OperationRefused`."""
    given = {name: text(arguments, name) for name in _SELECTORS[1:] if arguments.get(name) is not None}
    state = given.get("state")
    if state is not None and state not in STATES:
        raise OperationRefused(f"A state is one of {', '.join(sorted(STATES))}", "bad-argument", USAGE)
    ids = arguments.get("ids") or []
    if not isinstance(ids, list) or not all(type(one) is int and 0 < one < 1 << 63 for one in ids):
        raise OperationRefused("The ids are numbers, as `queue list` shows them", "bad-argument", USAGE)
    message = given.get("message")
    sender = given.get("sender")
    return Selection(
        ids=tuple(ids),
        message_id=None if message is None else _bracketed(message),
        sender="" if sender == "<>" else sender,
        recipient=given.get("recipient"),
        domain=given.get("domain"),
        state=state,
    )


def _chosen(arguments: Arguments) -> Selection:
    """The rows to change. A selection that says nothing is a slip, unless everything is meant."""
    selection = _selection(arguments)
    if selection == Selection() and not flag(arguments, "everything"):
        raise OperationRefused(
            "Say which rows: ids, --message, --sender, --recipient, --domain or --state; --all for everything",
            "empty-selection",
            USAGE,
        )
    return selection


def _named(asked: str) -> list[Selection]:
    """What a row or message may be called: an id, a Message-ID with or without its brackets."""
    if asked.isdecimal() and len(asked) < 19:
        return [Selection(ids=(int(asked),))]
    return [Selection(message_id=_bracketed(asked)), Selection(message_id=asked)]


def _bracketed(message_id: str) -> str:
    bare = message_id.strip().removeprefix("Message-ID:").strip()
    return f"<{bare.removeprefix('<').removesuffix('>')}>".encode("utf-8", "replace").decode()


def _records(rows: Iterable[Queued]) -> list[Result]:
    return [_record(row) for row in rows]


def _record(row: Queued) -> Result:
    """A row as JSON."""
    return {
        "id": row.id,
        "message_id": _masked_id(row.message_id) if row.message_id else None,
        "sender": _mask(row.sender),
        "recipient": _mask(row.recipient),
        "domain": row.domain,
        "state": row.state,
        "attempts": row.attempts,
        "queued_at": row.queued_at,
        "next_attempt_at": row.next_attempt,
        "last_attempt_at": row.last_attempt,
        "last_error": _mask(row.last_error),
        "uncertain": row.uncertain,
        "size": row.size,
        "hold_reason": _mask(row.hold_reason),
        "behind": row.behind,
    }


def _masked_id(message_id: str) -> str:
    """Each is another one: those with too few digits for an INS are spared the search."""
    octets = message_id.encode("utf-8", "replace")
    if len(octets) - len(octets.translate(None, b"0123456789")) < _FEWEST_DIGITS:
        return message_id
    return mask_text(message_id)
