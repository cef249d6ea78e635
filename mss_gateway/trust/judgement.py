"""PURE. The words of an explanation: steps with their verdicts, and what a peer meets in the end (TRU-8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Verdict(Enum):
    """How a step ended."""

    PASS = "pass"
    FAIL = "fail"
    DOUBT = "doubt"  # accepted today, and somebody should look at it
    NOT_REACHED = "not-reached"  # a step before leaves nothing to judge


class Role(Enum):
    """In which role a certificate is judged: a peer that comes to us is a client, one that we go to a server."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Step:
    """One judgement: its name, how it ended, what it rests on, what to do, and the slug of a refusal."""

    name: str
    verdict: Verdict
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    reason: str = ""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "evidence": list(self.evidence),
            "remedy": self.remedy,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Meeting:
    """What the peer meets in one direction.

    `where` is `handshake`, `dialogue` or `queue`; `told` what the peer, or the queue, is told word for word; `reason`
    the slug in our log and trace, empty for an accepted peer.
    """

    role: Role
    accepted: bool
    reason: str
    where: str
    told: str

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "role": self.role.value,
            "accepted": self.accepted,
            "reason": self.reason,
            "where": self.where,
            "told": self.told,
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """All steps in their order, and what follows in each direction that was asked about."""

    steps: tuple[Step, ...]
    meetings: tuple[Meeting, ...]

    @property
    def accepted(self) -> bool:
        """True when the peer is accepted in every direction asked about."""
        return all(meeting.accepted for meeting in self.meetings)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "accepted": self.accepted,
            "steps": [step.record() for step in self.steps],
            "meetings": [meeting.record() for meeting in self.meetings],
        }
