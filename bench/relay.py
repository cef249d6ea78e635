"""Relaying 4 KB to one destination over reused mutual TLS: this gateway and Postfix, to the same kind of sink."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .destination import Destination
from .load import Load, Plan
from .measure import Case, own_cpu, summarise
from .messages import Message, Target, build
from .processes import busy_seconds, cpu_seconds, pss_mb
from .senders import Places, Relay, Rival, Sender, World
from .systems import remove

ABOUT = (
    "4 KB messages to one destination on 10 connections with mutual TLS 1.3, kept from message to message;"
    " drain: what was queued before; through: what comes in by SMTP on 8 connections meanwhile"
)
DRAIN, THROUGH = "drain", "through"
WAYS = (DRAIN, THROUGH)
SYSTEMS = (Relay.name, Rival.name)
FASTER, CHEAPER = 2.0, 0.5
"""Aims: messages per second at least, CPU per message at most, both times Postfix's."""
LOOK_SECONDS = 0.05
QUIET_SECONDS = 0.4
QUIET_SHARE = 0.03  # of a core: below it a system has nothing left to do
WARM = 40
SINK_TIMES = 3  # as many messages for the sink alone


@dataclass(slots=True)
class RelayFigures:
    """One round of one way on one system.

    `connections` is how many TLS connections the sink saw; `sink_share` what the sink used, in cores.
    """

    messages: int = 0
    per_s: float = 0.0
    cpu_s_per_1000: float = 0.0
    memory_mb: float = 0.0
    connections: int = 0
    sink_share: float = 0.0
    others_cores: float = 0.0
    cipher: str = ""


@dataclass(slots=True)
class Comparison:
    """Rounds by way and system; `alone` is what the load generator gets through the sink, per second."""

    rounds: dict[str, dict[str, list[RelayFigures]]] = field(default_factory=dict)
    alone: float = 0.0

    def median(self, way: str, system: str, figure: str) -> float:
        """The middle round."""
        return float(statistics.median(getattr(one, figure) for one in self.rounds[way][system]))


class Stuck(Exception):
    """Messages did not arrive in time; the text says how many."""


def make(system: str, folder: Path, world: World, *, hold: bool) -> Sender:
    """One of the systems that relay."""
    return Relay(folder, world) if system == Relay.name else Rival(folder, world, hold=hold)


def addressed(target: Target, domains: Sequence[str], count: int, size: int, tag: str) -> list[Message]:
    """Messages to these domains in turns."""
    return [
        replace(one, recipient=f"dr.exemple@{domains[number % len(domains)]}")
        for number, one in enumerate(build(target, count, size, tag))
    ]


def feed(target: Target, messages: Sequence[Message], seconds: float) -> float:
    """Send them all in; return when the clock was started. Raises `LoadFailed`."""
    load = Load(target, messages, Plan(seconds=seconds))
    load.go()
    while not load.wait(LOOK_SECONDS):
        pass
    summarise(load.started, load.shares)
    return load.started


def arrived(sink: Destination, wanted: int, seconds: float) -> list[float]:
    """Wait until so many messages are in the sink; return when each came first, in order. Raises `Stuck`."""
    until = time.perf_counter() + seconds
    while len(sink.look().arrivals) < wanted:
        if time.perf_counter() > until:
            found = len(sink.record.arrivals)
            raise Stuck(f"{wanted - found} of {wanted} messages did not arrive in {seconds:.0f} s")
        time.sleep(LOOK_SECONDS)
    return sorted(found[0].at for found in sink.record.arrivals.values())


def settled(roots: Sequence[int], seconds: float) -> None:
    """Wait until the system has nothing left to do: what it writes down after the last message is its work as well."""
    until = time.perf_counter() + seconds
    before = cpu_seconds(roots)
    while time.perf_counter() < until:
        time.sleep(QUIET_SECONDS)
        now = cpu_seconds(roots)
        if now - before < QUIET_SHARE * QUIET_SECONDS:
            return
        before = now


class Measured:
    """What a system, the sink and the others use from now on."""

    def __init__(self, roots: Sequence[int], sink: Destination) -> None:
        self._roots = roots
        self._sink = sink
        self._cpu, self._sink_cpu = cpu_seconds(roots), cpu_seconds([sink.pid])
        self._busy, self._own, self._at = busy_seconds(), own_cpu(), time.perf_counter()

    def figures(self, messages: int, first: float, last: float) -> RelayFigures:
        """The figures of so many messages between two moments; waits until the system is quiet."""
        sink = cpu_seconds([self._sink.pid]) - self._sink_cpu
        settled(self._roots, 10.0)
        spent = cpu_seconds(self._roots) - self._cpu
        others = busy_seconds() - self._busy - spent - sink - (own_cpu() - self._own)
        record = self._sink.record
        return RelayFigures(
            messages=messages,
            per_s=messages / (last - first),
            cpu_s_per_1000=1000 * spent / messages,
            memory_mb=pss_mb(self._roots),
            connections=record.connections,
            sink_share=sink / (last - first),
            others_cores=max(0.0, others / (time.perf_counter() - self._at)),
            cipher=" ".join(sorted(record.ciphers)),
        )


