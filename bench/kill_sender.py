"""kill -9 of the gateway while it relays: everything accepted arrives, and why some of it arrives twice (QUE-1)."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .destination import Arrival, Destination, Record
from .load import Load, Plan
from .relay import addressed
from .senders import Places, Relay, World
from .systems import remove

ABOUT = (
    "4 KB messages come in by submission and leave at once; the gateway gets SIGKILL in the middle, is started again,"
    " and everything is awaited in the sink"
)
MESSAGES = 1500  # per round at most; some kills come while they are fed, others while the rest is drained
EARLIEST, LATEST = 0.15, 3.0  # seconds after the start of the load
ARRIVE_SECONDS = 60.0
SAME_BREATH = 1.0
"""Seconds between a 250 and the end of its connection within which a gateway that dies may not have kept it."""
AT_ONCE = 0.001
"""Seconds between a 250 and the end of its connection that mean that nobody was there any more to read it."""
DOMAINS = 4


@dataclass(slots=True)
class SenderKillFigures:
    """The sum of all rounds. Copies are those after the first one of each message.

    `unread`: the 250 of the copy before had not reached the process: it was the last thing on a connection that the
    kernel reset, or it was written when the process was gone already. `unkept`: it was read, within `SAME_BREATH`
    before the kill, and not yet on disk. `other`: any other, which must not be. `longest_ms` is the longest time
    between the 250 of a copy and the end of its connection.
    """

    rounds: int = 0
    accepted: int = 0
    arrived: int = 0
    lost: int = 0
    unread: int = 0
    unkept: int = 0
    other: int = 0
    extra: int = 0
    longest_ms: float = 0.0
    restart_s: float = 0.0
    lost_ids: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, and no copy that a kill does not explain."""
        return not self.lost and not self.other


def run(folder: Path, rounds: int, say: Callable[[str], None]) -> SenderKillFigures:
    """Kill and start the gateway that often on the same data, with one sink that stays."""
    dice = random.Random(rounds)
    world = World(folder, Places.made(DOMAINS))
    gateway = Relay(folder, world, {"queue_retry_first": "1"})
    sink = Destination(folder / "sink", world, list(world.places.ports.values()))
    accepted: set[str] = set()
    restarts: list[float] = []
    try:
        sink.run()
        target = gateway.start()
        for number in range(rounds):
            messages = addressed(target, world.places.domains, MESSAGES, 4096, f"kill{number}")
            load = Load(target, messages, Plan(seconds=LATEST + 30))
            load.go()
            load.wait(EARLIEST)
            time.sleep(dice.uniform(0.0, LATEST - EARLIEST))
            gateway.kill()
            while not load.wait(1.0):
                pass
            accepted.update(ident for share in load.shares for ident in share.accepted)
            before = time.perf_counter()
            target = gateway.start()
            restarts.append(time.perf_counter() - before)
            left = _await(gateway, sink, accepted)
            say(
                f"  kill {number + 1}/{rounds}: {len(accepted)} accepted so far, {len(accepted) - left} of them and"
                f" {sink.record.messages} copies in all in the sink"
            )
        figures = _compare(accepted, sink.look())
    finally:
        gateway.stop()
        sink.stop()
        remove(folder)
    figures.rounds, figures.restart_s = rounds, statistics.median(restarts)
    return figures


def _await(gateway: Relay, sink: Destination, accepted: set[str]) -> int:
    """Wait until all that was accepted is in the sink and nothing waits any more; return how many are missing."""
    until = time.perf_counter() + ARRIVE_SECONDS
    while time.perf_counter() < until:
        if not accepted - sink.look().arrivals.keys() and not gateway.waiting():
            break
        time.sleep(0.1)
    return len(accepted - sink.look().arrivals.keys())


def _compare(accepted: set[str], record: Record) -> SenderKillFigures:
    lost = sorted(accepted - record.arrivals.keys())
    figures = SenderKillFigures(
        accepted=len(accepted),
        arrived=len(accepted) - len(lost),
        lost=len(lost),
        extra=len(record.arrivals.keys() - accepted),
        lost_ids=lost[:20],
    )
    last: dict[str, float] = {}
    for copies in record.arrivals.values():
        for copy in copies:
            last[copy.connection] = max(last.get(copy.connection, 0.0), copy.at)
    for copies in record.arrivals.values():
        for copy in copies[:-1]:
            _classify(copy, last[copy.connection], record, figures)
    return figures


def _classify(copy: Arrival, last: float, record: Record, figures: SenderKillFigures) -> None:
    """Why a message was sent once more although this copy had been answered."""
    ending = record.endings.get(copy.connection)
    if ending is None:
        figures.other += 1
        return
    gap = ending.at - copy.at
    if copy.at == last and not ending.gone_on and (ending.reset or gap <= AT_ONCE):
        figures.unread += 1
    elif gap <= SAME_BREATH:
        figures.unkept += 1
    else:
        figures.other += 1
        return
    figures.longest_ms = max(figures.longest_ms, 1000 * gap)


def table(found: SenderKillFigures) -> list[str]:
    """The lines of the case."""
    verdict = "nothing lost, no copy but by a kill" if found.clean else "NOT CLEAN"
    return [
        f"\nkill sender: {ABOUT}",
        f"  {Relay.name}: {found.rounds} rounds: accepted {found.accepted}, arrived {found.arrived}, lost {found.lost},"
        f" arrived without 250 seen by the feeder {found.extra}, restart {found.restart_s:.1f} s",
        f"  copies: {found.unread} whose 250 was not read, {found.unkept} whose 250 was read but not on disk yet"
        f" (at most {found.longest_ms:.0f} ms before the end of the connection), {found.other} others: {verdict}",
    ]
