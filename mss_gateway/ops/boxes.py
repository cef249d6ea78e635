"""Mailboxes of professionals: add, list, show, suspend, activate, close, passwd, member (BAL-1..5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.base.errors import InvalidValue
from mss_gateway.base.secret import Secret
from mss_gateway.mail.address import Address, parse_address
from mss_gateway.ports.access import Access
from mss_gateway.ports.identity import Hasher
from mss_gateway.ports.people import People, PersonChoices
from mss_gateway.ports.records import BoxRow, Membership, NewBox, Person
from mss_gateway.ports.store import AlreadyExists, DirectoryRows
from mss_gateway.rules.access import stored
from mss_gateway.rules.boxes import (
    check_box,
    check_fin,
    check_member,
    check_purge,
    check_reason,
    check_transition,
)
from mss_gateway.rules.facts import BoxState, BoxType, House
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.national import check_person_id

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
    texts,
)
from .tracing import traced

MIN_PASSWORD = 12  # characters


class PeopleRows(DirectoryRows, People, Protocol):
    """The directory, with what its people may do."""

    async def access(self, box_id: int, person_id: int) -> Access | None:
        """The rights of a person in a box."""


@dataclass(frozen=True, slots=True)
class Provisioning:
    """What the directory operations work with; `hosted` are our professional domains."""

    rows: PeopleRows
    hasher: Hasher
    hosted: frozenset[str]
    house: House


class BoxOperations:
    """`bal …`."""

    def __init__(self, provisioning: Provisioning) -> None:
        self._p = provisioning

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "bal.add": self.add,
            "bal.show": self.show,
            "bal.suspend": self.suspend,
            "bal.activate": self.activate,
            "bal.close": self.close,
            "bal.purge": self.purge,
            "bal.passwd": self.passwd,
            "bal.member": self.member,
            "bal.certificate": self.certificate,
        }

    async def add(self, arguments: Arguments) -> Result:
        """Provision a box, its holder or members, and its certificate; all is checked before anything is written."""
        address = self._hosted(text(arguments, "address"))
        kind = box_type(text(arguments, "type"))
        national_id = text(arguments, "national_id", "")
        box = NewBox(
            address=str(address),
            type=kind,
            display=text(arguments, "display", ""),
            structure=text(arguments, "structure", ""),
            responsible=text(arguments, "responsible", ""),
            patient_initiated=flag(arguments, "patient_initiated"),
            fin=text(arguments, "fin", "fin"),
            password_login=flag(arguments, "password_login"),
        )
        with_certificate = text(arguments, "certificate_dn", "")
        checked(lambda: check_box(kind, national_id, box.structure, box.responsible))
        checked(lambda: check_fin(box.fin))
        if with_certificate and kind is not BoxType.APP:
            raise OperationRefused(
                "Only an APP mailbox logs in with a certificate", "certificate-not-app", USAGE
            )
        if kind is BoxType.APP and not with_certificate and not box.password_login:
            raise OperationRefused(
                "An APP mailbox needs --certificate, or --password-login to allow a password",
                "app-login",
                USAGE,
            )
        login = text(arguments, "login", str(address))
        password = await self._hash(arguments, login) if arguments.get("password") else ""
        row = await self._add_row(arguments, box)
        if kind is BoxType.PER or box.password_login:
            await self.tie(arguments, row, login, box.display, national_id, password, "holder")
        if with_certificate:
            trace = traced("bal-certificate", arguments, row.id)
            await self._p.rows.add_certificate(
                row.id, text(arguments, "certificate_key"), with_certificate, trace
            )
        for member in texts(arguments, "members"):
            await self._member(arguments, row, member)
        return {"bal": await self._record(row), "warnings": await self._doubles(kind, national_id)}

    async def _doubles(self, kind: BoxType, national_id: str) -> list[str]:
        """One professional with several logins: not wrong, and often not meant (BAL-2)."""
        people = await self._p.rows.persons_by_national_id(national_id) if kind is BoxType.PER else []
        if len(people) < 2:
            return []
        logins = ", ".join(one.login for one in people)
        return [f"Several logins have this national id: {logins}; `bal add --login` takes one that is there"]

    async def _add_row(self, arguments: Arguments, box: NewBox) -> BoxRow:
        try:
            return await self._p.rows.add_box(box, traced("bal-add", arguments, None, address=box.address))
        except AlreadyExists:
            raise OperationRefused(
                f"There is a mailbox {box.address} already: see it with `bal show`", "exists", CONFLICT
            ) from None

    async def tie(
        self,
        arguments: Arguments,
        box: BoxRow,
        login: str,
        name: str,
        national_id: str,
        password: str,
        role: str,
    ) -> Person:
        """Tie a person to a box, registering them when the login is new."""
        person = await self._p.rows.person(login)
        if person is None:
            trace = traced("person-add", arguments, box.id)
            person = await self._p.rows.add_person(login, name, national_id, password, trace)
        elif any([await self._is_patients(tie.box_id) for tie in await self._ties(person)]):
            raise OperationRefused(
                "This login opens a patient's mailbox: give the professional one of their own",
                "patient-login",
                CONFLICT,
            )
        elif national_id and person.national_id != national_id:
            person = await self._identified(arguments, person, national_id)
        trace = traced("bal-member", arguments, box.id, role=role, login=login)
        await self._p.rows.add_member(box.id, person.id, role, trace)
        return person

    async def _identified(self, arguments: Arguments, person: Person, national_id: str) -> Person:
        """A login whose national id nobody had said yet; one that has another is somebody else's (BAL-2)."""
        if person.national_id:
            raise OperationRefused(
                f"{person.login} belongs to another national id: give another --login",
                "national-id-mismatch",
                CONFLICT,
            )
        trace = traced("person-set", arguments, None, login=person.login, national_id=national_id)
        return await self._p.rows.set_person(person.id, PersonChoices(national_id=national_id), trace)

    async def _ties(self, person: Person) -> Sequence[Membership]:
        return await self._p.rows.memberships(person_id=person.id)

    async def _is_patients(self, box_id: int) -> bool:
        box = await self._p.rows.box_by_id(box_id)
        return box is not None and box.type is BoxType.PAT

    async def show(self, arguments: Arguments) -> Result:
        """One box with its people."""
        return {"bal": await self._record(await self.found(arguments))}

    async def _record(self, row: BoxRow) -> Result:
        ties = await self._p.rows.memberships(box_id=row.id)
        people = {person.id: person for person in await self._p.rows.persons([tie.person_id for tie in ties])}
        members = [
            {
                "login": people[tie.person_id].login,
                "name": people[tie.person_id].name,
                "role": tie.role,
                "national_id": people[tie.person_id].national_id,
                "rights": await self._rights(tie),
            }
            for tie in ties
            if tie.person_id in people
        ]
        return {**record(row), "people": members}

    async def _rights(self, tie: Membership) -> str:
        """The letters of RFC 4314 that hold in every folder for which nothing else was said."""
        access = await self._p.rows.access(tie.box_id, tie.person_id)
        return stored(access.general) if access is not None else ""

    async def suspend(self, arguments: Arguments) -> Result:
        """No login, mail still received."""
        return await self._state(arguments, BoxState.SUSPENDED)

    async def activate(self, arguments: Arguments) -> Result:
        """Back to work."""
        return await self._state(arguments, BoxState.ACTIVE)

    async def close(self, arguments: Arguments) -> Result:
        """Mail refused from now on."""
        return await self._state(arguments, BoxState.CLOSED)

    async def purge(self, arguments: Arguments) -> Result:
        """Remove the mail of a box whose retention after closure has passed; for good."""
        row = await self.found(arguments)
        checked(lambda: check_purge(row.state, row.state_at, time.time(), self._p.house), CONFLICT)
        reason = mask_text(text(arguments, "reason"))
        trace = traced("bal-purge", arguments, row.id, reason=reason)
        return {"bal": record(await self._p.rows.purge_box(row.id, reason, trace))}

    async def _state(self, arguments: Arguments, state: BoxState) -> Result:
        row = await self.found(arguments)
        checked(lambda: check_reason(text(arguments, "reason", "")))
        return {"bal": record(await change_state(self._p.rows, arguments, row, state))}

    async def passwd(self, arguments: Arguments) -> Result:
        """Give a person a new password; the login, or the address of the box they hold."""
        login = text(arguments, "login")
        person = await self._p.rows.person(login)
        if person is None:
            row = await self.found({**arguments, "address": login})
            holders = [
                t.person_id for t in await self._p.rows.memberships(box_id=row.id) if t.role == "holder"
            ]
            people = await self._p.rows.persons(holders)
            if not people:
                raise OperationRefused(
                    f"{row.address} has no holder: name the member's own login", "no-holder", NOT_FOUND
                )
            person = people[0]
        hashed = await self._hash(arguments, person.login)
        await self._p.rows.set_password(
            person.id, hashed, traced("person-passwd", arguments, None, login=person.login)
        )
        return {"login": person.login}

    async def certificate(self, arguments: Arguments) -> Result:
        """Register one more certificate for an APP box (BAL-4)."""
        row = await self.found(arguments)
        if row.type is not BoxType.APP:
            raise OperationRefused(
                "Only an APP mailbox logs in with a certificate", "certificate-not-app", USAGE
            )
        dn = text(arguments, "certificate_dn")
        trace = traced("bal-certificate", arguments, row.id)
        await self._p.rows.add_certificate(row.id, text(arguments, "certificate_key"), dn, trace)
        return {"bal": record(row), "certificate": dn}

    async def member(self, arguments: Arguments) -> Result:
        """Add a member to a shared box, or take one away."""
        row = await self.found(arguments)
        login = text(arguments, "login")
        if flag(arguments, "remove"):
            person = await self._p.rows.person(login)
            if person is None:
                raise OperationRefused(f"Nobody has the login {login}", "unknown-login", NOT_FOUND)
            await self._p.rows.remove_member(
                row.id, person.id, traced("bal-member-remove", arguments, row.id)
            )
        else:
            hashed = await self._hash(arguments, login) if arguments.get("password") else ""
            national_id = text(arguments, "national_id", "")
            if national_id:
                checked(lambda: check_person_id(national_id))
            await self._member(arguments, row, login, text(arguments, "name", login), national_id, hashed)
        return {"bal": await self._record(row)}

    async def _member(
        self,
        arguments: Arguments,
        row: BoxRow,
        login: str,
        name: str = "",
        national_id: str = "",
        hashed: str = "",
    ) -> None:
        checked(lambda: check_member(row.type, "member", 0))
        await self.tie(arguments, row, login, name or login, national_id, hashed, "member")

    async def found(self, arguments: Arguments) -> BoxRow:
        """The box of the argument `address`; raises `OperationRefused`."""
        address = self._hosted(text(arguments, "address"))
        row = await self._p.rows.box(address.key)
        if row is None:
            raise OperationRefused(f"There is no mailbox {address}: see `bal list`", "unknown-box", NOT_FOUND)
        return row

    def _hosted(self, value: str) -> Address:
        try:
            address = parse_address(value)
        except InvalidValue as invalid:
            raise OperationRefused(f"address: {invalid.public}", invalid.reason, USAGE) from None
        if address.domain not in self._p.hosted:
            raise OperationRefused(
                f"{address.domain} is not hosted here: add it to domains.hosted",
                "domain-not-hosted",
                NOT_ALLOWED,
            )
        return address

    async def _hash(self, arguments: Arguments, login: str) -> str:
        return await hash_password(self._p.hasher, arguments, login)


