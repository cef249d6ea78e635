"""Mailboxes from a file: row by row, then what the file no longer names (BAL-1..5, BAL-9)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.ports.imports import BoxImports, BoxPlan, ImportOutcome, StalePlan
from mss_gateway.ports.store import AlreadyExists, DirectoryRows
from mss_gateway.rules.box_rows import WantedBox, check_closing, parse_box_row
from mss_gateway.rules.facts import BoxState
from mss_gateway.rules.ins import mask_text

from .box_planning import Planner
from .boxes import change_state, checked
from .imports import numbered, refused_line
from .operation import (
    NOT_ALLOWED,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    number,
    text,
    texts,
)
from .tracing import traced

AT_ONCE = 50
"""Rows of one commit: some ten milliseconds, so that mail that arrives meanwhile does not wait for a batch."""

KNOWN = 5000
"""Addresses of one answer."""

OVER = (BoxState.CLOSED, BoxState.PURGED)
STALE = (StalePlan, AlreadyExists)
"""What the store says of a plan that another row or command came before."""


class ImportRows(DirectoryRows, BoxImports, Protocol):
    """What the import needs of the store."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One row that could be read."""

    line: int
    wanted: WantedBox


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of some rows."""

    refused: list[Result] = field(default_factory=list)
    warned: list[Result] = field(default_factory=list)
    plan: list[Result] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=lambda: Counter(created=0, updated=0, unchanged=0))

    def add(self, other: _Taken) -> None:
        """Those of further rows."""
        for mine, theirs in (
            (self.refused, other.refused),
            (self.warned, other.warned),
            (self.plan, other.plan),
        ):
            mine += theirs
        self.counts.update(other.counts)


class BoxImportOperations:
    """`bal import`, in the pieces that commands and the scheduled import put together."""

    def __init__(
        self,
        rows: ImportRows,
        hosted: frozenset[str],
        spared: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`spared` is the address of the mailbox that the gateway has for itself."""
        self._rows = rows
        self._hosted = hosted
        self._spared = spared.lower()
        self._clock = clock

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "bal.import": self.import_,
            "bal.import-known": self.known,
            "bal.import-close": self.close,
            "bal.import-note": self.note,
            "bal.import-status": self.status,
        }

    async def import_(self, arguments: Arguments) -> Result:
        """Take a batch of rows, each a record of texts with its `line`; the good ones are kept.

        `exact` takes members away that a row no longer names. With `dry_run` nothing is written. Answers `created`,
        `updated`, `unchanged`, `refused` and `warned` with lines, and `plan`: what each row changes.
        """
        source = mask_text(text(arguments, "source", ""))
        refused: list[Result] = []
        read: list[_Read] = []
        for count, (line, row) in enumerate(numbered(arguments), 1):
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                read.append(_Read(line, self._wanted(row)))
            except InvalidValue as invalid:
                refused.append(refused_line(line, invalid.public, invalid.reason))
        done = _Taken(refused)
        for start in range(0, len(read), AT_ONCE):
            piece = read[start : start + AT_ONCE]
            try:
                done.add(await self._taken(piece, arguments, source))
            except STALE:
                # Two rows contradict each other, or another import runs: each row by itself, after those before it.
                for one in piece:
                    done.add(await self._taken_alone(one, arguments, source))
        return {**done.counts, "refused": done.refused, "warned": done.warned, "plan": done.plan}

    async def _taken_alone(self, one: _Read, arguments: Arguments, source: str) -> _Taken:
        try:
            return await self._taken([one], arguments, source)
        except STALE:
            sentence = "the mailbox or its people were changed meanwhile: import the file again"
            return _Taken([refused_line(one.line, sentence, "changed-meanwhile")])

    async def _taken(self, piece: list[_Read], arguments: Arguments, source: str) -> _Taken:
        """What the rows change, in one commit; those that change nothing are counted. Raises `STALE`."""
        census = await self._rows.census(*_asked(piece))
        planner = Planner(census, source, flag(arguments, "exact"))
        done = _Taken()
        plans: list[BoxPlan] = []
        for one in piece:
            try:
                plan = planner.plan(one.wanted)
            except InvalidValue as invalid:
                done.refused.append(refused_line(one.line, invalid.public, invalid.reason))
                continue
            done.warned.extend(
                refused_line(one.line, sentence, reason) for sentence, reason in planner.warnings
            )
            if plan is None:
                done.counts["unchanged"] += 1
                continue
            done.counts["created" if plan.new is not None else "updated"] += 1
            done.plan.append(_told(one.line, plan))
            plans.append(plan)
        if plans and not flag(arguments, "dry_run"):
            await self._rows.carry_out(plans, traced("bal-import", arguments, None, source=source))
        return done

    def _wanted(self, row: Mapping[str, str]) -> WantedBox:
        wanted = parse_box_row(row)
        if wanted.address.domain not in self._hosted:
            raise InvalidValue(f"{wanted.address.domain} is not hosted here", "domain-not-hosted")
        return wanted

    async def known(self, arguments: Arguments) -> Result:
        """Address keys of professionals' mailboxes in use after `after`, and where to go on, empty at the end.

        The mailbox of the doctor's round trip is nobody's: no file names it, and none closes it.
        """
        rows = await self._rows.boxes_after(text(arguments, "after", ""), KNOWN)
        keys = [parse_address(row.address).key for row in rows]
        used = [
            key
            for key, row in zip(keys, rows, strict=True)
            if row.state not in OVER and row.address.lower() != self._spared
        ]
        return {"known": used, "after": keys[-1] if keys else ""}

    async def close(self, arguments: Arguments) -> Result:
        """Close the mailboxes `addresses`, which a file no longer names.

        `closing`, `in_use`, `unread` and `percent` are the figures of the whole file; without `force` too many are
        refused.
        """
        if not flag(arguments, "force"):
            figures = [number(arguments, name) for name in ("closing", "in_use", "percent", "unread")]
            checked(lambda: check_closing(*figures), NOT_ALLOWED)
        source = mask_text(text(arguments, "source", ""))
        reason = text(arguments, "reason", "") or f"not in {source} any more"
        closed = 0
        for address in texts(arguments, "addresses"):
            box = await self._rows.box(address)
            if box is None or box.state in OVER:
                continue
            await change_state(self._rows, {**arguments, "reason": reason}, box, BoxState.CLOSED)
            closed += 1
        return {"closed": closed}

    async def note(self, arguments: Arguments) -> Result:
        """Keep what became of an import of the file `source`."""
        counts = arguments.get("outcome")
        if not isinstance(counts, dict) or not all(isinstance(one, int | str) for one in counts.values()):
            raise OperationRefused("The argument outcome is no record", "bad-argument", USAGE)
        masked = {name: mask_text(one) if isinstance(one, str) else one for name, one in counts.items()}
        source = mask_text(text(arguments, "source"))
        outcome = ImportOutcome(source, self._clock(), text(arguments, "digest", ""), masked)
        await self._rows.note_import(outcome)
        return {}

    async def status(self, arguments: Arguments) -> Result:
        """What became of the last import of each file, the latest first."""
        return {
            "imports": [
                {"source": one.source, "imported_at": one.at, **one.outcome}
                for one in await self._rows.import_outcomes()
            ]
        }


def _asked(piece: list[_Read]) -> tuple[list[str], list[str], list[str]]:
    keys, logins, numbers = [], [], []
    for one in piece:
        wanted = one.wanted
        keys.append(wanted.address.key)
        logins += [str(wanted.address).lower(), *(login.lower() for login in wanted.members or ())]
        if wanted.login:
            logins.append(wanted.login.lower())
        if wanted.national_id:
            numbers.append(wanted.national_id)
    return keys, logins, numbers


def _told(line: int, plan: BoxPlan) -> Result:
    box = plan.new if plan.new is not None else plan.box
    return {
        "line": line,
        "address": box.address if box is not None else "",
        "action": "create" if plan.new is not None else "update",
        "changes": list(plan.changes),
    }
