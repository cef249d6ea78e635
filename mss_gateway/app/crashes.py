"""What nobody catches, and what libraries say by themselves: told in the log by type and place, without texts (AUD-5).

Python would print tracebacks with the texts of exceptions to standard error, and libraries what a peer has answered.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log


class LibraryLines(logging.Handler):
    """Takes warnings of libraries: who says it and where, since the words may be those of a peer."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line of a library."""
        place = f"{record.module}:{record.lineno}"
        raised = record.exc_info[0] if record.exc_info else None
        error = raised.__name__ if raised is not None else ""
        self._log.warning(Event.LIBRARY_WARNING, library=record.name, where=place, error=error)


def keep_silent(log: Log) -> Callable[[], None]:
    """From now on nothing of this process prints the text of an exception; what is returned undoes it."""
    root, handler = logging.getLogger(), LibraryLines(log)
    before = sys.excepthook, threading.excepthook, sys.unraisablehook

    def told(error: BaseException | None) -> None:
        log.fault(Event.GATEWAY_FAULT, error if error is not None else RuntimeError())

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before[0](kind, error, trace)
        else:
            told(error)

    sys.excepthook = uncaught
    threading.excepthook = lambda given: told(given.exc_value)
    sys.unraisablehook = lambda given: told(given.exc_value)
    root.addHandler(handler)

    def undo() -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before
        root.removeHandler(handler)

    return undo
