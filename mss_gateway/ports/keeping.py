"""Backups and examinations of the store: long work in the background, told about while it runs (OPS-5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Work(Enum):
    """What a keeper does, one at a time."""

    BACKUP = "backup"
    PRUNE = "prune"
    VERIFY = "verify"  # the live store
    VERIFY_BACKUP = "verify-backup"


class KeepProblem(Exception):
    """A backup, a restore or an examination cannot be done: `reason` is a slug, `sentence` names the remedy."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the work is. `done` of `total` are octets or rows; `result` or `problem` are there once it has ended."""

    work: Work
    started_at: float
    phase: str = "begins"
    done: int = 0
    total: int = 0
    ended_at: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """That this store came from a backup: when, the backup's instant, and what is still kept back."""

    at: float
    backup_at: float
    queue_held: int
    receipts_held: int


class Keeper(Protocol):
    """Carries out one work at a time, beside the mail."""

    async def start(self, work: Work, arguments: Mapping[str, Any]) -> None:
        """Begin; raises `KeepProblem` when another one runs or something needed is not set.

        With the argument `by_clock` the folder must be there: a disk that is not mounted is not to be replaced by a
        folder on the one below.
        """

    def progress(self) -> Progress | None:
        """The work that runs or that ended last, None before the first."""

    async def backups(self, target: str | None = None) -> list[dict[str, Any]]:
        """The backups there are, the newest first, with the sentence of each that cannot be read."""

    async def restored(self) -> Restored | None:
        """What is known of a restore, None in a store that was never restored."""

    async def release_receipts(self, actor: str) -> int:
        """Let the read receipts go that a restore keeps back; return how many."""

    def stop(self) -> None:
        """End what runs; a backup that is not complete is not listed."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The last examination that went through the whole store: when, and how much was found; `quick` read no body."""

    at: float
    findings: int
    quick: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """A look at the store that had to end soon: how many of the checks were asked, and bodies held to their digests.

    `findings` are the sentences of what is wrong, without names. `verified` is the last whole examination.
    """

    checks: int
    of: int
    bodies: int
    findings: tuple[str, ...]
    verified: Verified | None
