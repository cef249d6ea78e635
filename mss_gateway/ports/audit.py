"""What is asked of the functional trace: its chain, its age, its lines, its figures (AUD-1, AUD-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Damage:
    """One damage of the chain: `kind` is a slug of `rules.audit.KINDS`, lines by id, `at` epoch seconds or 0.

    `following` is the next line that is good again, None at the end.
    """

    kind: str
    first: int
    last: int
    at: float
    following: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification saw; `more` counts findings beyond those that are listed."""

    lines: int
    last_id: int
    seals: int
    damage: tuple[Damage, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal that was set: the line that it is, its link in hexadecimal, epoch seconds."""

    line_id: int
    link: str
    at: float


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines: from and until (excluded) epoch seconds, of one box with its members' logins or of all."""

    since: float
    until: float
    box_id: int | None = None
    logins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of an export. `national_id` is the author's, empty when unknown."""

    id: int
    at: float
    event: str
    transaction: str
    message_id: str
    box: str
    actor: str
    name: str
    national_id: str
    detail: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What a purge would remove: lines up to `boundary`, `count` of them, `kept` stay for open matters."""

    boundary: int
    first: int
    count: int
    kept: int


class Audit(Protocol):
    """The role of the store that keeps the functional trace."""

    async def seal_trace(self, now: float) -> Sealed | None:
        """Set a seal behind what was written since the last one; None when nothing was."""

    async def unsealed(self) -> int:
        """Lines since the last seal."""

    async def newest_seal(self) -> Sealed | None:
        """The last seal of the file of seals, None when there is none; raises `StoreError`, OSError without the key."""

    async def verify_trace(self, until: int | None = None, last: int = 0) -> Verdict:
        """Go through the chain, or its `last` lines only, in a thread and connection of its own."""

    async def plan_purge(self, before: float) -> PurgePlan:
        """What a purge of everything before that moment would remove."""

    async def purge_trace(self, plan: PurgePlan, actor: str, now: float) -> int:
        """Remove what was planned, in slices, traced first; returns the lines removed."""

    async def audit_lines(self, query: AuditQuery, after: int, limit: int) -> tuple[Sequence[AuditLine], int]:
        """Lines with an id above `after`, by id, and the id up to which was looked (0: there are no more)."""

    async def first_since(self, since: float) -> int:
        """An id below which no line is younger than that."""

    async def last_line(self) -> int:
        """The id of the newest line, 0 when there is none."""

    async def count_figures(self, limit: int = 2000) -> int:
        """Count the next lines into the daily figures; returns how many were counted."""

    async def figures_of(self, month: str) -> Mapping[str, int]:
        """The figures of a month (`2026-10`) by name, summed over its days."""

    async def daily_figures(self, month: str) -> Mapping[str, Mapping[str, int]]:
        """The figures of each day of a month by name."""
