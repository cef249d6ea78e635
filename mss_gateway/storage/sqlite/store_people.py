"""The jobs of the store about new boxes, persons, structures, delegations and last logins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mss_gateway.ports.people import Delegation, LastSeen, PersonChoices, StateChange, Structure
from mss_gateway.ports.records import BoxRow, NewBox, Person, TraceLine

from . import directory, people
from .engine import Engine, Writer
from .remembered import Remembered
from .store_traced import TracedRows
from .trace import insert_trace

HOUR = 3600.0  # seconds between two logins of one person that are written down


class PeopleStore(TracedRows):
    """Implements `ports.people.People`; the store gives the engine."""

    _engine: Engine
    _remembered: Remembered
    _noted: dict[tuple[int, int], float]  # person and box -> when a login was written down

    async def add_box(self, box: NewBox, trace: TraceLine) -> BoxRow:
        """Provision a box; the line bears its number, so that its history begins with it."""

        def job(writer: Writer) -> BoxRow:
            row = directory.add_box(writer, box)
            insert_trace(writer.db, [replace(trace, box_id=row.id)])
            return row

        return await self._engine.write(job)

    async def persons_by_national_id(self, national_id: str) -> list[Person]:
        """Persons of a national id."""
        return await self._engine.read(lambda db: people.persons_by_national_id(db, national_id))

    async def all_persons(self, after: str = "", limit: int = 1000) -> list[Person]:
        """Professionals by login."""
        return await self._engine.read(lambda db: people.all_persons(db, after, limit))

    async def set_person(
        self,
        person_id: int,
        choices: PersonChoices,
        trace: TraceLine,
        states: Sequence[StateChange] = (),
    ) -> Person:
        """Change a person, and boxes with them."""
        return await self._traced(trace, lambda w: people.set_person(w, person_id, choices, states, trace.at))

    async def note_login(self, person_id: int, at: float, box_id: int = 0) -> None:
        """Write down a login, at most once an hour."""
        key = (person_id, box_id)
        if at - self._noted.get(key, -HOUR) < HOUR:
            return
        self._noted[key] = at
        await self._engine.write(lambda w: people.note_login(w.db, person_id, box_id, at))

    async def last_logins(self, person_ids: Sequence[int]) -> dict[int, float]:
        """The last login by person."""
        return await self._engine.read(lambda db: people.last_logins(db, person_ids))

    async def last_seen(self, box_ids: Sequence[int]) -> list[LastSeen]:
        """When boxes were last used."""
        return await self._engine.read(lambda db: people.last_seen(db, box_ids))

    async def structure(self, structure_id: str) -> Structure | None:
        """The structure of an id."""
        return await self._engine.read(lambda db: people.structure(db, structure_id))

    async def structures(self, after: str = "", limit: int = 1000) -> list[Structure]:
        """Structures by id."""
        return await self._engine.read(lambda db: people.structures(db, after, limit))

    async def put_structure(self, structure: Structure, trace: TraceLine, *, new: bool) -> Structure:
        """Register or change a structure."""
        return await self._traced(trace, lambda w: people.put_structure(w, structure, new=new))

    async def boxes_of_structure(self, structure_id: str, limit: int = 1000) -> list[BoxRow]:
        """Boxes that name a structure."""
        return await self._engine.read(lambda db: people.boxes_naming(db, "structure", structure_id, limit))

    async def boxes_of_responsible(self, national_id: str, limit: int = 1000) -> list[BoxRow]:
        """Boxes of a responsible professional."""
        return await self._engine.read(lambda db: people.boxes_naming(db, "responsible", national_id, limit))

    async def known_people(self, national_ids: Sequence[str]) -> Mapping[str, bool]:
        """Which national ids a person has."""
        return await self._engine.read(lambda db: people.known_people(db, national_ids))

    async def delegate(self, delegation: Delegation, trace: TraceLine) -> None:
        """Let a person write from a box."""
        await self._traced(trace, lambda w: people.delegate(w, delegation))

    async def end_delegation(self, box_id: int, person_id: int, trace: TraceLine) -> bool:
        """Take the right away; nothing is traced when there was none."""

        def job(writer: Writer) -> bool:
            ended = people.end_delegation(writer, box_id, person_id)
            insert_trace(writer.db, [trace] if ended else [])
            return ended

        return await self._engine.write(job)

    async def delegations(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Delegation]:
        """Delegations of a person or of a box."""
        key = ("delegations", person_id, box_id)
        return list(await self._remembered.read(key, lambda db: people.delegations(db, person_id, box_id)))

    async def box_history(self, box_id: int, events: Sequence[str], limit: int = 200) -> list[TraceLine]:
        """The latest lines of a box with one of these events."""
        return await self._engine.read(lambda db: people.box_history(db, box_id, events, limit))
