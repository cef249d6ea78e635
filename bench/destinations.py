"""50 destinations of which 10 are black holes: what the other 40 keep of their throughput (QUE-2)."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .destination import BlackHoles, Destination
from .measure import Case
from .relay import Measured, RelayFigures, addressed, arrived, feed, make
from .senders import Places, Relay, Rival, World
from .systems import remove

GOOD, HOLES = 40, 10
ABOUT = (
    f"4 KB messages evenly to {GOOD} destinations and {HOLES} black holes (half take connections and never speak, half"
    " drop what connects), all queued before; the same without the black holes"
)
AIM = 0.9
WITHOUT, WITH = "without", "with"
SYSTEMS = (Relay.name, Rival.name)


@dataclass(slots=True)
class HoleFigures:
    """Rounds by system; `without` and `with` black holes follow each other. Rates are those of the good ones."""

    rounds: dict[str, dict[str, list[RelayFigures]]] = field(default_factory=dict)

    def kept(self, system: str) -> float:
        """Median over the rounds of the rate with black holes against that without, in the same round."""
        rounds = self.rounds[system]
        pairs = zip(rounds[WITH], rounds[WITHOUT], strict=True)
        return statistics.median(holes.per_s / plain.per_s for holes, plain in pairs)


def run(folder: Path, case: Case, rounds: int, seconds: float, say: Callable[[str], None]) -> HoleFigures:
    """All rounds of all systems; raises as `relay.run` does. `case.messages` go to the good ones."""
    found = HoleFigures({system: {WITHOUT: [], WITH: []} for system in SYSTEMS})
    for number in range(rounds):
        for system in SYSTEMS:
            for kind in (WITHOUT, WITH) if number % 2 == 0 else (WITH, WITHOUT):
                place = folder / f"{system}-{number}-{kind}"
                try:
                    one = _round(place, system, case, seconds, holes=kind == WITH)
                finally:
                    remove(place)
                found.rounds[system][kind].append(one)
                say(
                    f"{case.name}, round {number + 1}, {system}, {kind} black holes: {one.per_s:.0f} per second,"
                    f" {one.cpu_s_per_1000:.2f} CPU s per 1000"
                )
    return found


def _round(place: Path, system: str, case: Case, seconds: float, *, holes: bool) -> RelayFigures:
    """Fill, let go, and count what reaches the good ones."""
    world = World(place, Places.made(GOOD + HOLES))
    ports = list(world.places.ports.values())
    # Every fifth is a black hole, so that their mail lies between that of the others.
    silent = ports[:: (GOOD + HOLES) // HOLES]
    good = [port for port in ports if port not in silent]
    domains = [name for name, port in world.places.ports.items() if holes or port in good]
    count = case.messages * len(domains) // GOOD
    sender = make(system, place, world, hold=True)
    sink = Destination(place / "sink", world, good)
    black: BlackHoles | None = None
    try:
        target = sender.start()
        feed(target, addressed(target, domains, count, case.size, "holes"), seconds)
        sink.run()
        black = BlackHoles(silent)
        sender.arm()
        measured = Measured(sender.roots(), sink)
        sender.let_go()
        times = arrived(sink, case.messages, seconds)
        return measured.figures(case.messages, times[0], times[-1])
    finally:
        sender.stop()
        sink.stop()
        if black is not None:
            black.close()


def table(case: Case, found: HoleFigures) -> list[str]:
    """The lines of the case."""
    lines = [f"\n{case.name}: {ABOUT}"]
    for system, kinds in found.rounds.items():
        if not kinds[WITH]:
            lines.append(f"  {system}: not measured")
            continue
        rates = (
            f"{kind} " + " ".join(f"{one.per_s:.0f}" for one in rounds) for kind, rounds in kinds.items()
        )
        kept = found.kept(system)
        line = f"  {system:14} per second to the good ones, each round: {'; '.join(rates)}; kept {100 * kept:.0f} %"
        if system == Relay.name:
            line += f"  >= {100 * AIM:.0f} % " + ("met" if kept >= AIM else "NOT MET")
        lines.append(line)
    return lines
