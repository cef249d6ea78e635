"""One measurement: a load on one system, until the last message is seen over IMAP."""

from __future__ import annotations

import resource
import statistics
import time
from dataclasses import dataclass

from .imap import Mailbox
from .load import Load, Plan, Share
from .messages import Target, build
from .processes import alone_mb, busy_seconds, cpu_seconds, pss_mb
from .systems import Sink, System

LOOK_SECONDS = 0.25  # between two looks while the load runs
LAST_LOOK_SECONDS = 0.01  # between two looks once everything was accepted
WARM = 40  # messages before the clock, so that processes are up and caches filled
WARM_SIZE = 4096
SINK_TIMES = 4  # small messages go to the null sink so fast that more of them are needed


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load. `about` says in a sentence what it does; sizes in octets."""

    name: str
    about: str
    size: int
    messages: int
    fresh: bool = False


@dataclass(slots=True)
class Figures:
    """What one round of one case on one system gave.

    `others_cores` is what programs that are neither measured nor the bench used meanwhile, in cores:
    well above 0.2 the machine was not free, and rates (though not CPU seconds) suffer from it.
    """

    accepted: int = 0
    accepted_per_s: float = 0.0
    visible_per_s: float = 0.0
    cpu_s_per_1000: float = 0.0
    memory_mb: float = 0.0
    memory_alone_mb: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    load_cpu_s_per_1000: float = 0.0
    load_core_share: float = 0.0
    others_cores: float = 0.0


class LoadFailed(Exception):
    """A connection of the load ended early; the text is what the server said or did."""


class NotSeen(Exception):
    """Accepted messages did not appear over IMAP in time; the text says how many."""


def run(system: System, case: Case, seconds: float) -> Figures:
    """Start the system, warm it, measure the case, stop it."""
    target = system.start()
    try:
        if isinstance(system, Sink):
            return _measure_sink(system, target, case, seconds)
        with Mailbox(target) as mailbox:
            seen = warm(target, mailbox, case, seconds)
            return loaded(system, target, mailbox, case, seen, seconds)
    finally:
        system.stop()


def warm(target: Target, mailbox: Mailbox, case: Case, seconds: float, over: int = 0) -> int:
    """Send what is not counted, over what lies there already, and wait until it is seen; return how many are there."""
    load = Load(target, build(target, WARM, WARM_SIZE, "warm"), Plan(case.fresh, seconds))
    load.go()
    while not load.wait(LOOK_SECONDS):
        pass
    seen = over + summarise(load.started, load.shares).accepted
    await_seen(mailbox, seen, seconds)
    return seen


def loaded(
    system: System, target: Target, mailbox: Mailbox, case: Case, before: int, seconds: float
) -> Figures:
    """Send a case to a system that runs, over what lies in the mailbox `before`."""
    messages = build(target, case.messages, case.size, case.name.replace(" ", "-"))
    roots = system.roots()
    load = Load(target, messages, Plan(case.fresh, seconds))
    cpu, busy, bench = cpu_seconds(roots), busy_seconds(), own_cpu()
    memory = pss_mb(roots)
    load.go()
    while not load.wait(LOOK_SECONDS):
        memory = max(memory, pss_mb(roots))
        mailbox.count()
    figures = summarise(load.started, load.shares)
    visible = await_seen(mailbox, before + figures.accepted, seconds) - load.started
    figures.visible_per_s = figures.accepted / visible
    spent = cpu_seconds(roots) - cpu
    figures.cpu_s_per_1000 = 1000 * spent / max(1, figures.accepted)
    strange = busy_seconds() - busy - spent - (own_cpu() - bench)
    figures.others_cores = max(0.0, strange / (time.perf_counter() - load.started))
    figures.memory_mb = max(memory, pss_mb(roots))
    figures.memory_alone_mb = alone_mb(roots)
    return figures


def own_cpu() -> float:
    """CPU seconds of the bench itself, ended generators included."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _measure_sink(system: Sink, target: Target, case: Case, seconds: float) -> Figures:
    count = case.messages * (1 if case.fresh or case.size > 65536 else SINK_TIMES)
    load = Load(target, build(target, count, case.size, "sink"), Plan(case.fresh, seconds))
    cpu = cpu_seconds(system.roots())
    load.go()
    while not load.wait(LOOK_SECONDS):
        pass
    figures = summarise(load.started, load.shares)
    figures.cpu_s_per_1000 = 1000 * (cpu_seconds(system.roots()) - cpu) / max(1, figures.accepted)
    return figures


def summarise(started: float, shares: list[Share]) -> Figures:
    """The client's side of a load; raises `LoadFailed` when a message was refused or a connection lost."""
    errors = sorted({share.error for share in shares if share.error})
    if errors:
        raise LoadFailed("; ".join(errors))
    accepted = sum(len(share.accepted) for share in shares)
    wall = max(share.ended for share in shares) - started
    taken = sorted(value for share in shares for value in share.seconds)
    cpu = sum(share.cpu for share in shares)
    return Figures(
        accepted=accepted,
        accepted_per_s=accepted / wall,
        p50_ms=1000 * statistics.median(taken) if taken else 0.0,
        p95_ms=1000 * taken[int(len(taken) * 0.95)] if taken else 0.0,
        load_cpu_s_per_1000=1000 * cpu / max(1, accepted),
        load_core_share=cpu / wall,
    )


def await_seen(mailbox: Mailbox, wanted: int, seconds: float) -> float:
    """Look until that many are there; return the moment of the look that saw them."""
    until = time.perf_counter() + seconds
    while True:
        count = mailbox.count()
        now = time.perf_counter()
        if count >= wanted:
            return now
        if now > until:
            raise NotSeen(
                f"{wanted - count} of {wanted} accepted messages were not seen within {seconds:.0f} s"
            )
        time.sleep(LAST_LOOK_SECONDS)
