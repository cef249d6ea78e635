"""`figures`: what the running gateway has counted since it started, and what holds at this moment (OPS-4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mss_gateway.observe.figures import Figures, Gauge

from .operation import Arguments, Operation, Result

Gauges = Callable[[], Awaitable[Sequence[Gauge]]]
"""Measures one part of the gateway now."""


class FigureOperations:
    """Counters and gauges in the exposition form of Prometheus."""

    def __init__(self, figures: Figures, sources: Sequence[Gauges] = ()) -> None:
        self._figures = figures
        self._sources = tuple(sources)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"figures": self.figures}

    async def figures(self, arguments: Arguments) -> Result:
        """Every counter and every gauge."""
        gauges = [gauge for measure in self._sources for gauge in await measure()]
        return {"text": self._figures.render(gauges).decode()}
