"""`doctor`: what is right and what is wrong with this gateway, each with its evidence and the next step (OPS-2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from .operation import Arguments, Operation, Result, flag


class Verdict(Enum):
    """How a check ended."""

    GOOD = "good"
    DOUBT = "doubt"  # works, and needs a look
    BAD = "bad"  # does not work, or will soon not


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was seen, and for anything but GOOD what to do next."""

    name: str
    verdict: Verdict
    evidence: str
    next_step: str = ""


Examination = Callable[[], Awaitable[Sequence[Check]]]
"""Looks at one part of the gateway."""

UNEXPECTED = "look into the log for `operation-fault`, and report it"


Named = tuple[str, Examination]
"""An examination with the name of the part that it looks at."""


class DoctorOperations:
    """`doctor`. `examinations` are carried out in their order; `thorough` ones only when nobody asks for `quick`.

    The thorough ones use the doors of a gateway that serves: they are left out where none is open (`offline`).
    """

    def __init__(self, examinations: Sequence[Named], thorough: Sequence[Named] = ()) -> None:
        self._examinations = tuple(examinations)
        self._thorough = tuple(thorough)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"doctor": self.doctor}

    async def doctor(self, arguments: Arguments) -> Result:
        """Every check; an examination that fails by itself is a bad check, never the end of the others."""
        checks: list[Check] = []
        thorough = () if flag(arguments, "quick") or flag(arguments, "offline") else self._thorough
        for name, examine in self._examinations + thorough:
            try:
                checks += await examine()
            except Exception as error:  # what is broken must not hide the rest
                evidence = f"could not be examined ({type(error).__name__})"
                checks.append(Check(name, Verdict.BAD, evidence, UNEXPECTED))
        return {
            "healthy": all(one.verdict is not Verdict.BAD for one in checks),
            "checks": [
                {
                    "name": one.name,
                    "verdict": one.verdict.value,
                    "evidence": one.evidence,
                    "next_step": one.next_step,
                }
                for one in checks
            ],
        }
