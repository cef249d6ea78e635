"""What the alerting of patients takes from the store, and what it asks of a smarthost (PAT-3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class AlertState(StrEnum):
    """What became of an alert: to be tried later, told, or given up."""

    WAITING = "waiting"
    TOLD = "told"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class DueAlert:
    """A box whose patient is to be told. Times are epoch seconds, `told_at` 0 when they never were.

    `first_at` is the first arrival not told yet, `attempts` counts mails that failed, `arrivals` all arrivals.
    """

    box_id: int
    first_at: float
    told_at: float
    attempts: int
    arrivals: int


@dataclass(frozen=True, slots=True)
class SettledAlert:
    """What becomes of a due alert; `at` is the next attempt when it waits, else when it was told."""

    box_id: int
    arrivals: int
    state: AlertState
    at: float
    attempts: int = 0


class Handing(StrEnum):
    """How a smarthost took a mail: `REFUSED` for good, `LATER` for this mail, `UNREACHABLE` for all mails."""

    TAKEN = "taken"
    LATER = "later"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Handed:
    """The outcome with its detail, a reply code or a slug: never words of the server, which may name the patient."""

    handing: Handing
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlertMail:
    """One mail with its envelope; the recipient is a personal address, which no `repr` shows."""

    sender: str
    recipient: str = field(repr=False)
    octets: bytes = field(repr=False)


class Smarthost(Protocol):
    """The server outside of the trust space that carries alert mails."""

    async def hand(self, mail: AlertMail) -> Handed:
        """Hand one mail over under deadlines; failures are told, never raised."""
