"""`audit verify`, `audit purge`, `audit export`, `indicators`: the functional trace as evidence (AUD-1, AUD-3)."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Protocol

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.pipeline.auditing import AuditOptions, months_before
from mss_gateway.ports.audit import Audit, AuditQuery, Damage
from mss_gateway.ports.records import BoxRow
from mss_gateway.ports.store import DirectoryRows, Trace
from mss_gateway.rules.audit import KINDS

from .audit_rows import record
from .operation import (
    CONFLICT,
    NOT_FOUND,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    local,
    midnight,
    number,
    text,
)
from .tracing import traced

PAGE = 1000
"""Lines of one page of an export; the command asks for page after page."""

FIGURES = 5000
"""Lines counted in one commit."""


class AuditStore(Audit, Trace, DirectoryRows, Protocol):
    """What these operations need of the store."""


class AuditOperations:
    """The commands of the noun `audit`, and `indicators`."""

    def __init__(self, store: AuditStore, options: AuditOptions) -> None:
        self._store = store
        self._options = options

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "audit.verify": self.verify,
            "audit.purge": self.purge,
            "audit.export": self.export,
            "indicators": self.indicators,
        }

    async def verify(self, arguments: Arguments) -> Result:
        """Go through the whole chain; `good` when nothing was done to it."""
        began = time.monotonic()
        verdict = await self._store.verify_trace()
        return {
            "good": not verdict.damage,
            "lines": verdict.lines,
            "last_line": verdict.last_id,
            "seals": verdict.seals,
            "seconds": round(time.monotonic() - began, 3),
            "damage": [_told(damage) for damage in verdict.damage],
            "more": verdict.more,
        }

    async def purge(self, arguments: Arguments) -> Result:
        """Remove old lines; refused when the chain up to there is damaged: evidence is not thrown away."""
        before = self._before(arguments)
        plan = await self._store.plan_purge(before)
        result = {
            "before": local(before).isoformat(timespec="seconds"),
            "lines": plan.count,
            "kept": plan.kept,
            "last_line": plan.boundary,
        }
        if flag(arguments, "dry_run") or plan.count == 0:
            return {**result, "removed": 0}
        verdict = await self._store.verify_trace(plan.boundary)
        if verdict.damage and not flag(arguments, "force"):
            raise OperationRefused(
                "The trace is damaged before that date: `mss-gateway audit verify` tells where. Keep a copy of the"
                " store, then purge with --force",
                "audit-damaged",
                CONFLICT,
            )
        while await self._store.count_figures(FIGURES) == FIGURES:
            pass
        removed = await self._store.purge_trace(plan, text(arguments, "actor", "ops"), time.time())
        return {**result, "removed": removed}

    def _before(self, arguments: Arguments) -> float:
        if arguments.get("before"):
            before = _day(arguments, "before")
            if before > time.time():
                raise OperationRefused("That date is still to come", "bad-argument", USAGE)
            return before
        if not self._options.keep_months:
            raise OperationRefused(
                "audit.keep_months = 0 keeps lines for ever: name a date with --before", "bad-argument", USAGE
            )
        return months_before(time.time(), self._options.keep_months)

    async def export(self, arguments: Arguments) -> Result:
        """One page of the lines asked for; the first one (without `after`) is written down itself."""
        box = await self._box(arguments)
        since, until = _day(arguments, "from"), _day(arguments, "until", days=1)
        if until <= since:
            raise OperationRefused("--until is before --from", "bad-argument", USAGE)
        logins: tuple[str, ...] = ()
        if box is not None:
            ties = await self._store.memberships(box_id=box.id)
            logins = tuple(one.login for one in await self._store.persons([tie.person_id for tie in ties]))
        if "after" in arguments:
            after, last = number(arguments, "after"), number(arguments, "last")
        else:
            after, last = await self._store.first_since(since), await self._store.last_line()
            line = traced(
                "audit-exported",
                arguments,
                None if box is None else box.id,
                since=text(arguments, "from"),
                until=text(arguments, "until"),
            )
            await self._store.write_trace([line])
        query = AuditQuery(since, until, None if box is None else box.id, logins)
        lines, seen = await self._store.audit_lines(query, after, PAGE)
        ids = flag(arguments, "ids")
        done = seen == 0 or seen >= last
        return {
            "lines": [record(line, ids=ids) for line in lines if line.id <= last],
            "after": seen,
            "last": last,
            "done": done,
        }

    async def _box(self, arguments: Arguments) -> BoxRow | None:
        if flag(arguments, "all") == bool(arguments.get("bal")):
            raise OperationRefused("Give --bal ADDRESS or --all: one of them", "bad-argument", USAGE)
        if flag(arguments, "all"):
            return None
        try:
            box = await self._store.box(parse_address(text(arguments, "bal")).key)
        except InvalidValue as invalid:
            raise OperationRefused(f"bal: {invalid.public}", invalid.reason, USAGE) from None
        if box is None:
            raise OperationRefused(
                "There is no such mailbox: `mss-gateway bal list`", "unknown-box", NOT_FOUND
            )
        return box

    async def indicators(self, arguments: Arguments) -> Result:
        """The figures of a month, this one when none is named; `complete` when the month is over."""
        now = datetime.now().astimezone()
        month = text(arguments, "month", f"{now:%Y-%m}")
        try:
            begins = datetime.strptime(month, "%Y-%m").astimezone()
        except ValueError:
            raise OperationRefused(
                "A month is written YYYY-MM, such as 2026-10", "bad-argument", USAGE
            ) from None
        if f"{begins:%Y-%m}" != month or begins > now:
            raise OperationRefused(
                "A month is written YYYY-MM, and has begun, such as 2026-10", "bad-argument", USAGE
            )
        while await self._store.count_figures(FIGURES) == FIGURES:
            pass
        return {
            "month": month,
            "complete": month < f"{now:%Y-%m}",
            "boxes_as_of": now.isoformat(timespec="seconds"),
            "figures": dict(await self._store.figures_of(month)),
            "days": {day: dict(values) for day, values in (await self._store.daily_figures(month)).items()},
        }


def _told(damage: Damage) -> Result:
    who = f"line {damage.first}" if damage.first == damage.last else f"lines {damage.first} to {damage.last}"
    return {
        "kind": damage.kind,
        "first": damage.first,
        "last": damage.last,
        "at": local(damage.at).isoformat(timespec="seconds") if damage.at else None,
        "next_good": damage.following,
        "sentence": f"{who}: {KINDS[damage.kind]}",
    }


def _day(arguments: Arguments, name: str, *, days: int = 0) -> float:
    """The first moment of a day in local time, that many days later; raises `OperationRefused`."""
    try:
        return midnight(date.fromisoformat(text(arguments, name)) + timedelta(days=days))
    except (ValueError, OverflowError):
        raise OperationRefused(f"--{name}: a date is written YYYY-MM-DD", "bad-argument", USAGE) from None
