"""A directory in memory, for tests of what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mss_gateway.ports.people import Delegation
from mss_gateway.ports.records import BoxRow, Membership, NewBox, Person, TraceLine
from mss_gateway.ports.store import AlreadyExists
from mss_gateway.rules.facts import BoxState, BoxType

LINE = TraceLine(0.0, "test", "")
"""A trace line for whoever asks for one."""


class MemoryDirectory:
    """`ports.store.DirectoryRows` without a database."""

    def __init__(self) -> None:
        self._boxes: dict[int, BoxRow] = {}
        self._persons: dict[int, Person] = {}
        self.keys: dict[int, str] = {}
        self._ties: dict[tuple[int, int], Membership] = {}
        self._certificates: list[tuple[int, str]] = []
        self.delegated: list[Delegation] = []

    async def box(self, key: str) -> BoxRow | None:
        """The box of an address key."""
        return next((box for box in self._boxes.values() if box.address.lower() == key.lower()), None)

    async def box_by_id(self, box_id: int) -> BoxRow | None:
        """The box of an id."""
        return self._boxes.get(box_id)

    async def boxes(self, types: Sequence[str] | None = None, limit: int = 10_000) -> list[BoxRow]:
        """Boxes by address."""
        found = sorted(self._boxes.values(), key=lambda box: box.address)
        return [box for box in found if types is None or box.type.value in types][:limit]

    async def add_box(self, box: NewBox, trace: TraceLine) -> BoxRow:
        """Provision a box."""
        if await self.box(box.address):
            raise AlreadyExists(box.address)
        row = BoxRow(
            id=len(self._boxes) + 1,
            address=box.address,
            type=box.type,
            state=box.state,
            display=box.display,
            structure=box.structure,
            responsible=box.responsible,
            patient_initiated=box.patient_initiated,
            fin=box.fin,
            password_login=box.password_login,
            created_at=trace.at,
            state_reason="",
        )
        self._boxes[row.id] = row
        return row

    async def set_box_state(self, box_id: int, state: BoxState, reason: str, trace: TraceLine) -> BoxRow:
        """Change the state."""
        self._boxes[box_id] = replace(self._boxes[box_id], state=state, state_reason=reason)
        return self._boxes[box_id]

    async def add_person(
        self, login: str, name: str, national_id: str, password_hash: str, trace: TraceLine
    ) -> Person:
        """Register a person."""
        if await self.person(login):
            raise AlreadyExists(login)
        hashed, _, keys = password_hash.partition("\n")
        person = Person(len(self._persons) + 1, login, name, national_id, hashed)
        self.keys[person.id] = keys
        self._persons[person.id] = person
        return person

    async def set_password(self, person_id: int, password_hash: str, trace: TraceLine) -> None:
        """Replace the record of a password."""
        hashed, _, self.keys[person_id] = password_hash.partition("\n")
        self._persons[person_id] = replace(self._persons[person_id], password_hash=hashed)

    async def login_keys(self, person_id: int) -> str:
        """The sealed SCRAM keys of a person."""
        return self.keys.get(person_id, "")

    async def put_login_keys(self, person_id: int, password_hash: str, keys: str) -> None:
        """Keep the sealed keys of a password that is still the same."""
        if self._persons[person_id].password_hash == password_hash:
            self.keys[person_id] = keys

    def disable(self, person_id: int) -> None:
        """Take a person's login away."""
        self._persons[person_id] = replace(self._persons[person_id], disabled=True)

    async def person(self, login: str) -> Person | None:
        """The person of a login."""
        return next((one for one in self._persons.values() if one.login.lower() == login.lower()), None)

    async def add_member(self, box_id: int, person_id: int, role: str, trace: TraceLine) -> None:
        """Tie a person to a box."""
        self._ties[box_id, person_id] = Membership(box_id, person_id, role)

    async def remove_member(self, box_id: int, person_id: int, trace: TraceLine) -> None:
        """Untie a person from a box."""
        self._ties.pop((box_id, person_id), None)

    async def memberships(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Membership]:
        """Ties of a person or of a box."""
        return [
            tie
            for tie in self._ties.values()
            if person_id in (None, tie.person_id) and box_id in (None, tie.box_id)
        ]

    async def persons(self, ids: Sequence[int]) -> list[Person]:
        """Persons of these ids."""
        return [self._persons[one] for one in ids if one in self._persons]

    async def persons_by_national_id(self, national_id: str) -> list[Person]:
        """Persons of a national id."""
        return [one for one in self._persons.values() if national_id and one.national_id == national_id]

    async def delegations(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Delegation]:
        """Delegations of a person or of a box."""
        return [
            one
            for one in self.delegated
            if person_id in (None, one.person_id) and box_id in (None, one.box_id)
        ]

    async def add_certificate(self, box_id: int, dn_key: str, dn: str, trace: TraceLine) -> None:
        """Register a certificate's DN."""
        self._certificates.append((box_id, dn_key))

    async def boxes_of_certificate(self, dn_key: str) -> list[BoxRow]:
        """The boxes that a certificate may use."""
        return [self._boxes[box_id] for box_id, key in self._certificates if key == dn_key]

    async def provide(self, address: str, kind: BoxType, password_login: bool = False) -> BoxRow:
        """A box in few words."""
        return await self.add_box(NewBox(address, kind, password_login=password_login), LINE)

    async def tie(self, login: str, password_hash: str, *ties: tuple[BoxRow, str]) -> Person:
        """A person with ties, in few words."""
        person = await self.add_person(login, f"Nom de {login}", "", password_hash, LINE)
        for box, role in ties:
            await self.add_member(box.id, person.id, role, LINE)
        return person
