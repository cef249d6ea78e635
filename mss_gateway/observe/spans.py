"""What took how long inside of one message, for whoever collects spans (OPS-4); nothing unless switched on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol


class Span(Protocol):
    """Something that began; it ends with its `with` block."""

    def put(self, **fields: object) -> None:
        """Tell more of it; every field goes through redaction, as in the log (AUD-5)."""

    def refuse(self, reason: str) -> None:
        """It ended with a no: a slug, never a sentence."""


class Spans(Protocol):
    """Makes spans; one that is begun within another is its child."""

    def span(self, name: str, **fields: object) -> AbstractContextManager[Span]:
        """Begin one."""

    def close(self) -> None:
        """Send what waits, and end. Blocking."""


class _Nothing:
    """A span that nobody collects."""

    def put(self, **fields: object) -> None:
        """Nothing."""

    def refuse(self, reason: str) -> None:
        """Nothing."""

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


_NOTHING = _Nothing()


class NoSpans:
    """No collector: one object serves every span."""

    def span(self, name: str, **fields: object) -> AbstractContextManager[Span]:
        """The span that is none."""
        return _NOTHING

    def close(self) -> None:
        """Nothing waits."""
