"""4 KB by submission to a patient with an open channel, against the same to a BAL, on one running gateway."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from .clinic import Clinic, running
from .imap import Mailbox
from .measure import Case, Figures, loaded, warm
from .messages import Target

TO_BAL, TO_PATIENT, UNFILED = "to a BAL", "to a patient", "to a patient, no copy filed"
AIM = 1.10
"""CPU and rate to a patient against those to a BAL, at most (and at least its inverse)."""


@dataclass(slots=True)
class PatientFigures:
    """Rounds by kind of recipient; in each round the kinds take turns on the same gateway."""

    rounds: dict[str, list[Figures]] = field(default_factory=dict)

    def ratio(self, kind: str, figure: str) -> float:
        """Median over the rounds of what this kind takes against a BAL in the same round."""
        pairs = zip(self.rounds[kind], self.rounds[TO_BAL], strict=True)
        return statistics.median(getattr(one, figure) / getattr(base, figure) for one, base in pairs)


def run(
    folder: Path, case: Case, rounds: int, seconds: float, say: Callable[[str], None]
) -> PatientFigures:
    """Measure; raises as `measure.run` does. The warming messages open the channel."""
    figures = PatientFigures()
    with ExitStack() as stack:
        clinic = stack.enter_context(running(folder))
        targets = {
            TO_BAL: clinic.to_bal,
            TO_PATIENT: clinic.to_patient,
            UNFILED: clinic.to_patient_unfiled,
        }
        boxes = {
            address: stack.enter_context(Mailbox(target))
            for address, target in {target.recipient: target for target in targets.values()}.items()
        }
        for target in targets.values():
            box = boxes[target.recipient]
            warm(target, box, case, seconds, over=box.count())
        for number in range(rounds):
            for kind, target in targets.items():
                found = _one(clinic, target, boxes[target.recipient], _named(case, number, kind), seconds)
                figures.rounds.setdefault(kind, []).append(found)
                say(
                    f"{case.name}, round {number + 1}, {kind}: {found.visible_per_s:.0f} visible per second,"
                    f" {found.cpu_s_per_1000:.3f} CPU s per 1000"
                )
    return figures


def _named(case: Case, number: int, kind: str) -> Case:
    """The case with Message-IDs of its own for this round."""
    return replace(case, name=f"{number}-{kind.replace(' ', '-').replace(',', '')}")


def _one(clinic: Clinic, target: Target, box: Mailbox, case: Case, seconds: float) -> Figures:
    return loaded(clinic, target, box, case, box.count(), seconds)


def table(case: Case, figures: PatientFigures) -> list[str]:
    """The lines of the case."""
    lines = [f"\n{case.name}: {case.about}"]
    lines.append(
        f"  {'':30}{'CPU s per 1000':>16}{'(best)':>9}{'visible/s':>11}{'(best)':>9}{'CPU ratio':>11}{'rate ratio':>12}"
    )
    for kind, found in figures.rounds.items():
        cpu = [one.cpu_s_per_1000 for one in found]
        seen = [one.visible_per_s for one in found]
        lines.append(
            f"  {kind:30}{statistics.median(cpu):>16.3f}{min(cpu):>9.3f}"
            f"{statistics.median(seen):>11.0f}{max(seen):>9.0f}"
            f"{figures.ratio(kind, 'cpu_s_per_1000'):>11.2f}{figures.ratio(kind, 'visible_per_s'):>12.2f}"
        )
    if TO_PATIENT in figures.rounds:
        cpu_ratio = figures.ratio(TO_PATIENT, "cpu_s_per_1000")
        rate = figures.ratio(TO_PATIENT, "visible_per_s")
        met = cpu_ratio <= AIM and rate >= 1 / AIM
        lines.append(f"  aim: to a patient within 10 % of to a BAL, CPU and rate: {'met' if met else 'NOT MET'}")
        every = [one for found in figures.rounds.values() for one in found]
        lines.append(
            f"  generator: {statistics.median(one.load_cpu_s_per_1000 for one in every):.2f} CPU s per 1000,"
            f" {max(one.load_core_share for one in every):.2f} of a core at most;"
            f" other programs meanwhile {statistics.median(one.others_cores for one in every):.2f} cores"
        )
    return lines
