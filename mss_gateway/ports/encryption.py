"""What operations see of encryption at rest, and the work that brings old bodies under it (OPS-5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from .records import TraceLine


class Goal(Enum):
    """What is being done to the bodies that are there."""

    ROTATE = "rotate"  # wrap their keys with the newest master key
    ENCRYPT = "encrypt"  # seal those in the clear
    DECRYPT = "decrypt"  # lay all open


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A master key by its name, since when it is known (epoch seconds), and how many bodies' keys it wraps."""

    name: str
    since: float
    bodies: int
    active: bool


@dataclass(frozen=True, slots=True)
class Work:
    """Bodies with ids up to `until` are worked on, those up to `reached` are done; `changed` were changed."""

    goal: Goal
    reached: int
    until: int
    changed: int
    started_at: float

    @property
    def done(self) -> bool:
        """Is nothing left?"""
        return self.reached >= self.until


@dataclass(frozen=True, slots=True)
class EncryptionStatus:
    """Whether new bodies are sealed, the keys in use, bodies in the clear, and the work under way."""

    sealing: bool
    keys: tuple[KeyUse, ...]
    clear: int
    work: Work | None


class WorkRefused(Exception):
    """This work cannot begin now; `reason` is a slug, the text one sentence with the remedy."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


class Encrypted(Protocol):
    """The role of the store for `mss-gateway encryption`."""

    async def encryption_status(self) -> EncryptionStatus:
        """Counts every body, in steps that keep nobody waiting."""

    async def work_under_way(self) -> Work | None:
        """What is written down to be done."""

    async def begin_work(self, goal: Goal, trace: TraceLine) -> Work:
        """Write work down, to go on with until it is done, whatever ends meanwhile; the same work goes on.

        Raises `WorkRefused`.
        """

    async def work_step(self) -> Work | None:
        """Do a small part in one commit and return how far it is; None when there is no work."""

    async def end_work(self) -> None:
        """After the last step: forget keys that nothing needs, and free the files that hold nothing any more."""

    async def sweep_segments(self) -> bool:
        """Remove files that have held nothing for a while; True while others wait for their time."""

    async def wipe(self) -> int:
        """Write the database anew without remains of former content; return its octets. Raises `StoreError`."""
