"""`health`: whether the gateway takes mail now, in one word and slugs; what a container asks all the time (OPS-4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from .operation import Arguments, Operation, Result


class HealthOperations:
    """`reasons` gives why mail cannot be taken, as slugs, nothing when it can."""

    def __init__(self, reasons: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._reasons = reasons

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"health": self.health}

    async def health(self, arguments: Arguments) -> Result:
        """Ready or not, and why not."""
        reasons = list(await self._reasons())
        return {"ready": not reasons, "reasons": reasons}
