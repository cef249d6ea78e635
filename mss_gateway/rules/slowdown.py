"""Counts of failures by key: after a few, the next ones wait (ACC-3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlowdownOptions:
    """`free` failures cost nothing; each further one doubles the wait, from `first` up to `most` seconds.

    `forget` seconds without a failure clear the record; `records` bounds the memory.
    """

    free: int = 5
    first: float = 1.0
    most: float = 300.0
    forget: float = 900.0
    records: int = 10_000


@dataclass(frozen=True, slots=True)
class Count:
    """How often a key has failed, and when last (seconds of the owner's clock)."""

    failures: int
    last: float


class Slowdown:
    """Remembers failures; times come as arguments."""

    def __init__(self, options: SlowdownOptions | None = None) -> None:
        self.options = options or SlowdownOptions()
        self._counts: OrderedDict[str, Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def wait(self, key: str, now: float) -> float:
        """Seconds until the next try of this key is heard; 0 when now."""
        count = self._current(key, now)
        over = count.failures - self.options.free
        if over < 0:
            return 0.0
        pause = min(self.options.most, self.options.first * float(1 << min(over, 30)))
        return max(0.0, count.last + pause - now)

    def failures(self, key: str, now: float) -> int:
        """How often a key has failed, as far as that is not forgotten."""
        return self._current(key, now).failures

    def failed(self, key: str, now: float) -> int:
        """Count one failure; return how many there are."""
        failures = self._current(key, now).failures + 1
        self.restore(key, Count(failures, now))
        return failures

    def forget(self, key: str) -> bool:
        """Clear a record; False when there was none."""
        return self._counts.pop(key, None) is not None

    def restore(self, key: str, count: Count) -> None:
        """Put a record in its place, as the youngest; the oldest makes room."""
        self._counts.pop(key, None)
        self._counts[key] = count
        while len(self._counts) > self.options.records:
            self._counts.popitem(last=False)

    def counts(self, now: float) -> Iterator[tuple[str, Count]]:
        """All that is not forgotten, the oldest first."""
        for key, count in self.snapshot():
            if now - count.last <= self.options.forget:
                yield key, count

    def snapshot(self) -> list[tuple[str, Count]]:
        """All records of this moment, forgotten ones too; quick."""
        return list(self._counts.items())

    def _current(self, key: str, now: float) -> Count:
        count = self._counts.get(key)
        if count is None or now - count.last > self.options.forget:
            return Count(0, now)
        if count.last > now:  # the clock was set back: that must not lengthen the wait, by a year perhaps
            count = self._counts[key] = Count(count.failures, now)
        return count
