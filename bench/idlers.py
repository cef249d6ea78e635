"""Clients that wait in IDLE: what each costs in memory, and how soon it hears of a message."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import ssl
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .imap import Mailbox
from .letters import letters
from .mailrooms import Mailroom
from .messages import Target
from .processes import pss_mb

WATCHERS = 2  # clients on each folder, as somebody with a computer and a telephone
PUSHES = 100
PUSH_SECONDS = 20.0  # no further delivery after that: Dovecot looks every 30 s where it cannot watch a folder
LONGEST_SECONDS = 60.0
SETTLE_SECONDS = 3.0
KB_AIM, PUSH_AIM = 60.0, 10.0


@dataclass(slots=True)
class IdleFigures:
    """`kb_each`: growth of PSS per connection; `push_*`: from the OK of APPEND to EXISTS at a waiting client."""

    connections: int = 0
    kb_each: float = 0.0
    push_p50_ms: float = 0.0
    push_p95_ms: float = 0.0


def run(room: Mailroom, target: Target, count: int) -> IdleFigures:
    """Open the connections, weigh them, then deliver to folders by lot while they wait."""
    folders = [f"Attente{number}" for number in range(max(1, count // WATCHERS))]
    with contextlib.ExitStack() as stack:
        sender = stack.enter_context(Mailbox(target))
        for name in folders:
            sender.command(f"CREATE {name}")
        before = pss_mb(room.roots())
        waiting: dict[str, list[socket.socket]] = {}
        for number in range(count):
            name = folders[number % len(folders)]
            box = stack.enter_context(Mailbox(target))
            box.command(f"SELECT {name}")
            waiting.setdefault(name, []).append(box.idle())
        time.sleep(SETTLE_SECONDS)
        figures = IdleFigures(count, 1000 * (pss_mb(room.roots()) - before) / count)
        taken = sorted(_pushes(sender, waiting, target))
        figures.push_p50_ms = statistics.median(taken)
        figures.push_p95_ms = taken[int(len(taken) * 0.95)]
    return figures


def _pushes(sender: Mailbox, waiting: dict[str, list[socket.socket]], target: Target) -> list[float]:
    """Milliseconds until each watcher of the folder has heard, one delivery after the other."""
    dice = random.Random("pushes")
    taken: list[float] = []
    until = time.perf_counter() + PUSH_SECONDS
    for letter in letters(PUSHES, target.sender, target.recipient, "pushes"):
        if time.perf_counter() > until:
            break
        name = dice.choice(sorted(waiting))
        sender.append(name, [letter])
        answered = time.perf_counter()
        with selectors.DefaultSelector() as selector:
            left = set()
            for one in waiting[name]:
                one.setblocking(False)
                selector.register(one, selectors.EVENT_READ)
                left.add(one.fileno())
            while left:
                ready = selector.select(LONGEST_SECONDS)
                if not ready:
                    raise OSError(f"{name}: no push within {LONGEST_SECONDS:.0f} seconds")
                for key, _ in ready:
                    heard = key.fileobj
                    assert isinstance(heard, ssl.SSLSocket)
                    if key.fd in left and b"EXISTS" in _read(heard):
                        left.discard(key.fd)
                        taken.append(1000 * (time.perf_counter() - answered))
    return taken


def _read(one: ssl.SSLSocket) -> bytes:
    try:
        return one.recv(65536)
    except ssl.SSLWantReadError:
        return b""


def lines(ours: Sequence[IdleFigures], theirs: Sequence[IdleFigures]) -> list[str]:
    """The lines of the table; the aims are absolute."""
    if not ours or not theirs:
        return []
    found = []
    for label, name, aim in (("KB each", "kb_each", KB_AIM), ("push p95, ms", "push_p95_ms", PUSH_AIM)):
        one, other = (statistics.median(getattr(each, name) for each in side) for side in (ours, theirs))
        verdict = "met" if one <= aim else "NOT MET"
        label = f"{ours[0].connections} in IDLE, {label}"
        found.append(f"  {label:32}{one:>12.1f}{other:>12.1f}{one / other:>7.2f}  <= {aim:g} {verdict}")
    return found
