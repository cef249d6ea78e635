"""Reading mail over TLS, against Dovecot on the same letters in the same run: one client, many, and idle ones."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import crowd, idlers
from .imap import Mailbox
from .letters import RARE_SUBJECT, RARE_WORD, letters
from .mailrooms import MAILROOMS, Alone, Mailroom
from .messages import Target
from .processes import cpu_seconds
from .systems import Gateway, remove

ABOUT = "letters of about 5 KB, read over TLS; each figure the median of its turns, the systems one after the other"
MESSAGES = 10_000
STORED = 1_000
TURNS = 5
UNINDEXED = ("SEARCH SUBJECT", "SEARCH HEADER", "SEARCH TEXT")
QUIET_SECONDS = 1.0
QUIET_CORES = 0.03

Command = Callable[[Mailbox], object]


def _utf8(text: str) -> str:
    octets = text.encode()
    return f"{{{len(octets)}+}}\r\n{text}"


def _commands() -> dict[str, Command]:
    columns = "(UID FLAGS ENVELOPE BODYSTRUCTURE)"
    turn = iter(range(1_000_000))

    def store(box: Mailbox) -> object:
        sign = "+" if next(turn) % 2 == 0 else "-"
        return box.command(f"STORE 1:{STORED} {sign}FLAGS.SILENT (\\Flagged)")

    return {
        "SELECT": lambda box: box.command("SELECT INBOX"),
        "FETCH metadata": lambda box: box.command(f"FETCH 1:* {columns}"),
        "FETCH bodies": lambda box: box.command("FETCH 1:* (UID BODY.PEEK[])"),
        "STORE 1,000": store,
        "SEARCH SUBJECT": lambda box: box.command(f"SEARCH CHARSET UTF-8 SUBJECT {_utf8(RARE_SUBJECT)}"),
        "SEARCH HEADER": lambda box: box.command("SEARCH HEADER USER-AGENT absent"),
        "SEARCH TEXT": lambda box: box.command(f"SEARCH CHARSET UTF-8 TEXT {_utf8(RARE_WORD)}"),
    }


AIMS = {
    "SELECT": 1.0,
    "FETCH metadata": 2.0,
    "FETCH bodies": 1.0,
    "STORE 1,000": 1.0,
    "SEARCH SUBJECT": 1.0,
    "SEARCH HEADER": 1.0,
    "SEARCH TEXT": 10.0,
}
"""How many times as fast as Dovecot; SEARCH SUBJECT and SEARCH HEADER are both "by header"."""


@dataclass(slots=True)
class ReadingFigures:
    """One system: milliseconds of each command (median), how many answers SEARCH gave, the crowd, the idlers.

    `first_ms` are searches that come before anything else: our index is made after the first of them.
    """

    fill_s: float = 0.0
    ms: dict[str, float] = field(default_factory=dict)
    first_ms: dict[str, float] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    sessions_per_s: float = 0.0
    idle: idlers.IdleFigures | None = None


def run(
    folder: Path, messages: int, rounds: int, idle: int, say: Callable[[str], None]
) -> dict[str, list[ReadingFigures]]:
    """Fill and read both systems in turn, each on a folder of its own that goes afterwards."""
    found: dict[str, list[ReadingFigures]] = {name: [] for name in MAILROOMS}
    for number in range(rounds):
        for name, make in MAILROOMS.items():
            place = folder / f"{name}-{number}"
            try:
                figures = _measure(make(place), messages, idle)
            finally:
                remove(place)
            found[name].append(figures)
            told = ", ".join(f"{command} {value:.1f}" for command, value in figures.ms.items())
            say(
                f"imap, round {number + 1}, {name}: {told} ms; {figures.sessions_per_s:.0f} sessions per second"
            )
    return found


def _measure(room: Mailroom, messages: int, idle: int) -> ReadingFigures:
    figures = ReadingFigures()
    target = room.start()
    try:
        began = time.perf_counter()
        with Mailbox(target) as box:
            box.append("INBOX", letters(messages, target.sender, target.recipient))
        figures.fill_s = time.perf_counter() - began
        quiet(room)
        _read(room, target, figures)
        figures.sessions_per_s = crowd.run(target)
        figures.idle = idlers.run(room, target, idle)
    finally:
        room.stop()
    return figures


def _read(room: Mailroom, target: Target, figures: ReadingFigures) -> None:
    with Mailbox(target) as box:
        box.command("SELECT INBOX")
        commands = _commands()
        for name in UNINDEXED:
            before = time.perf_counter()
            commands[name](box)
            figures.first_ms[name] = 1000 * (time.perf_counter() - before)
    quiet(room)
    with Mailbox(target) as box:
        box.command("SELECT INBOX")
        for name, command in commands.items():
            command(box)  # once without the clock: Dovecot builds its caches then
            taken = []
            for _ in range(TURNS):
                before = time.perf_counter()
                answer = command(box)
                taken.append(1000 * (time.perf_counter() - before))
            figures.ms[name] = statistics.median(taken)
            if name.startswith("SEARCH") and isinstance(answer, bytes):
                figures.hits[name] = len(answer.split(b"\r\n", 1)[0].split()) - 2


def quiet(room: Mailroom, most: float = 120.0) -> None:
    """Wait until the system has done what it does after the filling."""
    until = time.perf_counter() + most
    while time.perf_counter() < until:
        before = cpu_seconds(room.roots())
        time.sleep(QUIET_SECONDS)
        if cpu_seconds(room.roots()) - before < QUIET_CORES * QUIET_SECONDS:
            return


def table(messages: int, found: dict[str, list[ReadingFigures]]) -> list[str]:
    """The lines of the case."""
    ours, theirs = found[Gateway.name], found[Alone.name]
    lines = [
        f"\nimap: {messages} {ABOUT}",
        f"  {f'median of {len(ours)} round(s)':32}{'ours':>12}{'dovecot':>12}  times  aim",
    ]

    def line(label: str, one: float, other: float, times: float, aim: float | None) -> None:
        verdict = "" if aim is None else f"  >= {aim:g}x {'met' if times >= aim else 'NOT MET'}"
        lines.append(f"  {label:32}{one:>12.1f}{other:>12.1f}{times:>7.2f}{verdict}")

    for name, aim in AIMS.items():
        one, other = (statistics.median(round_.ms[name] for round_ in side) for side in (ours, theirs))
        line(f"{name}, ms", one, other, other / one, aim)
    for name in UNINDEXED:
        one, other = (statistics.median(round_.first_ms[name] for round_ in side) for side in (ours, theirs))
        line(f"{name}, the first, ms", one, other, other / one, None)
    rates = [statistics.median(round_.sessions_per_s for round_ in side) for side in (ours, theirs)]
    line(f"{crowd.CLIENTS} clients, sessions per second", rates[0], rates[1], rates[0] / rates[1], 1.5)
    lines += idlers.lines(
        [round_.idle for round_ in ours if round_.idle], [round_.idle for round_ in theirs if round_.idle]
    )
    if ours[0].hits != theirs[0].hits:
        lines.append(f"  hits differ: ours {ours[0].hits}, dovecot {theirs[0].hits}")
    return lines
