"""Many mailboxes at once: what the store knows of them, and what is to become of each (BAL-1..5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mss_gateway.rules.facts import BoxState

from .records import BoxChoices, BoxRow, NewBox, Person, TraceLine


@dataclass(frozen=True, slots=True)
class Census:
    """What is known of the boxes and people of some rows; keys are address keys, logins in lower case, national ids.

    `ties` are (person, role) by box id, `patients` the ids of persons who open a patient's mailbox.
    """

    boxes: Mapping[str, BoxRow] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    by_number: Mapping[str, Sequence[Person]] = field(default_factory=dict)
    ties: Mapping[int, Sequence[tuple[Person, str]]] = field(default_factory=dict)
    patients: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class WantedTie:
    """Somebody to be tied to a box, registered when the login is new."""

    login: str
    name: str
    national_id: str
    role: str


@dataclass(frozen=True, slots=True)
class BoxPlan:
    """What is to become of one box, in one go: made when `new`, changed when `box` is there."""

    new: NewBox | None = None
    box: BoxRow | None = None
    choices: BoxChoices | None = None
    state: BoxState | None = None
    reason: str = ""
    ties: tuple[WantedTie, ...] = ()
    untie: tuple[int, ...] = ()
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of the last import of a file: when, of what content, and the counts."""

    source: str
    at: float
    digest: str
    outcome: Mapping[str, int | str]


class StalePlan(Exception):
    """A plan does not fit what the store holds by now: another row or command came before it."""


class BoxImports(Protocol):
    """Imports of mailboxes."""

    async def census(self, keys: Sequence[str], logins: Sequence[str], numbers: Sequence[str]) -> Census:
        """What is known of these addresses, logins and national ids."""

    async def boxes_after(self, key: str, limit: int) -> list[BoxRow]:
        """Professionals' boxes by address key, those after one."""

    async def carry_out(self, plans: Sequence[BoxPlan], trace: TraceLine) -> None:
        """Carry out all plans in one commit, each traced like `trace` with its own box and changes.

        Raises `StalePlan` when one does not fit any more, `AlreadyExists` when it makes what is there by now; then none
        was carried out.
        """

    async def note_import(self, outcome: ImportOutcome) -> None:
        """Keep what became of an import, in place of the last one of that source."""

    async def import_outcomes(self) -> list[ImportOutcome]:
        """What became of the last import of each source, the latest first."""
