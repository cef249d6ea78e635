"""One operation: a name, plain arguments in, plain data out, or a refusal with its exit code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

Arguments = Mapping[str, Any]
"""What an operation is given: JSON values by name."""

Result = dict[str, Any]
"""What an operation gives back: JSON values by name."""

Operation = Callable[[Arguments], Awaitable[Result]]
"""An operation as the control socket and the CLI call it."""

PASSWORD_VARIABLE = "MSS_GATEWAY_SOURCE_PASSWORD"  # the name of a variable, no password
"""Where `mailbox import` finds the password of the other server, since command lines are seen by others."""

LARGEST = (1 << 63) - 1
"""No number of an argument is larger: the store's own are not."""

USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
NOT_ALLOWED = 5
UNAVAILABLE = 6
"""Exit codes of the CLI, documented in docs/operating.md."""


class OperationRefused(Exception):
    """An operation says no: `reason` is a slug, the text a sentence with the remedy, `exit_code` for the shell."""

    def __init__(self, sentence: str, reason: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reason = reason
        self.exit_code = exit_code


def text(arguments: Arguments, name: str, default: str | None = None) -> str:
    """A text argument; raises `OperationRefused` when it is missing or not a text."""
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise OperationRefused(f"The argument {name} is missing or not a text", "bad-argument", USAGE)
    return value


def texts(arguments: Arguments, name: str) -> list[str]:
    """A list of texts, empty when absent; raises `OperationRefused`."""
    value = arguments.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise OperationRefused(f"The argument {name} is not a list of texts", "bad-argument", USAGE)
    return value


def number(
    arguments: Arguments, name: str, default: int | None = None, *, least: int = 0, most: int = LARGEST
) -> int:
    """A whole number from `least` to `most`; raises `OperationRefused` when it is missing or none."""
    value = arguments.get(name, default)
    if type(value) is not int or not least <= value <= most:
        range_ = f"from {least} on" if most == LARGEST else f"from {least} to {most}"
        raise OperationRefused(f"The {name.replace('_', ' ')} is a number {range_}", "bad-argument", USAGE)
    return value


def limit_of(arguments: Arguments, default: int, most: int) -> int:
    """The argument `limit`: how many rows are wanted, from 1 to `most`; raises `OperationRefused`."""
    return number(arguments, "limit", default, least=1, most=most)


def moment(arguments: Arguments, name: str, *, last: bool = False) -> float:
    """Epoch seconds of a date or time in ISO 8601, local where no zone is named; 0 when absent.

    A date is the beginning of that day; the end of it where it names the `last` one. Raises `OperationRefused`.
    """
    value = text(arguments, name, "")
    if not value:
        return 0.0
    try:
        day = _day(value)
        if day is not None:
            return midnight(day + timedelta(days=int(last)))
        return datetime.fromisoformat(value).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise OperationRefused(
            f"{value!r} is no date: write 2026-11-14 or 2026-11-14T08:30", "bad-argument", USAGE
        ) from None


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def midnight(day: date) -> float:
    """Epoch seconds of the first moment of a day in local time; raises ValueError, OverflowError and OSError."""
    return datetime.combine(day, datetime.min.time()).astimezone().timestamp()


def local(at: float) -> datetime:
    """Epoch seconds as local time with its zone."""
    return datetime.fromtimestamp(at, UTC).astimezone()


def flag(arguments: Arguments, name: str) -> bool:
    """A yes or no, no when absent."""
    return bool(arguments.get(name, False))
