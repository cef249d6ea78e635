"""The log: one event, typed fields, JSON or console; every field goes through redaction (AUD-4)."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
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
        self._logger = _logger(options, stream)

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
        self._logger.msg(
            event=event.value,
            level=level.name.lower(),
            **{name: clean(value) for name, value in fields.items()},
        )


def _logger(options: LogOptions, stream: Any) -> Any:
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    if options.format == "console":
        factory: Any = structlog.PrintLoggerFactory(file=stream or sys.stderr)
        return structlog.wrap_logger(factory(), processors=[stamp, _one_line], wrapper_class=_Plain)
    import orjson

    json = structlog.processors.JSONRenderer(serializer=orjson.dumps)
    factory = structlog.BytesLoggerFactory(file=stream or sys.stderr.buffer)
    return structlog.wrap_logger(factory(), processors=[stamp, json], wrapper_class=_Plain)


def _one_line(_: object, __: str, fields: MutableMapping[str, Any]) -> str:
    """`time level event field=value …`; structlog's own console costs more than accepting the message."""
    stamp, level, event = fields.pop("timestamp"), fields.pop("level"), fields.pop("event")
    tail = " ".join([f"{name}={_shown(value)}" for name, value in fields.items()])
    return f"{stamp} {level:<7} {event:<20} {tail}".rstrip()


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or "\n" in text or not text.isprintable() else text


class _Plain(structlog.BoundLoggerBase):
    """A bound logger with one method; levels are ours."""

    def msg(self, event: str, **fields: object) -> None:
        """Render and write one line."""
        self._proxy_to_logger("msg", event, **fields)
