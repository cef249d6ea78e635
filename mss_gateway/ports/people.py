"""Persons, structures and delegations as the store keeps them (BAL-2, BAL-3, BAL-6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mss_gateway.rules.facts import BoxState

from .records import BoxRow, Person, TraceLine


@dataclass(frozen=True, slots=True)
class Delegation:
    """A person may write from a box without reading it, `begins` <= now < `ends`, epoch seconds (BAL-6)."""

    box_id: int
    person_id: int
    begins: float
    ends: float
    reason: str = ""
    granted_by: str = ""
    granted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Structure:
    """A place of care by its id: `1` + FINESS, `3` + SIRET or `scheme:id` (BAL-3)."""

    id: str
    type: str = ""
    name: str = ""
    address: str = ""
    city: str = ""


@dataclass(frozen=True, slots=True)
class PersonChoices:
    """What may be changed of a person; None leaves as it is."""

    login: str | None = None
    name: str | None = None
    national_id: str | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class StateChange:
    """A box that goes to another state in the same commit, with its reason and trace (BAL-5)."""

    box_id: int
    state: BoxState
    reason: str
    trace: TraceLine


@dataclass(frozen=True, slots=True)
class LastSeen:
    """When a box was last used: the last login of its people or software, the last message in it; 0 for never."""

    box_id: int
    login_at: float
    mail_at: float


class LastLogins(Protocol):
    """When people were last here."""

    async def note_login(self, person_id: int, at: float, box_id: int = 0) -> None:
        """Write down a login, at most once an hour for one person; `box_id` for the software of an APP box (person 0).

        Costs a dictionary look-up when it was written within the hour. Raises `StoreError`.
        """


class People(LastLogins, Protocol):
    """Persons, structures, delegations; every write is traced in the same transaction."""

    async def all_persons(self, after: str = "", limit: int = 1000) -> list[Person]:
        """Professionals by login, those after one; patients and their carers are left out."""

    async def set_person(
        self,
        person_id: int,
        choices: PersonChoices,
        trace: TraceLine,
        states: Sequence[StateChange] = (),
    ) -> Person:
        """Change a person, and the state of boxes with them; raise `AlreadyExists` for a login that is taken."""

    async def last_logins(self, person_ids: Sequence[int]) -> dict[int, float]:
        """Epoch seconds of the last login by person, to the hour; whoever never came is left out."""

    async def last_seen(self, box_ids: Sequence[int]) -> list[LastSeen]:
        """When boxes were last used."""

    async def structure(self, structure_id: str) -> Structure | None:
        """The structure of an id."""

    async def structures(self, after: str = "", limit: int = 1000) -> list[Structure]:
        """Structures by id, those after one."""

    async def put_structure(self, structure: Structure, trace: TraceLine, *, new: bool) -> Structure:
        """Register a structure, or change one; raise `AlreadyExists` when it is to be new and is there."""

    async def boxes_of_structure(self, structure_id: str, limit: int = 1000) -> list[BoxRow]:
        """Boxes that name a structure, by address."""

    async def boxes_of_responsible(self, national_id: str, limit: int = 1000) -> list[BoxRow]:
        """Boxes of which the professional with this national id is responsible, by address."""

    async def known_people(self, national_ids: Sequence[str]) -> Mapping[str, bool]:
        """Of these national ids those that a person has; True when one of them is not disabled."""

    async def delegate(self, delegation: Delegation, trace: TraceLine) -> None:
        """Let a person write from a box, or change until when."""

    async def end_delegation(self, box_id: int, person_id: int, trace: TraceLine) -> bool:
        """Take the right away; False when there was none."""

    async def delegations(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Delegation]:
        """Delegations of a person or of a box, those that have ended too."""

    async def box_history(self, box_id: int, events: Sequence[str], limit: int = 200) -> list[TraceLine]:
        """The latest trace lines of a box with one of these events, oldest first."""
