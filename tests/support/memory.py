"""What Python holds at most while something runs, free of what the interpreter does once in a while for itself."""

from __future__ import annotations

import contextlib
import sys
import tracemalloc
from collections.abc import Iterator

MIB = 1024 * 1024


@contextlib.contextmanager
def little_memory(most: int) -> Iterator[None]:
    """What Python holds at once in this process, gateway and client together, grows by less than `most` octets."""
    tracemalloc.start()
    try:
        _grow_table_of_names()
        tracemalloc.reset_peak()
        start = tracemalloc.get_traced_memory()[0]
        yield
        grown = tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()
    assert grown < most, f"{grown / MIB:.1f} MiB"


def _grow_table_of_names() -> None:
    """Have CPython's table of interned strings grow now: its next time is then tens of thousands of names away.

    In a process that has imported the whole suite it grows by 3,844,800 octets at once, whoever's name it was.
    """
    for number in range(1_000_000):
        before = tracemalloc.get_traced_memory()[0]
        sys.intern(f"name {number} of the table")
        if tracemalloc.get_traced_memory()[0] - before > 300_000:
            return
    raise AssertionError("the table of interned strings has not grown")
