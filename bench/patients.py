"""4 KB by submission to a patient with an open channel, against the same to a BAL, on one running gateway."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from .clinic import running
from .imap import Mailbox
from .measure import Case, Figures, loaded, warm

TO_BAL, TO_PATIENT, UNFILED = "to a BAL", "to a patient", "to a patient, no copy filed"
AIM = 1.10
"""CPU and rate to a patient against those to a BAL, at most (and at least its inverse)."""
TURNS = 6
"""Turns of each kind in one round: the shorter they are, the more alike is the machine for neighbours."""


@dataclass(slots=True)
class PatientFigures:
    """Turns by kind of recipient; the kinds follow each other on the same gateway."""

    turns: dict[str, list[Figures]] = field(default_factory=dict)

    def median(self, kind: str, figure: str) -> float:
        """The middle turn."""
        return statistics.median(self._each(kind, figure))

    def best(self, kind: str, figure: str) -> float:
        """The turn that was least disturbed: the lowest CPU, the highest rate."""
        choose = min if figure == "cpu_s_per_1000" else max
        return choose(self._each(kind, figure))

    def ratio(self, kind: str, figure: str) -> float:
        """Median over the turns of what this kind takes against a BAL in the turn beside it."""
        pairs = zip(self._each(kind, figure), self._each(TO_BAL, figure), strict=True)
        return statistics.median(one / base for one, base in pairs)

    def _each(self, kind: str, figure: str) -> list[float]:
        return [getattr(one, figure) for one in self.turns[kind]]


def run(folder: Path, case: Case, rounds: int, seconds: float, say: Callable[[str], None]) -> PatientFigures:
    """Measure; raises as `measure.run` does. The warming messages open the channel."""
    figures = PatientFigures()
    turn = replace(case, messages=max(8, case.messages // TURNS))
    with ExitStack() as stack:
        clinic = stack.enter_context(running(folder))
        targets = {
            TO_BAL: clinic.to_bal,
            TO_PATIENT: clinic.to_patient,
            UNFILED: clinic.to_patient_unfiled,
        }
        boxes = {
            target.login: stack.enter_context(Mailbox(target))
            for target in (clinic.to_bal, clinic.to_patient)
        }
        for target in targets.values():
            box = boxes[target.login]
            warm(target, box, case, seconds, over=box.count())
        for number in range(rounds * TURNS):
            kinds = list(targets) if number % 2 == 0 else list(reversed(targets))
            for kind in kinds:
                box = boxes[targets[kind].login]
                found = loaded(clinic, targets[kind], box, _named(turn, number, kind), box.count(), seconds)
                figures.turns.setdefault(kind, []).append(found)
            if number % TURNS == TURNS - 1:
                say(f"{case.name}, round {number // TURNS + 1}: " + _line(figures))
    return figures


def _line(figures: PatientFigures) -> str:
    return ", ".join(
        f"{kind} {statistics.median(one.cpu_s_per_1000 for one in found[-TURNS:]):.3f} CPU s per 1000"
        for kind, found in figures.turns.items()
    )


def _named(case: Case, number: int, kind: str) -> Case:
    """The case with Message-IDs of its own for this round."""
    return replace(case, name=f"{number}-{kind.replace(' ', '-').replace(',', '')}")


def table(case: Case, figures: PatientFigures, sink: Figures | None) -> list[str]:
    """The lines of the case."""
    lines = [f"\n{case.name}: {case.about}"]
    turns = len(figures.turns.get(TO_BAL, ()))
    head = ("CPU s per 1000", "best", "ratio", "of bests", "visible/s", "best", "ratio", "of bests")
    lines.append(f"  {f'median of {turns} turns each':30}" + "".join(f"{name:>15}"[-15:] for name in head))
    for kind in figures.turns:
        line = f"  {kind:30}"
        for figure, decimals in (("cpu_s_per_1000", 3), ("visible_per_s", 0)):
            best, base = figures.best(kind, figure), figures.best(TO_BAL, figure)
            line += f"{figures.median(kind, figure):>15.{decimals}f}{best:>15.{decimals}f}"
            line += f"{figures.ratio(kind, figure):>15.2f}{best / base:>15.2f}"
        lines.append(line)
    cpu, rate = (
        figures.best(TO_PATIENT, figure) / figures.best(TO_BAL, figure)
        for figure in ("cpu_s_per_1000", "visible_per_s")
    )
    verdict = "met" if cpu <= AIM and rate >= 1 / AIM else "NOT MET"
    lines.append(f"  aim: best turns within {AIM:g}x of each other, CPU and rate: {verdict}")
    every = [one for found in figures.turns.values() for one in found]
    lines.append(
        f"  generator: {statistics.median(one.load_cpu_s_per_1000 for one in every):.2f} CPU s per 1000,"
        f" {max(one.load_core_share for one in every):.2f} of a core at most;"
        f" other programs meanwhile {statistics.median(one.others_cores for one in every):.2f} cores"
    )
    if sink is not None:
        fastest = max(one.accepted_per_s for one in every)
        lines.append(
            f"  generator alone, null sink on the same machine: {sink.accepted_per_s:.0f} per second,"
            f" {sink.accepted_per_s / fastest:.1f} times the best turn above"
        )
    return lines
