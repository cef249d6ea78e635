"""Patient mailboxes, where this gateway is their operator (PAT-1)."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address, parse_address
from mss_gateway.ports.records import BoxChoices, BoxRow, NewBox
from mss_gateway.ports.store import AlreadyExists
from mss_gateway.rules.boxes import check_alert, check_patient
from mss_gateway.rules.facts import BoxState, BoxType, House
from mss_gateway.rules.ins import mask_text

from .boxes import Provisioning, change_state, checked, hash_password
from .carers import carers_of, tie_carer, untie_carer
from .operation import (
    CONFLICT,
    NOT_ALLOWED,
    NOT_FOUND,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    text,
)
from .patient_rows import PatientRows, choice_trace
from .tracing import traced


class PatientOperations:
    """`patient add|list|close|activate|import|set|carer`."""

    def __init__(self, provisioning: Provisioning, house: House, hosted: bool) -> None:
        self._p = provisioning
        self._house = house
        self._hosted = hosted

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "patient.add": self.add,
            "patient.list": self.list,
            "patient.close": self.close,
            "patient.activate": self.activate,
            "patient.import": self.import_,
            "patient.set": self.set,
            "patient.carer": self.carer,
        }

    async def add(self, arguments: Arguments) -> Result:
        """Create a patient's mailbox, activated when a password comes with it."""
        address = self._address(arguments)
        hashed = await self._hash(arguments, str(address))
        box = NewBox(
            address=str(address),
            type=BoxType.PAT,
            display=text(arguments, "display", ""),
            state=BoxState.ACTIVE if hashed else BoxState.NOT_ACTIVATED,
        )
        try:
            row = await self._p.rows.add_box(
                box, traced("patient-add", arguments, None, address=str(address))
            )
        except AlreadyExists:
            raise OperationRefused("There is such a patient mailbox already", "exists", CONFLICT) from None
        if hashed:
            await self._holder(arguments, row, hashed)
        return {"patient": patient_record(row, flag(arguments, "full"))}

    async def _hash(self, arguments: Arguments, login: str) -> str:
        return await hash_password(self._p.hasher, arguments, login) if arguments.get("password") else ""

    async def _holder(self, arguments: Arguments, row: BoxRow, hashed: str) -> None:
        trace = traced("person-add", arguments, row.id)
        person = await self._p.rows.add_person(row.address, row.display, "", hashed, trace)
        await self._p.rows.add_member(row.id, person.id, "holder", traced("bal-member", arguments, row.id))

    async def list(self, arguments: Arguments) -> Result:
        """All patient mailboxes, INS masked unless `full` is asked for (INS-7)."""
        full = flag(arguments, "full")
        return {"patients": [patient_record(row, full) for row in await self._p.rows.boxes(["PAT"])]}

    async def close(self, arguments: Arguments) -> Result:
        """Close: whoever writes gets the bounce of PAT-2."""
        row = await change_state(self._p.rows, arguments, await self._found(arguments), BoxState.CLOSED)
        return {"patient": patient_record(row, flag(arguments, "full"))}

    async def activate(self, arguments: Arguments) -> Result:
        """Activate with a password, or take up again after a closure."""
        row = await self._found(arguments)
        hashed = await self._hash(arguments, row.address)
        person = await self._p.rows.person(row.address)
        if person is None and not hashed:
            raise OperationRefused("A first activation needs a password", "password-missing", USAGE)
        row = await change_state(self._p.rows, arguments, row, BoxState.ACTIVE)
        if person is None:
            await self._holder(arguments, row, hashed)
        elif hashed:
            await self._p.rows.set_password(person.id, hashed, traced("person-passwd", arguments, row.id))
        return {"patient": patient_record(row, flag(arguments, "full"))}

    async def set(self, arguments: Arguments) -> Result:
        """Change where the patient is told of new messages (PAT-3), or the name shown; an empty `alert` for nowhere."""
        row = await self._found(arguments)
        alert = text(arguments, "alert") if arguments.get("alert") is not None else None
        display = text(arguments, "display") if arguments.get("display") is not None else None
        if alert:
            checked(lambda: check_alert(alert, self._house, self._p.hosted))
        if alert is None and display is None:
            raise OperationRefused("Say what to change: --alert or --name", "nothing-to-change", USAGE)
        choices = BoxChoices(display=display, alert_address=alert)
        row = await self._p.rows.set_box_choices(row.id, choices, choice_trace(arguments, row, choices))
        return {"patient": patient_record(row, flag(arguments, "full"))}

    async def carer(self, arguments: Arguments) -> Result:
        """Let a carer's login read and answer for the patient, or no longer (PAT-6)."""
        row = await self._found(arguments)
        if flag(arguments, "remove"):
            await untie_carer(self._p, arguments, row)
        else:
            await tie_carer(self._p, arguments, row)
        carers = await carers_of(self._p.rows, row)
        return {"patient": {**patient_record(row, flag(arguments, "full")), "carers": carers}}

    async def import_(self, arguments: Arguments) -> Result:
        """Create or change mailboxes by rows of `ins`, `name`, `state`, `alert`, each with its `line` (PAT-1)."""
        self._check_hosted()
        return await PatientRows(self._p, self._address).run(arguments)

    async def _found(self, arguments: Arguments) -> BoxRow:
        row = await self._p.rows.box(self._address(arguments).key)
        if row is None:
            raise OperationRefused(
                "There is no such patient mailbox: see `patient list`", "unknown-box", NOT_FOUND
            )
        return row

    def _check_hosted(self) -> None:
        if not self._hosted:
            raise OperationRefused(
                "This gateway does not host patients: set domains.patient_hosted = true",
                "not-patient-operator",
                NOT_ALLOWED,
            )

    def _address(self, arguments: Arguments) -> Address:
        self._check_hosted()
        value = text(arguments, "ins")
        if "@" not in value:
            value = f"{value}@{self._house.patient_domain}"
        try:
            address = parse_address(value.upper() if value[:15].isalnum() else value)
            ins = check_patient(address, self._house)
        except InvalidValue as invalid:
            sentence = invalid.public[:1].upper() + invalid.public[1:]
            raise OperationRefused(sentence, invalid.reason, USAGE) from None
        return Address(str(ins), address.domain)


def patient_record(row: BoxRow, full: bool) -> Result:
    """A patient mailbox as JSON; the INS masked unless asked for in full (INS-7)."""
    return {
        "address": row.address if full else mask_text(row.address),
        "state": row.state.value,
        "display": row.display,
        "alert_address": row.alert_address,
        "created_at": row.created_at,
        "state_reason": row.state_reason,
    }
