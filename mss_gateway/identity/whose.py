"""Whom a login means (BAL-2, BAL-3)."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.ports.records import Person
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.facts import BoxType


async def whose(rows: DirectoryRows, login: str) -> Person | None:
    """The person of a login, which is their own or the address of a box that one person holds."""
    person = await rows.person(login)
    if person is not None:
        return person
    try:
        key = parse_address(login).key
    except InvalidValue:
        return None
    if key != login.lower():  # a quoted local part, a domain in its own script
        person = await rows.person(key)
        if person is not None:
            return person
    box = await rows.box(key)
    if box is None or box.type not in (BoxType.PER, BoxType.PAT):
        return None
    ties = [tie.person_id for tie in await rows.memberships(box_id=box.id) if tie.role == "holder"]
    found = await rows.persons(ties)
    return found[0] if found else None


def spelling(login: str) -> str:
    """One spelling for all that mean the same login, whether anybody has it or not.

    Exactly those that `whose` takes for one: a single other, such as one with a space behind, would tell by its salt
    or its wait who exists (ACC-3).
    """
    try:
        return parse_address(login).key
    except InvalidValue:
        return login.lower()