async def hash_password(hasher: Hasher, arguments: Arguments, login: str) -> str:
    """The record of the argument `password` for this login; raises `OperationRefused` when it is too short."""
    password = text(arguments, "password")
    if len(password) < MIN_PASSWORD:
        raise OperationRefused(f"A password has at least {MIN_PASSWORD} characters", "password-short", USAGE)
    return await hasher.hash(Secret(password), login)


async def change_state(rows: DirectoryRows, arguments: Arguments, row: BoxRow, state: BoxState) -> BoxRow:
    """Change a box's state with its reason; raises `OperationRefused` when the rules forbid it (BAL-5, PAT-1)."""
    reason = mask_text(text(arguments, "reason", ""))
    checked(lambda: check_transition(row.type, row.state, state), CONFLICT)
    trace = traced(f"bal-{state.value}", arguments, row.id, reason=reason)
    return await rows.set_box_state(row.id, state, reason, trace)


def checked(check: Callable[[], None], exit_code: int = USAGE) -> None:
    """Run a rule's check; its `InvalidValue` becomes an `OperationRefused`."""
    try:
        check()
    except InvalidValue as invalid:
        sentence = invalid.public[:1].upper() + invalid.public[1:]
        raise OperationRefused(sentence, invalid.reason, exit_code) from None


def box_type(value: str) -> BoxType:
    """A professional's box type; raises `OperationRefused`."""
    if value in ("PER", "ORG", "APP", "CAB"):
        return BoxType(value)
    raise OperationRefused(f"{value} is no type of mailbox: PER, ORG, APP or CAB", "box-type", USAGE)


def record(row: BoxRow) -> Result:
    """A box as JSON."""
    return {
        "address": row.address,
        "type": row.type.value,
        "state": row.state.value,
        "display": row.display,
        "structure": row.structure,
        "responsible": row.responsible,
        "patient_initiated": row.patient_initiated,
        "fin": row.fin,
        "password_login": row.password_login,
        "auto_close": row.auto_close,
        "exchange_folder": row.exchange_folder,
        "server_mdn": row.server_mdn,
        "created_at": row.created_at,
        "state_reason": row.state_reason,
        "state_at": row.state_at,
    }
