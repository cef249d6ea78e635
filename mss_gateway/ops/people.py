"""Persons: list, show, add, set, disable, enable, passwd (BAL-2, BAL-3)."""

from __future__ import annotations

from typing import Protocol

from mss_gateway.ports.identity import Hasher
from mss_gateway.ports.people import People, PersonChoices, StateChange
from mss_gateway.ports.records import BoxRow, Person
from mss_gateway.ports.store import AlreadyExists, DirectoryRows
from mss_gateway.rules.boxes import check_login, check_reason
from mss_gateway.rules.facts import BoxState, BoxType
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.national import check_person_id

from .boxes import checked, hash_password
from .delegations import delegations_of
from .operation import (
    CONFLICT,
    NOT_FOUND,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    flag,
    limit_of,
    text,
)
from .tracing import traced

LIST_LIMIT = 1000
"""Persons in one answer when nothing else is asked for."""

MOST_LISTED = 5000
"""Persons that one answer may hold: it still fits into one line of the control socket."""

BY_HOLDER = "holder disabled: "
"""How the reason of a PER mailbox begins that is suspended because its holder is disabled."""


class PersonRows(DirectoryRows, People, Protocol):
    """What the operations on persons need of the store."""


class PersonOperations:
    """`person …`."""

    def __init__(self, rows: PersonRows, hasher: Hasher) -> None:
        self._rows = rows
        self._hasher = hasher

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "person.list": self.list_,
            "person.show": self.show,
            "person.add": self.add,
            "person.set": self.set,
            "person.disable": self.disable,
            "person.enable": self.enable,
            "person.passwd": self.passwd,
        }

    async def list_(self, arguments: Arguments) -> Result:
        """Professionals by login, those after `after`; `more` when the limit has cut the answer."""
        limit = limit_of(arguments, LIST_LIMIT, MOST_LISTED)
        people = await self._rows.all_persons(text(arguments, "after", ""), limit + 1)
        last = await self._rows.last_logins([one.id for one in people])
        shown = [
            {**record(one), "last_login_at": last.get(one.id)}
            for one in people[:limit]
            if one.disabled or not flag(arguments, "disabled")
        ]
        return {"persons": shown, "more": people[limit - 1].login if len(people) > limit else ""}

    async def show(self, arguments: Arguments) -> Result:
        """One person with their mailboxes, what is delegated to them, and what they are responsible for."""
        return {"person": await self._record(await self.found(arguments))}

    async def add(self, arguments: Arguments) -> Result:
        """Register a person; without a password they log in by certificate or token, or not yet."""
        login, national_id = text(arguments, "login"), text(arguments, "national_id", "")
        checked(lambda: check_login(login))
        await self._check_number(national_id, None, force=flag(arguments, "force"))
        hashed = await hash_password(self._hasher, arguments, login) if arguments.get("password") else ""
        trace = traced("person-add", arguments, None, login=login)
        name = text(arguments, "name", login)
        try:
            person = await self._rows.add_person(login, name, national_id, hashed, trace)
        except AlreadyExists:
            raise _taken(login) from None
        return {"person": await self._record(person)}

    async def set(self, arguments: Arguments) -> Result:
        """Change what is named: login, name, national id."""
        person = await self.found(arguments)
        wanted = {name: arguments.get(name) for name in ("new_login", "name", "national_id")}
        named = {name: text(arguments, name) for name, value in wanted.items() if value is not None}
        if not named:
            raise OperationRefused("Say what to change: see --help", "nothing-to-change", USAGE)
        login = named.get("new_login")
        if login is not None:
            checked(lambda: check_login(login))
        if "national_id" in named:
            await self._check_number(named["national_id"], person, force=flag(arguments, "force"))
        choices = PersonChoices(login, named.get("name"), named.get("national_id"))
        trace = traced("person-set", arguments, None, **{"login": person.login, **_traceable(named)})
        try:
            after = await self._rows.set_person(person.id, choices, trace)
        except AlreadyExists:
            raise _taken(login or "") from None
        return {"person": await self._record(after)}

    async def disable(self, arguments: Arguments) -> Result:
        """No login any more, sessions end; PER mailboxes that the person holds are suspended with them (BAL-5)."""
        person, reason = await self.found(arguments), _reason(arguments)
        if person.disabled:
            raise OperationRefused(f"{person.login} is disabled already", "already", CONFLICT)
        held = [box for box in await self._held(person) if box.state is BoxState.ACTIVE]
        changes = [self._change(arguments, box, BoxState.SUSPENDED, f"{BY_HOLDER}{reason}") for box in held]
        return await self._switch(arguments, person, changes, reason, disabled=True)

    async def enable(self, arguments: Arguments) -> Result:
        """Login again; PER mailboxes that were suspended with the person are taken up again."""
        person, reason = await self.found(arguments), _reason(arguments)
        if not person.disabled:
            raise OperationRefused(f"{person.login} is not disabled", "already", CONFLICT)
        changes = [
            self._change(arguments, box, BoxState.ACTIVE, reason)
            for box in await self._held(person)
            if box.state is BoxState.SUSPENDED and box.state_reason.startswith(BY_HOLDER)
        ]
        return await self._switch(arguments, person, changes, reason, disabled=False)

    async def _switch(
        self, arguments: Arguments, person: Person, changes: list[StateChange], reason: str, *, disabled: bool
    ) -> Result:
        event = "person-disabled" if disabled else "person-enabled"
        trace = traced(event, arguments, None, login=person.login, reason=reason)
        after = await self._rows.set_person(person.id, PersonChoices(disabled=disabled), trace, changes)
        return {"person": await self._record(after)}

    @staticmethod
    def _change(arguments: Arguments, box: BoxRow, state: BoxState, reason: str) -> StateChange:
        trace = traced(f"bal-{state.value}", arguments, box.id, reason=reason)
        return StateChange(box.id, state, reason, trace)

    async def passwd(self, arguments: Arguments) -> Result:
        """Give a person a password, the first one too."""
        person = await self.found(arguments)
        hashed = await hash_password(self._hasher, arguments, person.login)
        trace = traced("person-passwd", arguments, None, login=person.login)
        await self._rows.set_password(person.id, hashed, trace)
        return {"login": person.login}

    async def found(self, arguments: Arguments) -> Person:
        """The professional of the argument `login`, which may be a national id; raises `OperationRefused`."""
        login = text(arguments, "login")
        person = await self._rows.person(login)
        if person is None:
            several = await self._rows.persons_by_national_id(login)
            if len(several) > 1:
                logins = ", ".join(one.login for one in several)
                raise OperationRefused(
                    f"Several persons have this national id: {logins}", "several", CONFLICT
                )
            person = several[0] if several else None
        if person is None:
            raise OperationRefused(
                f"Nobody has the login {login}: see `person list`", "unknown-login", NOT_FOUND
            )
        if any(box.type is BoxType.PAT for box, _ in await self._boxes(person)):
            raise OperationRefused(
                "This login opens a patient's mailbox: see `patient show`", "patient-login", CONFLICT
            )
        return person

    async def _check_number(self, national_id: str, person: Person | None, *, force: bool) -> None:
        """A national id is one person's; `force` allows a second account of the same one."""
        if not national_id:
            return
        checked(lambda: check_person_id(national_id))
        others = [
            one.login
            for one in await self._rows.persons_by_national_id(national_id)
            if person is None or one.id != person.id
        ]
        if others and not force:
            raise OperationRefused(
                f"{others[0]} has this national id already: use that login, or --force for a second account",
                "national-id-taken",
                CONFLICT,
            )

    async def _boxes(self, person: Person) -> list[tuple[BoxRow, str]]:
        ties = await self._rows.memberships(person_id=person.id)
        found = [(await self._rows.box_by_id(tie.box_id), tie.role) for tie in ties]
        return [(box, role) for box, role in found if box is not None]

    async def _held(self, person: Person) -> list[BoxRow]:
        return [
            box for box, role in await self._boxes(person) if box.type is BoxType.PER and role == "holder"
        ]

    async def _record(self, person: Person) -> Result:
        boxes = await self._boxes(person)
        last = await self._rows.last_logins([person.id])
        responsible = await self._rows.boxes_of_responsible(person.national_id)
        return {
            **record(person),
            "last_login_at": last.get(person.id),
            "boxes": [
                {"address": box.address, "type": box.type.value, "role": role, "state": box.state.value}
                for box, role in boxes
            ],
            "delegated": await delegations_of(self._rows, person_id=person.id),
            "responsible_for": [box.address for box in responsible],
        }


def record(person: Person) -> Result:
    """A person as JSON; whether there is a password, never what it is."""
    return {
        "login": person.login,
        "name": person.name,
        "national_id": person.national_id,
        "disabled": person.disabled,
        "password": bool(person.password_hash),
    }


def _reason(arguments: Arguments) -> str:
    reason = text(arguments, "reason", "")
    checked(lambda: check_reason(reason))
    return mask_text(reason)


def _traceable(named: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in named.items() if name != "name"}


def _taken(login: str) -> OperationRefused:
    return OperationRefused(f"There is a login {login} already: see `person show`", "exists", CONFLICT)
