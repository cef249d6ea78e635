"""Twice a second: how late the event loop is, and how many messages went in and out, for rates (OPS-4)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from .figures import Figures

BEAT = 0.5
"""Seconds between two looks."""

STEP = 10.0
"""Seconds between two samples of the last quarter of an hour."""

COARSE = 300.0
"""Seconds between two samples of the last day."""

SPANS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
"""Spans that rates are told for, by name."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Totals at one moment (monotonic seconds)."""

    at: float
    received: int
    relayed: int
    refused: int


class Pulse:
    """Keeps samples of a day in bounded memory; nothing is counted here for a message."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self.started_at = time.time()
        self.lag = 0.0  # seconds; the worst of the last minute
        first = self._sample(time.monotonic())
        self._fine: deque[Sample] = deque([first], maxlen=int(SPANS["hour"] / STEP) + 2)
        self._coarse: deque[Sample] = deque([first], maxlen=int(SPANS["day"] / COARSE) + 2)
        self._lags: deque[float] = deque(maxlen=int(60 / BEAT))

    def _sample(self, now: float) -> Sample:
        figures = self._figures
        return Sample(now, figures.accepted, figures.relayed, figures.refused)

    async def run(self) -> None:
        """Look for ever, until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            self.beat(now, max(0.0, now - before - BEAT))

    def beat(self, now: float, late: float) -> None:
        """Note how late the loop was, and a sample when one is due."""
        self._figures.lag_seconds.observe(late)
        self._lags.append(late)
        self.lag = max(self._lags)
        if now - self._fine[-1].at >= STEP:
            self._fine.append(self._sample(now))
        if now - self._coarse[-1].at >= COARSE:
            self._coarse.append(self._sample(now))

    def rates(self, now: float | None = None) -> dict[str, dict[str, int]]:
        """Messages received, recipients relayed and messages refused in the last minute, hour and day."""
        moment = time.monotonic() if now is None else now
        latest = self._sample(moment)
        found = {}
        for name, seconds in SPANS.items():
            samples = self._coarse if name == "day" else self._fine
            since = samples[0]
            for one in samples:
                if one.at > moment - seconds:
                    break
                since = one
            found[name] = {
                "received": latest.received - since.received,
                "relayed": latest.relayed - since.relayed,
                "refused": latest.refused - since.refused,
            }
        return found
