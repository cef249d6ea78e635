"""Failed logins by account and by address: after a few, the next ones wait (ACC-3)."""

from __future__ import annotations

from collections import OrderedDict
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


class Slowdown:
    """Remembers failures; times are seconds of a monotonic clock and come as arguments."""

    def __init__(self, options: SlowdownOptions | None = None) -> None:
        self._options = options or SlowdownOptions()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, keys: tuple[str, ...], now: float) -> float:
        """Seconds until the next try of any of these keys is heard; 0 when now."""
        return max((self._wait(key, now) for key in keys), default=0.0)

    def _wait(self, key: str, now: float) -> float:
        count, last = self._failures.get(key, (0, 0.0))
        over = count - self._options.free
        if over < 0 or now - last > self._options.forget:
            return 0.0
        pause = min(self._options.most, self._options.first * float(1 << min(over, 30)))
        return max(0.0, last + pause - now)

    def failed(self, keys: tuple[str, ...], now: float) -> None:
        """Count one failure."""
        for key in keys:
            count, last = self._failures.pop(key, (0, now))
            if now - last > self._options.forget:
                count = 0
            self._failures[key] = (count + 1, now)
            while len(self._failures) > self._options.records:
                self._failures.popitem(last=False)

    def succeeded(self, keys: tuple[str, ...]) -> None:
        """Clear the records."""
        for key in keys:
            self._failures.pop(key, None)
