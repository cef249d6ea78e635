"""`scripts/bench`: run the cases in turn on both systems, print the table, write the figures."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tests.support.foreign import ForeignFailure

from . import (
    archives,
    backlog,
    decisions,
    destinations,
    kill_sender,
    killing,
    measure,
    million,
    patients,
    relay,
    report,
    retrieval,
)
from .measure import Case, Figures
from .systems import Gateway, Rival, Sink, System, remove

T = TypeVar("T")

CASES = (
    Case("4 KB", "4 KB messages on 8 kept connections with mutual TLS 1.3", 4096, 3000),
    Case(
        "4 KB fresh TLS",
        "a new connection with a full mutual TLS handshake for each 4 KB message, 8 at a time",
        4096,
        1000,
        fresh=True,
    ),
    Case("1 MB", "1 MB messages on 8 kept connections", 1 << 20, 300),
    Case("20 MB", "20 MB messages on 8 kept connections", 20 << 20, 24),
)
KILL = "kill"
PATIENT = Case(
    "patient 4 KB",
    "4 KB by submission on 8 kept connections, to a BAL and to a patient with an open channel, in turns",
    4096,
    3000,
)
ARCHIVE = Case(
    "archive", "a message with an IHE_XDM archive of 2 MB to a patient, by submission", 2 << 20, 16
)
DECISIONS = "decisions"
RELAY = Case("relay", relay.ABOUT, 4096, 3000)
DESTINATIONS = Case("destinations", destinations.ABOUT, 4096, 4000)
KILL_SENDER = "kill sender"
BACKLOG = "backlog"
IMAP, MILLION = "imap", "million"
READING = (IMAP, MILLION)
"""Cases of retrieval, each with systems of its own."""
OUTWARD = (RELAY.name, DESTINATIONS.name, KILL_SENDER, BACKLOG)
"""Cases of the way out, each with systems of its own."""
OURS = (PATIENT.name, ARCHIVE.name, DECISIONS)
"""Cases that compare this gateway with itself."""
SYSTEMS: dict[str, Callable[[Path], System]] = {Gateway.name: Gateway, Rival.name: Rival}
KILLS, SENDER_KILLS = 10, 50
IDLE_CLIENTS = 1000
QUICK = 5  # --quick sends a fifth, in one round
MOST_MESSAGES = 100_000


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    names = [*(case.name for case in CASES), *OURS, KILL, *OUTWARD, *READING]
    parser.add_argument("--rounds", type=int, default=3, help="rounds per case, A B A B (default 3)")
    parser.add_argument("--quick", action="store_true", help="one round, a fifth of the messages, two kills")
    parser.add_argument(
        "--only", action="append", metavar="CASE", choices=names, help=f"one of: {', '.join(names)}"
    )
    parser.add_argument(
        "--messages", type=int, help=f"messages of the {CASES[0].name} case; the others in proportion"
    )
    parser.add_argument(
        "--kill-rounds",
        type=int,
        help=f"kill -9 rounds of the gateway (default {KILLS}, {SENDER_KILLS} for {KILL_SENDER!r})",
    )
    parser.add_argument("--rival-kill-rounds", type=int, default=2, help="the same for Postfix with Dovecot")
    parser.add_argument("--system", action="append", choices=sorted(SYSTEMS), help="measure only this system")
    parser.add_argument("--seconds", type=float, default=90.0, help="longest time of one load (default 90)")
    parser.add_argument(
        "--dir", type=Path, help="scratch folder on the disk to measure (default: a temporary one)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(arguments)
    if options.messages is not None and not 8 <= options.messages <= MOST_MESSAGES:
        parser.error(f"--messages must be between 8 and {MOST_MESSAGES}")
    if options.quick:
        options.rounds, options.kill_rounds, options.rival_kill_rounds = 1, 2, 1
    options.only = options.only or names
    options.system = options.system or list(SYSTEMS)
    return options


def _sized(case: Case, options: argparse.Namespace) -> Case:
    count = case.messages
    if options.messages is not None:
        count = count * options.messages // CASES[0].messages
    if options.quick:
        count //= QUICK
    return replace(case, messages=max(8, count))


@dataclass(frozen=True, slots=True)
class Outward:
    """A case of the way out or of retrieval: figures for a file, its lines, and whether nothing was lost."""

    figures: dict[str, Any]
    lines: list[str]
    clean: bool = True


class Bench:
    """One run in a scratch folder; every system is started afresh for every round and removed after it."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        self._number = 0
        self.rounds: dict[str, report.Rounds] = {}
        self.sinks: dict[str, Figures] = {}
        self.kills: dict[str, killing.KillFigures] = {}
        self.patients: tuple[Case, patients.PatientFigures] | None = None
        self.archives: tuple[Case, archives.ArchiveFigures] | None = None
        self.decisions: decisions.DecisionFigures | None = None
        self.outward: dict[str, Outward] = {}

    def case(self, case: Case) -> None:
        """All rounds of one case, the systems in turn, then the generator alone."""
        rounds: report.Rounds = {name: [] for name in self._options.system}
        self.rounds[case.name] = rounds
        measured = partial(measure.run, case=case, seconds=self._options.seconds)
        for number in range(self._options.rounds):
            for name in self._options.system:
                figures = self._with(SYSTEMS[name], measured)
                rounds[name].append(figures)
                _say(
                    f"{case.name}, round {number + 1}, {name}: {figures.visible_per_s:.1f} visible per second,"
                    f" {figures.cpu_s_per_1000:.2f} CPU s per 1000, {figures.memory_mb:.0f} MB"
                )
        self.sinks[case.name] = self._with(Sink, measured)

    def kill(self) -> None:
        """The kill rounds of each system."""
        for name in self._options.system:
            ours = name == Gateway.name
            rounds = self._options.kill_rounds or KILLS if ours else self._options.rival_kill_rounds
            _say(f"kill -9, {name}:")
            self.kills[name] = self._with(SYSTEMS[name], partial(killing.run, rounds=rounds, say=_say))

    def ours(self, name: str) -> None:
        """One of the cases without a rival."""
        rounds, seconds = self._options.rounds, self._options.seconds
        if name == PATIENT.name:
            case = _sized(PATIENT, self._options)
            self.patients = case, patients.run(self._folder / "patients", case, rounds, seconds, _say)
            self.sinks[name] = self._with(Sink, partial(measure.run, case=case, seconds=seconds))
        elif name == ARCHIVE.name:
            self.archives = ARCHIVE, archives.run(self._folder / "archives", ARCHIVE, rounds, seconds, _say)
        else:
            self.decisions = decisions.run(self._folder / "decisions", _say)

    def outwards(self, name: str) -> None:
        """One of the cases of the way out."""
        options, folder = self._options, self._folder / "outward"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        if name == RELAY.name:
            case = _sized(RELAY, options)
            compared = relay.run(folder, case, options.rounds, options.seconds, _say)
            self.outward[name] = Outward(asdict(compared), relay.table(case, compared))
        elif name == DESTINATIONS.name:
            case = _sized(DESTINATIONS, options)
            kept = destinations.run(folder, case, options.rounds, options.seconds, _say)
            self.outward[name] = Outward(asdict(kept), destinations.table(case, kept))
        elif name == KILL_SENDER:
            _say("kill -9 of the sender:")
            killed = kill_sender.run(folder / "kill", options.kill_rounds or SENDER_KILLS, _say)
            self.outward[name] = Outward(asdict(killed), kill_sender.table(killed), killed.clean)
        else:
            _say("backlog:")
            count = backlog.MESSAGES // (QUICK if options.quick else 1)
            waiting = backlog.run(folder / "backlog", count, _say)
            self.outward[name] = Outward(asdict(waiting), backlog.table(waiting))

    def reading(self, name: str) -> None:
        """One of the cases of retrieval."""
        options, folder = self._options, self._folder / "reading"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        less = QUICK if options.quick else 1
        if name == IMAP:
            count = retrieval.MESSAGES // less
            found = retrieval.run(folder, count, options.rounds, IDLE_CLIENTS // less, _say)
            figures = {system: [asdict(one) for one in rounds] for system, rounds in found.items()}
            self.outward[name] = Outward(figures, retrieval.table(count, found))
        else:
            opened = million.run(folder / "million", million.MESSAGES // less, _say)
            self.outward[name] = Outward(asdict(opened), million.table(opened))

    def _with(self, make: Callable[[Path], System], use: Callable[[System], T]) -> T:
        self._number += 1
        folder = self._folder / str(self._number)
        try:
            return use(make(folder))
        finally:
            remove(folder)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _figures(bench: Bench, machine: dict[str, str]) -> dict[str, Any]:
    """Everything measured, for a file."""
    return {
        "machine": machine,
        "cases": {
            name: {
                "rounds": {system: [asdict(one) for one in found] for system, found in rounds.items()},
                "medians": {system: report.medians(found) for system, found in rounds.items() if found},
                "generator_alone": asdict(bench.sinks[name]) if name in bench.sinks else None,
            }
            for name, rounds in bench.rounds.items()
        },
        "kill": {name: asdict(one) for name, one in bench.kills.items()},
        PATIENT.name: asdict(bench.patients[1]) if bench.patients else None,
        ARCHIVE.name: asdict(bench.archives[1]) if bench.archives else None,
        DECISIONS: asdict(bench.decisions) if bench.decisions else None,
        **{name: one.figures for name, one in bench.outward.items()},
    }


def _print(bench: Bench, cases: Sequence[Case], machine: dict[str, str]) -> None:
    for name, value in machine.items():
        print(f"{name}: {value}")
    for case in cases:
        if case.name in bench.rounds:
            print("\n".join(report.table(case, bench.rounds[case.name])))
        if case.name in bench.sinks:
            print(report.ceiling(case, bench.sinks[case.name], bench.rounds[case.name]))
    if bench.patients:
        print("\n".join(patients.table(*bench.patients, bench.sinks.get(PATIENT.name))))
    if bench.archives:
        print("\n".join(archives.table(*bench.archives)))
    if bench.decisions:
        print("\n".join(decisions.table(DECISIONS, decisions.ABOUT, bench.decisions)))
    for one in bench.outward.values():
        print("\n".join(one.lines))
    if bench.kills:
        print("\n".join(report.kills(bench.kills, killing.ABOUT)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 1 when the gateway lost or doubled a message; 3 when a system could not be measured."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    folder = Path(tempfile.mkdtemp(prefix="mss-bench-", dir=options.dir))
    folder.chmod(0o755)  # Postfix and Dovecot come in as other users
    machine = report.machine(folder)
    cases = [_sized(case, options) for case in CASES if case.name in options.only]
    bench = Bench(folder, options)
    status = 0
    try:
        for case in cases:
            bench.case(case)
        for name in OURS if Gateway.name in options.system else ():
            if name in options.only:
                bench.ours(name)
        for name in OUTWARD:
            if name in options.only:
                bench.outwards(name)
        for name in READING:
            if name in options.only:
                bench.reading(name)
        if KILL in options.only:
            bench.kill()
    except (ForeignFailure, measure.LoadFailed, measure.NotSeen, relay.Stuck, OSError) as error:
        _say(f"the bench stopped: {error}")
        status = 3
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _print(bench, cases, machine)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(_figures(bench, machine), indent=1) + "\n")
    ours = bench.kills.get(Gateway.name)
    clean = all(one.clean for one in bench.outward.values())
    return 1 if not clean or (ours is not None and (ours.lost or ours.doubled)) else status


if __name__ == "__main__":
    sys.exit(main())
