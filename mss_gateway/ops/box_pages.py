"""Mailboxes as ops look at them: one with all that hangs on it, lists by what is wrong, the history (BAL-3, BAL-5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from mss_gateway.ports.access import Rooms
from mss_gateway.ports.people import People
from mss_gateway.ports.records import BoxRow
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.facts import BoxState, BoxType

from .boxes import BoxOperations, Provisioning, box_type, record
from .delegations import delegations_of
from .operation import USAGE, Arguments, Operation, OperationRefused, Result, flag, limit_of, number, text
from .quotas import room_record

DAY = 86400.0
CHUNK = 500
"""Boxes of one question to the store: mail that is read meanwhile does not wait for all of them."""

HISTORY = 200
"""Changes that are shown when nothing else is asked for."""

LIFE = (
    "bal-add",
    "bal-active",
    "bal-suspended",
    "bal-closed",
    "bal-purge",
    "bal-set",
    "bal-quota",
    "bal-member",
    "bal-member-remove",
    "bal-certificate",
    "bal-delegate",
    "bal-delegate-remove",
    "bal-import",
    "quota-warned",
    "person-add",
)
"""Events of the trace that change what a mailbox is and who may use it."""

_OVER = (BoxState.CLOSED, BoxState.PURGED)


class PageRows(DirectoryRows, People, Rooms, Protocol):
    """What the pages read of the store."""


class BoxPages:
    """`bal show`, `bal list`, `bal history`; `clock` gives epoch seconds."""

    def __init__(
        self, provisioning: Provisioning, rows: PageRows, clock: Callable[[], float] = time.time
    ) -> None:
        self._boxes = BoxOperations(provisioning)
        self._rows = rows
        self._clock = clock

    def table(self) -> dict[str, Operation]:
        """Operations by name; `bal.show` here takes the place of the plain one."""
        return {"bal.show": self.show, "bal.list": self.list_, "bal.history": self.history}

    async def show(self, arguments: Arguments) -> Result:
        """One box with its people, its delegates, how full it is, when it was last used."""
        row = await self._boxes.found(arguments)
        result = await self._boxes.show(arguments)
        structure = await self._rows.structure(row.structure)
        people = await self._rows.persons_by_national_id(row.responsible)
        (seen,) = await self._rows.last_seen([row.id])
        return {
            "bal": {
                **result["bal"],
                **room_record(await self._rows.room(row.id)),
                "structure_name": structure.name if structure is not None else "",
                "responsible_name": ", ".join(one.name for one in people),
                "responsible_known": any(not one.disabled for one in people) if row.responsible else None,
                "delegates": await delegations_of(self._rows, box_id=row.id),
                "login_at": seen.login_at or None,
                "mail_at": seen.mail_at or None,
            }
        }

    async def list_(self, arguments: Arguments) -> Result:
        """All boxes, or those of a type, of a state, without use for days, or that nobody answers for."""
        wanted = text(arguments, "type", "")
        kinds = [box_type(wanted)] if wanted else [kind for kind in BoxType if kind is not BoxType.PAT]
        rows = await self._rows.boxes([kind.value for kind in kinds])
        if state := text(arguments, "state", ""):
            rows = [row for row in rows if row.state is _state(state)]
        if arguments.get("inactive_days") is not None:
            return {"bals": await self._inactive(rows, number(arguments, "inactive_days"))}
        if flag(arguments, "orphaned"):
            return {"bals": await self._orphaned(rows)}
        return {"bals": [record(row) for row in rows]}

    async def _inactive(self, rows: Sequence[BoxRow], days: int) -> list[Result]:
        """Neither a login nor a message since so many days; a box that was made since then is not inactive."""
        before = self._clock() - days * DAY
        open_ = [row for row in rows if row.state not in _OVER and row.created_at < before]
        found = []
        for start in range(0, len(open_), CHUNK):
            chunk = open_[start : start + CHUNK]
            seen = {one.box_id: one for one in await self._rows.last_seen([row.id for row in chunk])}
            for row in chunk:
                last = seen[row.id]
                if max(last.login_at, last.mail_at) < before:
                    used = {"login_at": last.login_at or None, "mail_at": last.mail_at or None}
                    found.append({**record(row), **used})
        return found

    async def _orphaned(self, rows: Sequence[BoxRow]) -> list[Result]:
        """Boxes that nobody answers for, with the reason: nobody named, not registered here, disabled."""
        open_ = [row for row in rows if row.state not in _OVER]
        known: dict[str, bool] = {}
        wanted = sorted({row.responsible for row in open_ if row.responsible})
        for start in range(0, len(wanted), CHUNK):
            known |= await self._rows.known_people(wanted[start : start + CHUNK])
        found = []
        for row in open_:
            why = await self._without_holder(row) if row.type is BoxType.PER else _why(row, known)
            if why:
                found.append({**record(row), "why": why})
        return found

    async def _without_holder(self, row: BoxRow) -> str:
        ties = await self._rows.memberships(box_id=row.id)
        people = await self._rows.persons([tie.person_id for tie in ties if tie.role == "holder"])
        if not people:
            return "no-holder"
        return "" if any(not one.disabled for one in people) else "holder-disabled"

    async def history(self, arguments: Arguments) -> Result:
        """Every change of one box with who, why and when, the latest so many, oldest first."""
        row = await self._boxes.found(arguments)
        lines = await self._rows.box_history(row.id, LIFE, limit_of(arguments, HISTORY, 5000))
        return {
            "address": row.address,
            "created_at": row.created_at,
            "history": [
                {
                    "changed_at": line.at,
                    "event": line.event,
                    "actor": line.actor,
                    "reason": str(line.detail.get("reason", "")),
                    "detail": {name: value for name, value in line.detail.items() if name != "reason"},
                }
                for line in lines
            ],
        }


def _why(row: BoxRow, known: dict[str, bool]) -> str:
    if not row.responsible:
        return "no-responsible"
    if row.responsible not in known:
        return "responsible-unknown"
    return "" if known[row.responsible] else "responsible-disabled"


def _state(value: str) -> BoxState:
    try:
        return BoxState(value)
    except ValueError:
        raise OperationRefused(
            f"{value!r} is no state: active, suspended, closed or purged", "bad-argument", USAGE
        ) from None
