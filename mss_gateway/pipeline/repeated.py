"""What says the same over and over: one line a minute, with the count of those that were left out (AUD-1)."""

from __future__ import annotations

from collections import OrderedDict

PAUSE = 60.0  # seconds between two lines about the same
KEYS = 10_000  # different things remembered


class Repeated:
    """Remembers what was written when; times are seconds of a monotonic clock and come as arguments."""

    def __init__(self, pause: float = PAUSE, keys: int = KEYS) -> None:
        self._pause = pause
        self._keys = keys
        self._written: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()

    def left_out(self, key: tuple[str, ...], now: float) -> int | None:
        """None when this one is left out; else how many were left out since the last one that was written."""
        at, count = self._written.pop(key, (now - self._pause, 0))
        if now - at < self._pause:
            self._written[key] = at, count + 1
            return None
        self._written[key] = now, 0
        while len(self._written) > self._keys:
            self._written.popitem(last=False)
        return count
