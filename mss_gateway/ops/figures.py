"""`figures`: what the running gateway has counted since it started."""

from __future__ import annotations

from mss_gateway.observe.figures import Figures

from .operation import Arguments, Operation, Result


class FigureOperations:
    """The counters in the exposition form of Prometheus."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"figures": self.figures}

    async def figures(self, arguments: Arguments) -> Result:
        """Every counter."""
        return {"text": self._figures.render().decode()}
