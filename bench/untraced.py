"""The gateway with a switch for its trace and figures, to measure what they cost: `python -m bench.untraced serve …`.

Each SIGUSR2 switches both off, or on again: one process is compared with itself, on the same files and caches.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping

import apsw

from mss_gateway.observe.buckets import Buckets
from mss_gateway.observe.events import Event
from mss_gateway.observe.figures import Figures
from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import deliveries

SWITCH = signal.SIGUSR2
"""Turns trace and figures off, and on again."""


def main() -> None:
    """Start the command line with both on."""
    on = True
    write, count, observe = deliveries.insert_trace, Figures.event, Buckets.observe

    def lines(db: apsw.Connection, lines: Iterable[TraceLine]) -> None:
        if on:
            write(db, lines)

    def event(self: Figures, event: Event, fields: Mapping[str, object]) -> None:
        if on:
            count(self, event, fields)

    def value(self: Buckets, value: float) -> None:
        if on:
            observe(self, value)

    def switched(number: int, frame: object) -> None:
        nonlocal on
        on = not on

    deliveries.insert_trace = lines
    Figures.event = event  # type: ignore[method-assign]
    Buckets.observe = value  # type: ignore[method-assign]
    signal.signal(SWITCH, switched)
    from mss_gateway.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