def drain(
    sender: Sender, sink: Destination, domains: Sequence[str], case: Case, seconds: float
) -> RelayFigures:
    """Fill the queue while nobody answers, then let it go: from the first to the last message in the sink."""
    try:
        target = sender.start()
        feed(target, addressed(target, domains, case.messages, case.size, DRAIN), seconds)
        sink.run()
        sender.arm()
        measured = Measured(sender.roots(), sink)
        sender.let_go()
        times = arrived(sink, case.messages, seconds)
        return measured.figures(case.messages, times[0], times[-1])
    finally:
        sender.stop()
        sink.stop()


def through(
    sender: Sender, sink: Destination, domains: Sequence[str], case: Case, seconds: float
) -> RelayFigures:
    """Feed by SMTP and relay at once: from the start of the feeding to the last message in the sink."""
    try:
        sink.run()
        target = sender.start()
        feed(target, addressed(target, domains, WARM, case.size, "warm"), seconds)
        arrived(sink, WARM, seconds)
        settled(sender.roots(), 10.0)
        measured = Measured(sender.roots(), sink)
        started = feed(target, addressed(target, domains, case.messages, case.size, THROUGH), seconds)
        times = arrived(sink, WARM + case.messages, seconds)
        return measured.figures(case.messages, started, times[-1])
    finally:
        sender.stop()
        sink.stop()


def run(folder: Path, case: Case, rounds: int, seconds: float, say: Callable[[str], None]) -> Comparison:
    """All rounds, both ways, the systems in turn; raises `ForeignFailure`, `LoadFailed` or `Stuck`."""
    found = Comparison({way: {system: [] for system in SYSTEMS} for way in WAYS})
    for number in range(rounds):
        for way in WAYS:
            for system in SYSTEMS:
                place = folder / f"{way}-{system}-{number}"
                world = World(place, Places.made(1))
                sender = make(system, place, world, hold=way == DRAIN)
                sink = Destination(place / "sink", world, list(world.places.ports.values()))
                try:
                    measure = drain if way == DRAIN else through
                    one = measure(sender, sink, world.places.domains, case, seconds)
                finally:
                    remove(place)
                found.rounds[way][system].append(one)
                say(
                    f"{case.name} {way}, round {number + 1}, {system}: {one.per_s:.0f} per second,"
                    f" {one.cpu_s_per_1000:.2f} CPU s per 1000, {one.memory_mb:.0f} MB"
                )
    found.alone = _alone(folder / "alone", case, seconds)
    return found


def _alone(folder: Path, case: Case, seconds: float) -> float:
    """Messages per second from the load generator straight into the sink."""
    world = World(folder, Places.made(1))
    (port,) = world.places.ports.values()
    sink = Destination(folder / "sink", world, [port])
    operator = world.space.operator
    address = f"bench@{world.domain}"
    files = (Path(world.space.ca), Path(operator.cert), Path(operator.key))
    target = Target(port, 0, *files, sender=address, recipient="", login="", password="")
    count = case.messages * SINK_TIMES
    try:
        sink.run()
        started = feed(target, addressed(target, world.places.domains, count, case.size, "alone"), seconds)
        return count / (arrived(sink, count, seconds)[-1] - started)
    finally:
        sink.stop()
        remove(folder)


ROWS = (
    ("per_s", "messages per second", 0),
    ("cpu_s_per_1000", "CPU seconds per 1000", 2),
    ("memory_mb", "memory at end, PSS, MB", 0),
    ("connections", "TLS connections", 0),
    ("sink_share", "sink, cores", 2),
    ("others_cores", "other programs meanwhile, cores", 2),
)


def table(case: Case, found: Comparison) -> list[str]:
    """The lines of the case."""
    lines = [f"\n{case.name}: {ABOUT}"]
    for way, systems in found.rounds.items():
        if not all(systems.values()):
            lines.append(f"  {way}: not measured")
            continue
        count = len(systems[Relay.name])
        head = f"{way}, {case.messages} messages, median of {count} round(s)"
        lines.append(f"  {head:52}" + "".join(f"{name:>14}" for name in systems) + f"{'ratio':>9}  aim")
        for figure, label, decimals in ROWS:
            ours, theirs = (found.median(way, system, figure) for system in SYSTEMS)
            line = f"  {label:52}{ours:>14.{decimals}f}{theirs:>14.{decimals}f}"
            line += f"{ours / theirs:>9.2f}" if theirs else ""
            lines.append(line + _verdict(figure, ours, theirs))
        for system, rounds in systems.items():
            spread = " ".join(f"{one.per_s:.0f}/{one.cpu_s_per_1000:.2f}" for one in rounds)
            lines.append(
                f"  each round, per second / CPU s per 1000, {system}: {spread}  ({rounds[0].cipher})"
            )
    fastest = max(
        (one.per_s for systems in found.rounds.values() for rounds in systems.values() for one in rounds),
        default=0.0,
    )
    if found.alone and fastest:
        lines.append(
            f"  generator straight into the sink: {found.alone:.0f} per second, {found.alone / fastest:.1f} times"
            " the best round above"
        )
    return lines


def _verdict(figure: str, ours: float, theirs: float) -> str:
    if figure == "per_s":
        return f"  >= {FASTER:g}x " + ("met" if ours >= FASTER * theirs else "NOT MET")
    if figure == "cpu_s_per_1000":
        return f"  <= {CHEAPER:g}x " + ("met" if ours <= CHEAPER * theirs else "NOT MET")
    return ""
