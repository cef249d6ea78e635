"""Carers (aidants): further logins of a patient's mailbox, which read and answer (PAT-6)."""

from __future__ import annotations

from mss_gateway.ports.records import BoxRow, Person
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.boxes import check_member
from mss_gateway.rules.facts import BoxType

from .boxes import Provisioning, checked, hash_password
from .operation import CONFLICT, NOT_FOUND, USAGE, Arguments, OperationRefused, Result, text
from .tracing import traced

ROLE = "carer"


async def tie_carer(provisioning: Provisioning, arguments: Arguments, row: BoxRow) -> None:
    """Let the argument `login` open the mailbox, registering it with `password` when it is new.

    Raises `OperationRefused` for the patient's own login, and for one that opens a professional's mailbox: who writes
    must be known by the login alone.
    """
    checked(lambda: check_member(row.type, ROLE, 0))
    login, rows = text(arguments, "login"), provisioning.rows
    given = bool(arguments.get("password"))
    hashed = await hash_password(provisioning.hasher, arguments, login) if given else ""
    person = await rows.person(login)
    if person is None:
        if not hashed:
            raise OperationRefused("A new carer needs a password", "password-missing", USAGE)
        name = text(arguments, "name", "") or login
        trace = traced("person-add", arguments, row.id)
        person = await rows.add_person(login, name, "", hashed, trace)
    else:
        await _check_person(rows, person, row)
        if hashed:
            await rows.set_password(person.id, hashed, traced("person-passwd", arguments, row.id))
    await rows.add_member(row.id, person.id, ROLE, traced("patient-carer", arguments, row.id))


async def untie_carer(provisioning: Provisioning, arguments: Arguments, row: BoxRow) -> None:
    """The argument `login` opens the mailbox no longer; raises `OperationRefused` when it is no carer of it."""
    rows = provisioning.rows
    person = await rows.person(text(arguments, "login"))
    ties = await rows.memberships(box_id=row.id)
    if person is None or not any(tie.person_id == person.id and tie.role == ROLE for tie in ties):
        raise OperationRefused("This login is no carer of the patient", "unknown-login", NOT_FOUND)
    await rows.remove_member(row.id, person.id, traced("patient-carer-remove", arguments, row.id))


async def carers_of(rows: DirectoryRows, row: BoxRow) -> list[Result]:
    """Logins and names of a patient's carers."""
    ids = [tie.person_id for tie in await rows.memberships(box_id=row.id) if tie.role == ROLE]
    return [{"login": person.login, "name": person.name} for person in await rows.persons(ids)]


async def _check_person(rows: DirectoryRows, person: Person, row: BoxRow) -> None:
    for tie in await rows.memberships(person_id=person.id):
        if tie.box_id == row.id and tie.role == "holder":
            raise OperationRefused("This is the patient's own login", "holder", CONFLICT)
        box = await rows.box_by_id(tie.box_id)
        if box is not None and box.type is not BoxType.PAT:
            raise OperationRefused(
                "This login opens a professional's mailbox: give the carer one of their own",
                "professional-login",
                CONFLICT,
            )
