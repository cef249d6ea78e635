"""The right to write from a mailbox without reading it: `bal delegate` (BAL-6)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from mss_gateway.ports.people import Delegation, People
from mss_gateway.ports.records import BoxRow, Person
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.boxes import check_delegation, check_reason
from mss_gateway.rules.facts import BoxState, BoxType
from mss_gateway.rules.ins import mask_text

from .boxes import BoxOperations, Provisioning, checked
from .operation import (
    CONFLICT,
    NOT_FOUND,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    local,
    moment,
    text,
)
from .tracing import traced


class DelegationRows(DirectoryRows, People, Protocol):
    """What delegations need of the store."""


class DelegationOperations:
    """`bal delegate`; `clock` gives epoch seconds."""

    def __init__(
        self, provisioning: Provisioning, rows: DelegationRows, clock: Callable[[], float] = time.time
    ) -> None:
        self._boxes = BoxOperations(provisioning)
        self._rows = rows
        self._clock = clock

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"bal.delegate": self.delegate}

    async def delegate(self, arguments: Arguments) -> Result:
        """Let the person of `login` write from the box `from` … `until`, or take it away with `remove`."""
        row = await self._boxes.found(arguments)
        login = text(arguments, "login")
        person = await self._rows.person(login)
        if person is None:
            raise OperationRefused(
                f"Nobody has the login {login}: see `person list`", "unknown-login", NOT_FOUND
            )
        if flag(arguments, "remove"):
            await self._remove(arguments, row, person)
        else:
            await self._grant(arguments, row, person)
        return {"address": row.address, "delegates": await delegations_of(self._rows, box_id=row.id)}

    async def _remove(self, arguments: Arguments, row: BoxRow, person: Person) -> None:
        reason = mask_text(text(arguments, "reason", ""))
        trace = traced("bal-delegate-remove", arguments, row.id, login=person.login, reason=reason)
        if not await self._rows.end_delegation(row.id, person.id, trace):
            raise OperationRefused(
                f"{person.login} is no delegate of {row.address}: see `bal show`", "no-delegate", NOT_FOUND
            )

    async def _grant(self, arguments: Arguments, row: BoxRow, person: Person) -> None:
        now = self._clock()
        reason = mask_text(text(arguments, "reason", ""))
        checked(lambda: check_reason(reason))
        text(arguments, "until")  # nobody writes for somebody else without an end
        begins, ends = moment(arguments, "from") or now, moment(arguments, "until", last=True)
        checked(lambda: check_delegation(row.type, begins, ends, now))
        if row.state in (BoxState.CLOSED, BoxState.PURGED):
            raise OperationRefused(f"{row.address} is {row.state.value}", "box-closed", CONFLICT)
        await self._check_delegate(row, person)
        actor = text(arguments, "actor", "ops")
        trace = traced(
            "bal-delegate",
            arguments,
            row.id,
            login=person.login,
            begins=local(begins).isoformat(timespec="minutes"),
            ends=local(ends).isoformat(timespec="minutes"),
            reason=reason,
        )
        await self._rows.delegate(Delegation(row.id, person.id, begins, ends, reason, actor, now), trace)

    async def _check_delegate(self, row: BoxRow, person: Person) -> None:
        """A delegate logs in with a mailbox of their own, and writes from the others without opening them."""
        ties = await self._rows.memberships(person_id=person.id)
        boxes = [await self._rows.box_by_id(tie.box_id) for tie in ties]
        own = [box for box in boxes if box is not None]
        if any(box.type is BoxType.PAT for box in own):
            raise OperationRefused(
                "This login opens a patient's mailbox: nobody writes for a professional with it",
                "patient-login",
                CONFLICT,
            )
        if any(tie.box_id == row.id and tie.role != "responsible" for tie in ties):
            raise OperationRefused(
                f"{person.login} reads {row.address} and may write from it already", "already", CONFLICT
            )
        if person.disabled or not any(box.type is not BoxType.APP for box in own):
            raise OperationRefused(
                f"{person.login} opens no mailbox: a delegate logs in with one of their own",
                "no-mailbox",
                CONFLICT,
            )


async def delegations_of(
    rows: DelegationRows, *, person_id: int | None = None, box_id: int | None = None
) -> list[Result]:
    """Delegations of a box with logins, or of a person with addresses; `active`, `later` or `ended`."""
    now = time.time()
    shown = []
    for one in await rows.delegations(person_id=person_id, box_id=box_id):
        state = "active" if one.begins <= now < one.ends else "later" if now < one.begins else "ended"
        if box_id is not None:
            people = await rows.persons([one.person_id])
            who = {"login": people[0].login, "name": people[0].name} if people else {}
        else:
            box = await rows.box_by_id(one.box_id)
            who = {"address": box.address} if box is not None else {}
        shown.append(
            {
                **who,
                "state": state,
                "from_at": one.begins,
                "until_at": one.ends,
                "reason": one.reason,
                "granted_by": one.granted_by,
                "granted_at": one.granted_at,
            }
        )
    return shown
