"""Patient mailboxes by rows of a file (PAT-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

from mss_gateway.mail.address import Address
from mss_gateway.ports.records import BoxChoices, BoxRow, NewBox, TraceLine
from mss_gateway.ports.store import AlreadyExists
from mss_gateway.rules.boxes import check_alert, check_transition, parse_patient_state
from mss_gateway.rules.facts import BoxState, BoxType

from .boxes import Provisioning, change_state, checked
from .imports import numbered, refused_line, understood
from .operation import CONFLICT, Arguments, OperationRefused, Result, flag, text
from .tracing import traced

Row = Mapping[str, str]


class PatientRows:
    """Brings mailboxes to what the rows say; `address_of` reads the argument `ins`."""

    def __init__(self, provisioning: Provisioning, address_of: Callable[[Arguments], Address]) -> None:
        self._p = provisioning
        self._address_of = address_of

    async def run(self, arguments: Arguments) -> Result:
        """The argument `rows`; rows about one patient in their order, the others at the same time.

        So a batch costs a few commits and not one for each row.
        """
        patients: dict[str, list[tuple[int, Row]]] = {}
        for number, row in numbered(arguments):
            patients.setdefault("".join(row.get("ins", "").upper().split()), []).append((number, row))
        done = await asyncio.gather(*(self._patient(arguments, rows) for rows in patients.values()))
        results = sorted((result for patient in done for result in patient), key=lambda one: one[0])
        return {
            "imported": sum(changed is True for _, changed in results),
            "unchanged": sum(changed is False for _, changed in results),
            "refused": [changed for _, changed in results if isinstance(changed, dict)],
        }

    async def _patient(
        self, arguments: Arguments, rows: list[tuple[int, Row]]
    ) -> list[tuple[int, bool | Result]]:
        found: list[tuple[int, bool | Result]] = []
        for number, row in rows:
            try:
                found.append((number, await self._row(arguments, row)))
            except OperationRefused as refused:
                found.append((number, refused_line(number, refused.sentence, refused.reason)))
        return found

    async def _row(self, arguments: Arguments, row: Row) -> bool:
        """One row; True when it changes anything. An empty field leaves as it is; raises `OperationRefused`."""
        address = self._address_of({"ins": "".join(row.get("ins", "").split())})
        state, reason = understood(parse_patient_state, row.get("state", ""))
        name, alert = " ".join(row.get("name", "").split()), row.get("alert", "")
        if alert:
            checked(lambda: check_alert(alert, self._p.house, self._p.hosted))
        dry_run = flag(arguments, "dry_run")
        reason = reason or f"import {text(arguments, 'source', '')}".strip()
        before = await self._p.rows.box(address.key)
        if before is None:
            box = NewBox(
                str(address), BoxType.PAT, name, state or BoxState.NOT_ACTIVATED, alert_address=alert
            )
            if not dry_run:
                await self._add(arguments, box, reason)
            return True
        moves = state is not None and state is not before.state
        if state is not None and moves:
            after = state
            checked(lambda: check_transition(BoxType.PAT, before.state, after), CONFLICT)
        choices = BoxChoices(
            display=name if name not in ("", before.display) else None,
            alert_address=alert if alert not in ("", before.alert_address) else None,
        )
        chooses = choices != BoxChoices()
        if state is not None and moves and not dry_run:
            await change_state(self._p.rows, {**arguments, "reason": reason}, before, state)
        if chooses and not dry_run:
            await self._p.rows.set_box_choices(before.id, choices, choice_trace(arguments, before, choices))
        return moves or chooses

    async def _add(self, arguments: Arguments, box: NewBox, reason: str) -> None:
        trace = traced("patient-add", arguments, None, address=box.address, reason=reason)
        try:
            row = await self._p.rows.add_box(box, trace)
        except AlreadyExists:
            raise OperationRefused("There is such a patient mailbox already", "exists", CONFLICT) from None
        if box.state is BoxState.CLOSED:  # written down with its reason, which a new row does not have
            trace = traced("bal-closed", arguments, row.id, reason=reason)
            await self._p.rows.set_box_state(row.id, box.state, reason, trace)


def choice_trace(arguments: Arguments, row: BoxRow, choices: BoxChoices) -> TraceLine:
    """That something was chosen; where a patient is reached, and a name, are no matter of the timeline."""
    named = {
        name: "set" if value else "removed" for name, value in asdict(choices).items() if value is not None
    }
    return traced("patient-set", arguments, row.id, **named)
