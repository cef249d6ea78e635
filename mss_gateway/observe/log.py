"""The log: one event, typed fields, JSON or console; every field goes through redaction (AUD-4)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import structlog

from .events import Event
from .figures import Figures
from .redact import clean, where
from .spans import NoSpans, Spans


class Level(IntEnum):
    """How much is written."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class LogOptions:
    """`format` is `json` or `console`; `level` a name of `Level` in lower case."""

    format: str = "json"
    level: str = "info"


class Log:
    """Writes events and counts them. Cheap when the level is filtered: one comparison."""

    def __init__(self, options: LogOptions, figures: Figures, stream: Any = None) -> None:
        self._floor = Level[options.level.upper()]
        self.figures = figures
        self.spans: Spans = NoSpans()
        self._put = _writer(options, stream)

    def debug(self, event: Event, **fields: object) -> None:
        """For developers; off in production."""
        self._write(Level.DEBUG, event, fields)

    def info(self, event: Event, **fields: object) -> None:
        """Something that ops count or look for."""
        self._write(Level.INFO, event, fields)

    def warning(self, event: Event, **fields: object) -> None:
        """Something that ops may have to look into."""
        self._write(Level.WARNING, event, fields)

    def fault(self, event: Event, error: BaseException, **fields: object) -> None:
        """A fault of ours: the type and place of the exception, never its text (AUD-5)."""
        fields["error"] = type(error).__name__
        fields["where"] = where(error)
        self._write(Level.ERROR, event, fields)

    def _write(self, level: Level, event: Event, fields: dict[str, object]) -> None:
        self.figures.event(event, fields)
        if level < self._floor:
            return
        line: dict[str, object] = {"level": _WORDS[level]}
        for name, value in fields.items():
            line[name] = clean(value)
        line["event"] = event.value
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        line["timestamp"] = f"{now[:-6]}Z"
        self._put(line)


_WORDS = {level: level.name.lower() for level in Level}


def _writer(options: LogOptions, stream: Any) -> Callable[[dict[str, object]], None]:
    """What renders and writes one line; no chain of processors, which would cost as much as the line."""
    if options.format == "console":
        shown: Any = structlog.PrintLogger(stream or sys.stderr)
        return lambda line: shown.msg(_one_line(line))
    import orjson

    octets: Any = structlog.BytesLogger(stream or sys.stderr.buffer)
    return lambda line: octets.msg(orjson.dumps(line))


def _one_line(fields: dict[str, object]) -> str:
    """`time level event field=value …`; structlog's own console costs more than accepting the message."""
    stamp, level, event = fields.pop("timestamp"), fields.pop("level"), fields.pop("event")
    tail = " ".join([f"{name}={_shown(value)}" for name, value in fields.items()])
    return f"{stamp} {level:<7} {event:<20} {tail}".rstrip()


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or "\n" in text or not text.isprintable() else text
