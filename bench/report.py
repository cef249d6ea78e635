"""Medians, ratios and the table."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from .killing import KillFigures
from .measure import Case, Figures
from .systems import Gateway, Rival

OURS, THEIRS = Gateway.name, Rival.name
Rounds = dict[str, list[Figures]]  # by system


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure, what it is called, its decimals."""

    figure: str
    label: str
    decimals: int = 0


ROWS = (
    Row("accepted_per_s", "accepted per second"),
    Row("visible_per_s", "visible in IMAP per second"),
    Row("cpu_s_per_1000", "CPU seconds per 1000", 2),
    Row("memory_mb", "memory, peak PSS, MB"),
    Row("memory_alone_mb", "memory at end as if alone, MB"),
    Row("p50_ms", "until 250, median, ms", 1),
    Row("p95_ms", "until 250, 95th of 100, ms", 1),
    Row("load_cpu_s_per_1000", "generator CPU s per 1000", 2),
    Row("load_core_share", "generator share of a core", 2),
    Row("others_cores", "other programs meanwhile, cores", 2),
)


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound for a figure of ours, or for the ratio ours / theirs."""

    figure: str
    bound: float
    at_least: bool
    ratio: bool = True

    def met(self, ours: float, theirs: float | None) -> bool | None:
        """Whether it is met; None when there is nothing to compare with."""
        if self.ratio and not theirs:
            return None
        value = ours / theirs if self.ratio and theirs else ours
        return value >= self.bound if self.at_least else value <= self.bound

    def text(self) -> str:
        """The bound in words."""
        return f"{'>=' if self.at_least else '<='} {self.bound:g}{'x' if self.ratio else ''}"


AIMS = {
    "4 KB": (
        Aim("visible_per_s", 5, at_least=True),
        Aim("cpu_s_per_1000", 0.2, at_least=False),
        Aim("memory_mb", 80, at_least=False, ratio=False),
    ),
    "4 KB fresh TLS": (Aim("visible_per_s", 2, at_least=True),),
    "1 MB": (Aim("visible_per_s", 2, at_least=True),),
    "20 MB": (Aim("visible_per_s", 2, at_least=True),),
}


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {
        item.name: statistics.median(getattr(one, item.name) for one in rounds) for item in fields(Figures)
    }


def table(case: Case, rounds: Rounds) -> list[str]:
    """The lines of one case."""
    lines = [f"\n{case.name}: {case.about}"]
    middle = {name: medians(found) for name, found in rounds.items() if found}
    if not middle:
        return [*lines, "  not measured"]
    count = max(len(found) for found in rounds.values())
    lines.append(
        f"  {f'median of {count} round(s)':32}"
        + "".join(f"{name:>18}" for name in middle)
        + f"{'ratio':>9}  aim"
    )
    aims = {aim.figure: aim for aim in AIMS.get(case.name, ())}
    for row in ROWS:
        values = [found[row.figure] for found in middle.values()]
        line = f"  {row.label:32}" + "".join(f"{_number(value, row.decimals):>18}" for value in values)
        ours, theirs = (middle.get(name, {}).get(row.figure) for name in (OURS, THEIRS))
        if ours is not None and theirs:
            line += f"{ours / theirs:>9.2f}"
        aim = aims.get(row.figure)
        if aim is not None and ours is not None:
            met = aim.met(ours, theirs)
            line += f"  {aim.text()}" + ("" if met is None else " met" if met else " NOT MET")
        lines.append(line.rstrip())
    for name, found in rounds.items():
        spread = " ".join(
            f"{one.visible_per_s:.0f}" if one.visible_per_s >= 20 else f"{one.visible_per_s:.1f}"
            for one in found
        )
        lines.append(f"  visible per second, each round, {name}: {spread}")
    return lines


def _number(value: float, decimals: int) -> str:
    """The value with these decimals, or one when it is small."""
    return f"{value:.{decimals or (1 if value < 20 else 0)}f}"


def ceiling(case: Case, sink: Figures, rounds: Rounds) -> str:
    """How far the generator is from being the limit."""
    best = max((one.accepted_per_s for found in rounds.values() for one in found), default=0.0)
    return (
        f"  generator alone, null sink on the same machine: {sink.accepted_per_s:.0f} per second"
        f" ({sink.load_cpu_s_per_1000:.2f} CPU s per 1000; the sink {sink.cpu_s_per_1000:.2f})"
        + (f", {sink.accepted_per_s / best:.1f} times the best round above" if best else "")
    )


def kills(found: dict[str, KillFigures], about: str) -> list[str]:
    """The lines of the kill case."""
    lines = [f"\nkill -9: {about}"]
    for name, one in found.items():
        verdict = "nothing lost, nothing doubled" if not one.lost and not one.doubled else "NOT CLEAN"
        lines.append(
            f"  {name:18} {one.rounds} rounds: accepted {one.accepted}, found {one.found}, lost {one.lost},"
            f" doubled {one.doubled}, stored without 250 seen {one.extra}, restart {one.restart_s:.1f} s: {verdict}"
        )
    return lines


def machine(folder: Path) -> dict[str, str]:
    """What the figures depend on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "cpu": f"{model}, {os.cpu_count()} cores, load before the run {os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "file system": _file_system(folder),
        "fsync of 4 KB": f"{_fsync_ms(folder):.2f} ms (median of 50)",
    }


def _lines(path: str) -> Iterable[str]:
    return Path(path).read_text(errors="replace").splitlines()


def _file_system(folder: Path) -> str:
    best = ("", "unknown")
    for line in _lines("/proc/mounts"):
        _, place, kind, *_rest = line.split()
        if str(folder.resolve()).startswith(place) and len(place) > len(best[0]):
            best = (place, kind)
    return best[1]


def _fsync_ms(folder: Path) -> float:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        taken = []
        for _ in range(50):
            before = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - before)
    return 1000 * statistics.median(taken)
