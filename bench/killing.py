"""kill -9 under load: what was answered with 250 is looked for over IMAP after the restart."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .imap import Mailbox
from .load import Load, Plan
from .messages import build
from .systems import System

ABOUT = (
    "4 KB messages on 8 kept connections; every process gets SIGKILL in the middle; restart; count over IMAP"
)
MESSAGES = 4000  # per round at most; the kill comes first
EARLIEST, LATEST = 0.15, 1.2  # seconds after the start of the load
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.3


@dataclass(slots=True)
class KillFigures:
    """The sum of all rounds. `extra` were stored though the kill came before their 250, which is allowed."""

    rounds: int = 0
    accepted: int = 0
    found: int = 0
    lost: int = 0
    doubled: int = 0
    extra: int = 0
    restart_s: float = 0.0
    lost_ids: list[str] = field(default_factory=list)


def run(system: System, rounds: int, say: Callable[[str], None]) -> KillFigures:
    """Kill and restart the system that often on the same data; count at the end over the whole mailbox."""
    dice = random.Random(rounds)
    accepted: set[str] = set()
    restarts: list[float] = []
    try:
        target = system.start()
        for number in range(rounds):
            load = Load(target, build(target, MESSAGES, 4096, f"kill{number}"), Plan(seconds=LATEST + 30))
            load.go()
            load.wait(dice.uniform(EARLIEST, LATEST))
            system.kill()
            while not load.wait(1.0):
                pass
            accepted.update(ident for share in load.shares for ident in share.accepted)
            before = time.perf_counter()
            target = system.start()
            restarts.append(time.perf_counter() - before)
            with Mailbox(target) as mailbox:
                stored = _settle(system, mailbox)
            say(f"  kill {number + 1}/{rounds}: {len(accepted)} accepted so far, {stored} in the mailbox")
        with Mailbox(target) as mailbox:
            return _compare(accepted, mailbox.idents(), rounds, statistics.median(restarts))
    finally:
        system.stop()


def _settle(system: System, mailbox: Mailbox) -> int:
    """Wait until nothing is on its way any more; return how many messages are in the mailbox."""
    until = time.perf_counter() + SETTLE_SECONDS
    last = -1
    while time.perf_counter() < until:
        count = mailbox.count()
        if system.settled() and count == last:
            return count
        last = count
        time.sleep(LOOK_SECONDS)
    return last


def _compare(accepted: set[str], found: Counter[str], rounds: int, restart: float) -> KillFigures:
    lost = sorted(accepted - found.keys())
    return KillFigures(
        rounds=rounds,
        accepted=len(accepted),
        found=len(accepted) - len(lost),
        lost=len(lost),
        doubled=sum(1 for times in found.values() if times > 1),
        extra=len(found.keys() - accepted),
        restart_s=restart,
        lost_ids=lost[:20],
    )
